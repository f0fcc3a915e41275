// The page of a room: ?room=NAME, and perhaps &name=… and &token=…

import { renderEditor } from "./editor.js";

const query = new URLSearchParams(location.search);
const name = query.get("name") ?? `Guest ${1 + Math.floor(Math.random() * 99)}`;
renderEditor({ url: ownServer(), room: query.get("room") ?? "lesson", name, token: query.get("token") }, document.querySelector("main"));
