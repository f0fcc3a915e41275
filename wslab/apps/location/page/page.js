// The page of a city: a part of the map of the server that the page came from.

import { View, renderMap } from "./map.js";

const url = new URL(".", location.href);
url.protocol = url.protocol.replace("http", "ws");
renderMap(new View(url.href), document.querySelector("main"));
