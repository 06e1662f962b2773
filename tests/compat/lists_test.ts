import { compatTest } from "./session.ts";

compatTest("lists");
