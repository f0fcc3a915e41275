// What this page can do against a flood, in a notebook cell.

import { renderFlow } from "./flow.js";

export default {
  render({ model, el: root }) {
    const { url } = model.get("state");
    const page = thisPage();
    const frame = panel("Backpressure");
    root.append(frame);
    renderFlow(chooseRoute(url, page) === "direct" ? url : proxied(url, page), frame);
  },
};
