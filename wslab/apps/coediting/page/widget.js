// The editor in a notebook cell, with a connection of the page that shows the notebook.

import { renderEditor } from "./editor.js";

export default inCell("Editor", (url, frame, { room, name }) => renderEditor({ url, room, name }, frame));
