// The quotes of a desk.

import { Quotes, renderQuotes } from "./quotes.js";

export default application("Quotes", (url, root) => renderQuotes(new Quotes(url), root));
