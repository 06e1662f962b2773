import { compatTest } from "./session.ts";

compatTest("dump and restore");
