import { compatTest } from "./session.ts";

compatTest("sort");
