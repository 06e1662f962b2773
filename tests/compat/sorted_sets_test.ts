import { compatTest } from "./session.ts";

compatTest("sorted sets");
