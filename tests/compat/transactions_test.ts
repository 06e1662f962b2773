import { compatTest } from "./session.ts";

compatTest("transactions");
