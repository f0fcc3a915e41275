// The danmaku in a notebook cell, with a connection of the page that shows the notebook.

import { Danmaku, renderDanmaku } from "./danmaku.js";

export default {
  render({ model, el: root }) {
    const { url } = model.get("state");
    const page = thisPage();
    const way = chooseRoute(url, page) === "direct" ? url : proxied(url, page);
    const frame = panel("Danmaku");
    root.append(frame);
    return renderDanmaku(new Danmaku(way), frame);
  },
};
