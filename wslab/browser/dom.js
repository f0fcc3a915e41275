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

/** A line of controls; it breaks where it is too long. */
function row(...children) {
  return el("div", { class: "wslab-row" }, ...children);
}

/** A table with a head. body: its `tbody`. caption: perhaps a `caption`. */
function tableOf(heads, body, ...caption) {
  const cells = heads.map((text) => el("th", { scope: "col" }, text));
  return el("table", {}, ...caption, el("thead", {}, el("tr", {}, ...cells)), body);
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

/** Make a lamp that shows the state of a `RepeatedConnection`. more(): draws what else may differ. */
function lampOf(connection, more = () => {}) {
  const lamp = el("span", { role: "status" });
  connection.onchange = () => {
    light(lamp, connection.state === "connected" ? "good" : "busy", connection.state);
    more();
  };
  return lamp;
}

/** Fit a canvas to its element and to the screen; return its pen, which draws in pixels of the page. */
function penOf(canvas) {
  const sizes = [canvas.clientWidth, canvas.clientHeight];
  const [width, height] = sizes.map((size) => Math.round(size * devicePixelRatio));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  return pen;
}

/** Tell the kernel something, unless it was restarted. Then nobody hears it. */
function tellKernel(model, message) {
  try {
    model.send(message);
  } catch {
    // The page goes on by itself.
  }
}

/** A name for somebody who gave none. */
function guestName() {
  return `Guest ${1 + Math.floor(Math.random() * 999)}`;
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
