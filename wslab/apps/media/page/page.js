// The page of a room: the chat of the server that the page came from.

import { MediaChat, renderMedia } from "./media.js";

const name = new URLSearchParams(location.search).get("name") ?? `guest ${Math.floor(Math.random() * 900) + 100}`;
renderMedia(new MediaChat(ownServer(), name), document.querySelector("main"));
