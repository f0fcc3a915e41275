// The map in a notebook cell, with a connection of the page that shows the notebook.

import { View, renderMap } from "./map.js";

export default inCell("Map", (url, frame) => renderMap(new View(url), frame));
