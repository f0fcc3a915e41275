// The chat page: a chat with the server that the page came from, in the room of its address.

import { Chat } from "./chat.js";
import { renderChat } from "./chat_view.js";

const url = new URL(location.href);
url.protocol = url.protocol.replace("http", "ws");
url.hash = "";
const KEY = `wslab chat ${url.pathname}`;

/** What this tab knew before it was loaded again; null where the browser keeps nothing. It is kept
 *  only from one page to the next: a copy of this tab, made meanwhile, is somebody else. */
function load() {
  try {
    const saved = JSON.parse(sessionStorage.getItem(KEY));
    sessionStorage.removeItem(KEY);
    return saved;
  } catch {
    return null;
  }
}

function save() {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(chat.save()));
  } catch {
    // private mode, or full: then a tab that is loaded again is a newcomer
  }
}

const chat = new Chat(url.href, { language: document.documentElement.lang, saved: load() });
const title = document.title;
let seen = 0;
chat.views.add(() => {
  const heard = chat.forgotten + chat.lines.length;
  if (!document.hidden) seen = heard;
  const room = chat.room && ` · ${chat.room}`;
  document.querySelector("h1").replaceChildren(title, el("bdi", {}, room));
  document.title = `${heard > seen ? `(${heard - seen}) ` : ""}${title}${room}`;
});
document.addEventListener("visibilitychange", () => chat.changed());
addEventListener("pagehide", save);
addEventListener("pageshow", load); // come back to without being loaded: it goes on by itself
renderChat(chat, document.querySelector("main"));
chat.connection.connect();
