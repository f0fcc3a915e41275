// What this page can do against a flood, in a notebook cell.

import { renderFlow } from "./flow.js";

export default application("Backpressure", (url, root) => renderFlow(url, root));
