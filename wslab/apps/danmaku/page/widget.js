// The danmaku in a notebook cell, with a connection of the page that shows the notebook.

import { Danmaku, renderDanmaku } from "./danmaku.js";

export default inCell("Danmaku", (url, frame) => renderDanmaku(new Danmaku(url), frame));
