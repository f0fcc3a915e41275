// The editor in a notebook cell, with a connection of the page that shows the notebook.

import { renderEditor } from "./editor.js";

export default {
  render({ model, el: root }) {
    const { url, room, name } = model.get("state");
    const page = thisPage();
    const way = chooseRoute(url, page) === "direct" ? url : proxied(url, page);
    const frame = panel("Editor");
    root.append(frame);
    return renderEditor({ url: way, room, name }, frame);
  },
};
