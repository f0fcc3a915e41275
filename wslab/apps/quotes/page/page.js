// The page of a desk: the quotes of the server that the page came from.

import { Quotes, renderQuotes } from "./quotes.js";

renderQuotes(new Quotes(ownServer()), document.querySelector("main"));
