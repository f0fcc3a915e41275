// The editor of a room, which is CodeMirror on a text of Yjs, with everybody's cursors.

import { Editing } from "./codemirror_yjs.min.js";

// Dark enough for the white name on a cursor. A selection has the same colour, nearly transparent.
const COLOURS = ["#b3261e", "#1a5fb4", "#2d6a30", "#8a3ffc", "#8f4e00", "#a0156b"];

const OPEN_TIMEOUT = 10_000; // milliseconds for one attempt; a browser alone would wait for minutes

/** Show a room, and return a function that ends it. url: the server's. token: for one who may write. */
export function renderEditor({ url, room, name, token }, root) {
  const { Compartment, Doc, EditorState, EditorView, UndoManager, WebsocketProvider } = Editing;
  const doc = new Doc();
  const text = doc.getText("text");
  const provider = new WebsocketProvider(url, encodeURIComponent(room), doc, {
    disableBc: true, // two windows of one browser also meet in the server
    params: token ? { token } : {},
  });
  const { awareness } = provider;
  awareness.on("change", () => awareness.getStates().forEach(clean)); // before the editor sees it

  const colour = COLOURS[doc.clientID % COLOURS.length];
  const say = (name) => awareness.setLocalStateField("user", { name, color: colour, colorLight: `${colour}40` });
  const input = el("input", { value: name, maxlength: "30", oninput: () => say(input.value) });
  const lamp = el("span", { role: "status" });
  const note = el("p", { "aria-live": "polite" });
  const people = el("p");
  say(name);

  const lock = new Compartment();
  const view = new EditorView({
    state: EditorState.create({
      doc: text.toString(),
      extensions: [
        Editing.keymap.of([...Editing.yUndoManagerKeymap, ...Editing.defaultKeymap]),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": `shared text of ${room}` }),
        lock.of([]),
        Editing.yCollab(text, awareness, { undoManager: new UndoManager(text) }),
      ],
    }),
  });

  // Kind 2 of the protocol: the server says that this page may not write.
  provider.messageHandlers[2] = (_encoder, decoder) =>
    Editing.readAuthMessage(decoder, doc, (_doc, reason) => {
      view.dispatch({ effects: lock.reconfigure(EditorState.readOnly.of(true)) });
      note.textContent = reason;
    });
  const states = { connected: ["good", "connected"], connecting: ["busy", "connecting"], disconnected: ["bad", "offline: it will merge"] };
  let opening;
  const show = (status) => {
    clearTimeout(opening);
    if (status === "connecting") opening = setTimeout(() => provider.ws?.close(), OPEN_TIMEOUT);
    light(lamp, ...states[status]);
  };
  provider.on("status", ({ status }) => show(status));
  provider.on("closed", ({ code, reason }) => (note.textContent = `closed with ${code}: ${reason}`));
  const list = () => {
    const names = [...awareness.getStates().values()].map((state) => state.user?.name || "somebody");
    people.textContent = `Here: ${names.sort().join(", ")}`;
  };
  awareness.on("change", list);
  show("connecting");
  list();

  const controls = row(labelled("your name", input), lamp);
  // Keys are for the editor, and not for JupyterLab's shortcuts.
  root.append(el("div", { class: "editor", "data-lm-suppress-shortcuts": "" }, controls, view.dom, people, note));
  return () => {
    clearTimeout(opening);
    provider.destroy();
    view.destroy();
    doc.destroy();
  };
}

/** Leave in a state only what the editor can show. A colour is written into a style. */
function clean(state) {
  const { user } = state;
  if (typeof user !== "object" || user === null) return;
  user.name = String(user.name ?? "").slice(0, 30);
  for (const key of ["color", "colorLight"]) if (!/^#[0-9a-f]{6,8}$/i.test(user[key])) delete user[key];
}
