import { compatTest } from "./session.ts";

compatTest("sets");
