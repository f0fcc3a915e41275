// The page of a room: the comments of the server that the page came from.

import { Danmaku, renderDanmaku } from "./danmaku.js";

renderDanmaku(new Danmaku(ownServer()), document.querySelector("main"));
