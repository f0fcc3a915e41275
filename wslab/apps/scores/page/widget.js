// The match in a notebook cell, with a connection of the page that shows the notebook.

import { Viewer, renderScores } from "./scores.js";

export default {
  render({ model, el: root }) {
    const { url } = model.get("state");
    const page = thisPage();
    const way = chooseRoute(url, page) === "direct" ? url : proxied(url, page);
    const frame = panel("Live score");
    root.append(frame);
    return renderScores(new Viewer(way), frame);
  },
};
