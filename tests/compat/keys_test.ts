import { compatTest } from "./session.ts";

compatTest("keys");
