// The quotes in a notebook cell, with a connection of the page that shows the notebook.

import { Quotes, renderQuotes } from "./quotes.js";

export default inCell("Quotes", (url, frame) => renderQuotes(new Quotes(url), frame));
