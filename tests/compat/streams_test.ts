import { compatTest } from "./session.ts";

compatTest("streams");
