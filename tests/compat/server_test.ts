import { compatTest } from "./session.ts";

compatTest("server");
