import { compatTest } from "./session.ts";

compatTest("expiry");
