// The page of a desk: the quotes of the server that the page came from.

import { Quotes, renderQuotes } from "./quotes.js";

const url = new URL(".", location.href);
url.protocol = url.protocol.replace("http", "ws");
renderQuotes(new Quotes(url.href), document.querySelector("main"));
