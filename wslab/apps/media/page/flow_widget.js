// What this page can do against a flood, in a notebook cell.

import { renderFlow } from "./flow.js";

export default inCell("Backpressure", (url, frame) => {
  renderFlow(url, frame);
});
