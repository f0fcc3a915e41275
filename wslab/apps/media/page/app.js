// The chat of a room. On a page, ?name=… is the name that the others read.

import { MediaChat, renderMedia } from "./media.js";

export default application("Media chat", (url, root, { name = guestName() }) => renderMedia(new MediaChat(url, name), root));
