// The comments of a room.

import { Danmaku, renderDanmaku } from "./danmaku.js";

export default application("Danmaku", (url, root) => renderDanmaku(new Danmaku(url), root));
