// The media chat in a notebook cell, with a connection of the page that shows the notebook.

import { MediaChat, renderMedia } from "./media.js";

export default {
  render({ model, el: root }) {
    const { url, name } = model.get("state");
    const page = thisPage();
    const way = chooseRoute(url, page) === "direct" ? url : proxied(url, page);
    const frame = panel("Media chat");
    root.append(frame);
    return renderMedia(new MediaChat(way, name ?? "You"), frame);
  },
};
