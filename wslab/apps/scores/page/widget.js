// The match in a notebook cell, with a connection of the page that shows the notebook.

import { Viewer, renderScores } from "./scores.js";

export default inCell("Live score", (url, frame) => renderScores(new Viewer(url), frame));
