import { compatTest } from "./session.ts";

compatTest("geo");
