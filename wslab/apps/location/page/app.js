// A part of a city's map.

import { View, renderMap } from "./map.js";

export default application("Map", (url, root) => renderMap(new View(url), root));
