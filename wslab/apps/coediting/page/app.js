// The text of a room. On a page: ?room=NAME, and perhaps &name=… and &token=…

import { renderEditor } from "./editor.js";

export default application("Editor", (url, root, { room = "lesson", name = guestName(), token }) =>
  renderEditor({ url, room, name, token }, root),
);
