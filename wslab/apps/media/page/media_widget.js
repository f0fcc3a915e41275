// The media chat in a notebook cell, with a connection of the page that shows the notebook.

import { MediaChat, renderMedia } from "./media.js";

export default inCell("Media chat", (url, frame, { name }) => renderMedia(new MediaChat(url, name ?? "You"), frame));
