// The map in a notebook cell, with a connection of the page that shows the notebook.

import { View, renderMap } from "./map.js";

export default {
  render({ model, el: root }) {
    const { url } = model.get("state");
    const page = thisPage();
    const way = chooseRoute(url, page) === "direct" ? url : proxied(url, page);
    const frame = panel("Map");
    root.append(frame);
    return renderMap(new View(way), frame);
  },
};
