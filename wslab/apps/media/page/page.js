// The page of a room: the chat of the server that the page came from.

import { MediaChat, renderMedia } from "./media.js";

const url = new URL(".", location.href);
url.protocol = url.protocol.replace("http", "ws");
const name = new URLSearchParams(location.search).get("name") ?? `guest ${Math.floor(Math.random() * 900) + 100}`;
renderMedia(new MediaChat(url.href.replace(/[?#].*/, ""), name), document.querySelector("main"));
