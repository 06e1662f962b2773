import { compatTest } from "./session.ts";

compatTest("hyperloglogs");
