import { compatTest } from "./session.ts";

compatTest("bits");
