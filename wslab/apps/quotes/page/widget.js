// The quotes in a notebook cell, with a connection of the page that shows the notebook.

import { Quotes, renderQuotes } from "./quotes.js";

export default {
  render({ model, el: root }) {
    const { url } = model.get("state");
    const page = thisPage();
    const way = chooseRoute(url, page) === "direct" ? url : proxied(url, page);
    const frame = panel("Quotes");
    root.append(frame);
    return renderQuotes(new Quotes(way), frame);
  },
};
