// A chat with pictures and sounds on a page. Files go in chunks, each with a header of 13 bytes: the
// id, the offset and the type. The side that receives says which offset it has, and gets the next
// chunk. So this page never sends more than one chunk of a file ahead, and needs no bufferedAmount.
// After a broken connection it goes on where the server says.

import { RepeatedConnection } from "./repeated.js";

export const CHUNK = 64 * 1024; // bytes of data in a chunk
const HEADER = 13;
const KINDS = { "image/png": 1, "audio/wav": 2 };

/** Return the binary message with a chunk. data: an ArrayBuffer. */
export function packChunk(id, offset, type, data) {
  const message = new Uint8Array(HEADER + data.byteLength);
  const view = new DataView(message.buffer);
  view.setUint32(0, id);
  view.setBigUint64(4, BigInt(offset));
  view.setUint8(12, type);
  message.set(new Uint8Array(data), HEADER);
  return message;
}

/** Read a binary message, an ArrayBuffer. */
export function unpackChunk(message) {
  const view = new DataView(message);
  const [id, offset, type] = [view.getUint32(0), Number(view.getBigUint64(4)), view.getUint8(12)];
  return { id, offset, type, data: message.slice(HEADER) };
}

async function sha256(blob) {
  if (!crypto.subtle) throw new Error("this page came over http from another machine, so the browser offers no SHA-256");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What the page knows. url: of the server, with a slash at its end.
 *  onchange(): the connection has changed. online(from, text): a line came.
 *  onfile(file): a file is new, or there is more of it. Its fields are those of its offer, and
 *  arrived: how many bytes are over, text: its state, blob: all of it, once it is complete. */
export class MediaChat extends RepeatedConnection {
  constructor(url, name) {
    super(url);
    Object.assign(this, { name, count: 0, sent: 0 });
    this.client = [...crypto.getRandomValues(new Uint8Array(18))].map((byte) => byte.toString(16)).join("").padEnd(16, "0");
    this.sending = new Map(); // by our id
    this.files = new Map(); // all that is shown, by SHA-256
    this.onfile = this.online = () => {};
  }

  get address() {
    return `${this.url}media`;
  }

  connect() {
    this.offered = new Map(); // by the server's id, on this connection
    super.connect();
  }

  opened() {
    this.tell({ type: "hello", name: this.name, client: this.client });
  }

  receive(data) {
    if (data instanceof ArrayBuffer) this.take(unpackChunk(data));
    else this.hear(JSON.parse(data));
  }

  say(text) {
    this.tell({ type: "chat", text });
  }

  /** Begin to send a file. */
  async send(blob, name, media = blob.type) {
    const offer = { type: "offer", id: ++this.count, name, media, size: blob.size, sha256: await sha256(blob) };
    const file = { ...offer, from: this.name, own: blob, arrived: 0, text: "waiting", isDone: false };
    this.sending.set(file.id, file);
    this.files.set(file.sha256, file);
    this.onfile(file);
    this.tell(offer);
  }

  hear(message) {
    const file = this.sending.get(message.id);
    if (message.type === "welcome") {
      this.enter("connected");
      for (const { type, id, name, media, size, sha256, isDone } of this.sending.values())
        if (!isDone) this.tell({ type, id, name, media, size, sha256 });
    } else if (message.type === "chat") this.online(message.name, message.text);
    else if (message.type === "offer") this.want(message);
    else if (message.type === "have" && file) this.goOn(file, message.offset);
    else if (message.type === "done" && file) this.finish(file, file.own);
    else if (message.type === "refused" && file) {
      Object.assign(file, { isDone: true, text: message.text });
      this.onfile(file);
    } else if (message.type === "refused") this.online("Server", message.text);
  }

  /** Send the chunk that the server asks for. */
  async goOn(file, offset) {
    const { socket } = this;
    Object.assign(file, { arrived: offset, text: "sending" });
    this.onfile(file);
    const data = await file.own.slice(offset, offset + CHUNK).arrayBuffer();
    if (socket?.readyState !== WebSocket.OPEN) return;
    this.sent += 1;
    socket.send(packChunk(file.id, offset, KINDS[file.media], data));
  }

  /** Ask for a file, from where we are. */
  want(offer) {
    const known = this.files.get(offer.sha256);
    if (known?.own) return this.finish(known, known.own);
    const file = known ?? { ...offer, arrived: 0, parts: [], text: "coming" };
    this.files.set(offer.sha256, file);
    this.offered.set(offer.id, file);
    this.onfile(file);
    if (!file.blob) this.tell({ type: "have", id: offer.id, offset: file.arrived });
  }

  async take({ id, offset, data }) {
    const file = this.offered.get(id);
    if (!file || file.blob) return;
    if (offset === file.arrived) {
      file.parts.push(data);
      file.arrived += data.byteLength;
    }
    this.onfile(file);
    if (file.arrived < file.size) return this.tell({ type: "have", id, offset: file.arrived });
    const blob = new Blob(file.parts, { type: file.media });
    file.parts = [];
    if ((await sha256(blob)) === file.sha256) this.finish(file, blob);
    else {
      file.text = "this is not what was offered";
      this.onfile(file);
    }
  }

  finish(file, blob) {
    const isNew = !file.blob;
    Object.assign(file, { blob, isDone: true, arrived: file.size, text: "complete" });
    if (isNew) this.onfile(file);
  }
}

/** Paint a picture with grain, so that it is large; promises a Blob. */
export function paintPicture(width = 640, height = 400) {
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d");
  const sky = pen.createLinearGradient(0, 0, 0, height);
  const hue = Math.random() * 360;
  sky.addColorStop(0, `hsl(${hue} 60% 30%)`);
  sky.addColorStop(1, `hsl(${hue + 60} 80% 75%)`);
  pen.fillStyle = sky;
  pen.fillRect(0, 0, width, height);
  const image = pen.getImageData(0, 0, width, height);
  for (let at = 0; at < image.data.length; at += 4)
    for (let part = 0; part < 3; part += 1) image.data[at + part] += Math.random() * 40;
  pen.putImageData(image, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

/** Play notes into a WAV, in 16 bits a sample, in mono. */
export function playSound(seconds = 4, rate = 8000) {
  const view = new DataView(new ArrayBuffer(44 + seconds * rate * 2));
  const words = [0x52494646, 0x57415645, 0x666d7420, 0x64617461]; // RIFF, WAVE, fmt, data
  [0, 8, 12, 36].forEach((at, place) => view.setUint32(at, words[place]));
  view.setUint32(4, view.byteLength - 8, true);
  view.setUint32(16, 16, true);
  [1, 1].forEach((value, place) => view.setUint16(20 + 2 * place, value, true));
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true);
  [2, 16].forEach((value, place) => view.setUint16(32 + 2 * place, value, true));
  view.setUint32(40, view.byteLength - 44, true);
  let pitch = 262;
  for (let n = 0; n < seconds * rate; n += 1) {
    const part = (n % (rate / 4)) / (rate / 4);
    if (part === 0) pitch = 262 * 2 ** ([0, 2, 4, 7, 9, 12][Math.floor(Math.random() * 6)] / 12);
    view.setInt16(44 + 2 * n, 12000 * (1 - part) * Math.sin((2 * Math.PI * pitch * n) / rate), true);
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}

/** Show a chat in an element; returns a function that ends it. */
export function renderMedia(chat, root) {
  const [log, list] = logBox("Chat");
  const line = el("input", { maxlength: "2000", size: "30" });
  const file = el("input", { type: "file", accept: "image/png,audio/wav" });
  const shown = new Map(); // by SHA-256: what changes in its line

  const add = (...children) => {
    list.append(el("li", {}, ...children));
    log.scrollTop = log.scrollHeight;
  };
  const attempt = (promise) => promise.catch((error) => add(error.message));
  const say = (event) => {
    event.preventDefault();
    if (line.value) chat.say(line.value);
    line.value = "";
  };
  file.addEventListener("change", () => {
    for (const each of file.files) attempt(chat.send(each, each.name));
    file.value = "";
  });
  chat.online = (from, text) => add(el("b", {}, from), " ", text);
  chat.onfile = (each) => {
    if (!shown.has(each.sha256)) {
      const bar = el("progress", { max: each.size, "aria-label": each.name });
      const state = el("span");
      const place = el("div");
      shown.set(each.sha256, { bar, state, place });
      add(el("b", {}, each.from), ` ${each.name} `, bar, " ", state, place);
    }
    const { bar, state, place } = shown.get(each.sha256);
    bar.value = each.arrived;
    state.textContent = each.blob ? `${(each.size / 1000).toFixed(0)} kB` : each.text;
    if (each.blob && !place.hasChildNodes()) place.append(display(each));
    log.scrollTop = log.scrollHeight;
  };

  root.classList.add("media");
  root.append(
    el("p", {}, lampOf(chat)),
    log,
    el("form", { class: "wslab-row", onsubmit: say }, labelled("line", line), el("button", {}, "Send")),
    row(
      el("button", { type: "button", onclick: async () => attempt(chat.send(await paintPicture(), "picture.png")) }, "Send a picture"),
      el("button", { type: "button", onclick: () => attempt(chat.send(playSound(), "sound.wav")) }, "Send a sound"),
      labelled("or a file", file),
    ),
  );
  chat.connect();
  return () => {
    chat.close();
    for (const url of root.querySelectorAll("[src^=blob]")) URL.revokeObjectURL(url.src);
  };
}

/** Return an element that shows a complete file. The type is the one that the server has checked. */
function display({ blob, media, name }) {
  const src = URL.createObjectURL(new Blob([blob], { type: media }));
  if (media === "image/png") return el("img", { src, alt: name });
  return el("audio", { src, controls: "", "aria-label": name });
}
