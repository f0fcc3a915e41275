// Helpers of all widgets; `widget.py` pastes this file before theirs, and every page loads it.

/** Make an element. Text among the children becomes text, never HTML. */
function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value != null) node.setAttribute(key, value);
  }
  // A key pressed here is meant for this widget, not for one of JupyterLab's shortcuts.
  if (/^(button|input|select|textarea)$/.test(name) || attributes.tabindex) node.setAttribute("data-lm-suppress-shortcuts", "");
  node.append(...children);
  return node;
}

/** A control and its label, which a screen reader says and a click may hit. */
function labelled(text, control) {
  return el("label", {}, el("span", {}, text), control);
}

function option(value, text = value) {
  return el("option", { value }, text);
}

/** The frame around a widget. A peer's $…$ is not mathematics (display/html.py). */
function panel(title, ...children) {
  return el("section", { class: "wslab-widget mathjax_ignore", role: "group", "aria-label": title }, ...children);
}

/** Make a log, that is read aloud as it grows, and the list in it that takes its lines. */
function logBox(label, attributes = {}) {
  const list = el("ol");
  return [el("div", { role: "log", "aria-label": label, tabindex: "0", class: "wslab-log", ...attributes }, list), list];
}

/** Light a lamp: the state of a connection, as a word and a colour. look: "good" (it works), "busy"
 *  (on its way), "off" (nothing is wrong) or "bad". Set only if it changes: it is read aloud. */
function light(lamp, look, word) {
  lamp.classList.add("wslab-lamp");
  lamp.dataset.look = look;
  if (lamp.textContent !== word) lamp.textContent = word;
}

/** The address for a WebSocket to the server that this page came from. */
function ownServer() {
  const url = new URL(".", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}

/** Quote a peer's text, with escapes for invisible characters, so that nothing passes unnoticed. */
function printable(text, limit = 200) {
  const unseen = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu;
  const escape = (char) => `\\u{${char.codePointAt(0).toString(16)}}`;
  const quoted = JSON.stringify(text.slice(0, limit)).replace(unseen, escape);
  return text.length > limit ? `${quoted} … (${text.length} characters)` : quoted;
}

function hex(bytes, limit = 32) {
  const digits = [...bytes.subarray(0, limit)].map((byte) => byte.toString(16).padStart(2, "0"));
  return digits.join(" ") + (bytes.length > limit ? ` … (${bytes.length} bytes)` : "");
}

/** Read bytes written as hex digits, with or without spaces between them. */
function parseHex(text) {
  const digits = text.replace(/\s+/g, "");
  const wrong = digits.match(/[^0-9a-f]/iu);
  if (wrong) throw new Error(`${printable(wrong[0])} is not a hex digit: write bytes as 48 65 6c`);
  if (digits.length % 2) throw new Error(`a byte has two hex digits, but ${digits.length} is an odd number of digits`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
