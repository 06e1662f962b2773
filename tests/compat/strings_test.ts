import { compatTest } from "./session.ts";

compatTest("strings");
