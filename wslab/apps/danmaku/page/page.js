// The page of a room: the comments of the server that the page came from.

import { Danmaku, renderDanmaku } from "./danmaku.js";

const url = new URL(".", location.href);
url.protocol = url.protocol.replace("http", "ws");
renderDanmaku(new Danmaku(url.href), document.querySelector("main"));
