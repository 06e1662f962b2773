import { compatTest } from "./session.ts";

compatTest("hashes");
