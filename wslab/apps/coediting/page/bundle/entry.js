// What the page needs of other people's packages, in one file and under one name: Editing.

export { defaultKeymap } from "@codemirror/commands";
export { Compartment, EditorState } from "@codemirror/state";
export { EditorView, keymap } from "@codemirror/view";
export { yCollab, yUndoManagerKeymap } from "y-codemirror.next";
export { readAuthMessage } from "y-protocols/auth";
export { WebsocketProvider } from "y-websocket";
export { Doc, UndoManager } from "yjs";
