// The page of a city: a part of the map of the server that the page came from.

import { View, renderMap } from "./map.js";

renderMap(new View(ownServer()), document.querySelector("main"));
