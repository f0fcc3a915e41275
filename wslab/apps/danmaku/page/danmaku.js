// Comments fly over a moving picture, in the lanes of `stage.js`.
//
// All of it is drawn in `requestAnimationFrame`. On `/thinned`, a picture that had news says `ready`,
// and only then the next batch comes. So a hidden tab and a paused picture get nothing. On the other
// paths everything comes, and only the newest comments wait for the next picture.

import { Stage } from "./stage.js";
import { RepeatedConnection } from "./repeated.js";

const LANE = 26; // pixels
const SECONDS = 6; // from a comment's start until it has left
const FONT = "18px system-ui, sans-serif";
const MOST = 1000; // comments of others that wait for a picture: from here to twice as many
const PATHS = { thinned: "a fair part of them", batch: "all, in batches", every: "all, one by one" };

/** The connection. url: of the server, with a slash at its end. waiting: comments that are not on the
 *  stage yet. messages, bytes: how much has come, without the frames' headers.
 *  onchange(): called when the connection has changed. */
export class Danmaku extends RepeatedConnection {
  constructor(url) {
    super(url);
    Object.assign(this, { path: "thinned", messages: 0, bytes: 0, waiting: [] });
  }

  get address() {
    return this.url + this.path;
  }

  connect() {
    Object.assign(this, { received: 0, told: 0, person: null, waiting: [] }); // of this connection
    super.connect();
  }

  receive(data) {
    this.received += 1;
    this.messages += 1;
    this.bytes += new Blob([data]).size;
    const message = JSON.parse(data);
    if (message.comments) this.waiting.push(...message.comments);
    else if ("text" in message) this.waiting.push(message);
    else this.person = message.person;
    const old = this.waiting.length - MOST;
    if (old > MOST) this.waiting = this.waiting.filter(({ isOwn }, place) => isOwn || place >= old);
  }

  /** Say something. It is shown here at once, whether or not the server chooses it for others. */
  say(text) {
    this.tell({ type: "say", text });
    this.waiting.push({ text, isOwn: true });
  }

  /** Take the comments that have come; our own are shown already. A picture shows them. */
  take() {
    const comments = this.waiting.filter(({ person }) => person === undefined || person !== this.person);
    this.waiting = [];
    if (this.path === "thinned" && this.received > this.told) {
      this.told = this.received;
      this.tell({ type: "ready", count: this.received });
    }
    return comments;
  }
}

/** The stage and what is on it. shown, crowded: comments that got a lane, and that got none.
 *  held: our own comments that wait for a lane. */
export class Flights {
  constructor(canvas) {
    Object.assign(this, { canvas, pictures: 0, shown: 0, crowded: 0, held: [] });
  }

  /** Make a stage for the width of the canvas. A new one begins empty. */
  fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (this.width === width) return;
    Object.assign(this, { width, height, flying: [] });
    this.stage = new Stage({ width, seconds: SECONDS, lanes: Math.floor(height / LANE) });
  }

  /** Draw a picture at a time in seconds, with these new comments. */
  draw(now, comments) {
    if (!this.canvas.clientWidth) return; // it is not shown
    this.fit();
    const pen = penOf(this.canvas);
    pen.font = FONT;
    const held = this.held;
    this.held = [];
    for (const comment of [...held, ...comments]) {
      const width = pen.measureText(comment.text).width + 12; // with some air behind it
      const lane = this.stage.place(now, width);
      if (lane !== null) this.flying.push({ ...comment, width, lane, start: now });
      else if (comment.isOwn) this.held.push(comment);
      else this.crowded += 1;
      this.shown += lane !== null;
    }
    this.flying = this.flying.filter(({ start }) => now - start < SECONDS);
    drawScene(pen, this.width, this.height, now);
    pen.fillStyle = "#ffffff";
    for (const { text, isOwn, width, lane, start } of this.flying) {
      const x = this.stage.leftEdge(start, width, now);
      const y = lane * LANE + 19;
      pen.save();
      pen.beginPath();
      pen.rect(x - 4, lane * LANE, width, LANE); // accents may be piled up over other lanes
      pen.clip();
      pen.lineWidth = 3;
      pen.strokeStyle = "#000000b0";
      pen.strokeText(text, x, y);
      pen.fillText(text, x, y);
      pen.lineWidth = 1.5;
      pen.strokeStyle = pen.fillStyle;
      if (isOwn) pen.strokeRect(x - 3, y - 18, width - 5, LANE - 3);
      pen.restore();
    }
    this.pictures += 1;
  }
}

/** A moving picture: hills in the evening, and a ball that bounces over them. */
function drawScene(pen, width, height, now) {
  const sky = pen.createLinearGradient(0, 0, 0, height);
  sky.addColorStop(0, "#1d2b4f");
  sky.addColorStop(1, "#b0607a");
  pen.fillStyle = sky;
  pen.fillRect(0, 0, width, height);
  for (const [depth, colour] of [[60, "#4a4470"], [30, "#2f2f52"], [14, "#1c1f38"]]) {
    pen.fillStyle = colour;
    pen.beginPath();
    pen.moveTo(0, height);
    for (let x = 0; x <= width + 8; x += 8)
      pen.lineTo(x, height - depth * (1.4 + Math.sin((x + (now * 900) / depth) / (2.4 * depth))));
    pen.lineTo(width, height);
    pen.fill();
  }
  const x = ((now * 70) % (width + 60)) - 30;
  const y = height - 20 - Math.abs(Math.sin(now * 2.2)) * height * 0.4;
  pen.fillStyle = "#f4d35e";
  pen.beginPath();
  pen.arc(x, y, 13, 0, 2 * Math.PI);
  pen.fill();
}

/** Show danmaku in an element; returns a function that ends it. */
export function renderDanmaku(danmaku, root) {
  const lamp = lampOf(danmaku);
  const canvas = el("canvas", { role: "img", "aria-label": "a moving picture with comments" });
  const counts = el("p", { class: "danmaku-counts" });
  const path = el("select", {}, ...Object.keys(PATHS).map((name) => new Option(PATHS[name], name)));
  const pause = el("button", { type: "button" });
  const text = el("input", { maxlength: "40", autocomplete: "off" });
  const form = el("form", {}, labelled("your comment", text), el("button", {}, "Say it"));
  const flights = new Flights(canvas);
  const latest = [];
  let frame = null, isPaused = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let shift = 0, last = null, before = null;

  function picture(milliseconds) {
    frame = isPaused ? null : requestAnimationFrame(picture);
    last ??= milliseconds;
    shift += Math.min(milliseconds - last, 1000); // a hidden tab goes on where it was
    last = milliseconds;
    const comments = danmaku.take();
    latest.push(...comments.map((comment) => comment.text));
    latest.splice(0, latest.length - 5);
    flights.draw(shift / 1000, comments);
  }

  function go() {
    pause.textContent = isPaused ? "Play" : "Pause";
    last = null;
    if (!isPaused) frame ??= requestAnimationFrame(picture);
  }

  function count() {
    const { messages, bytes } = danmaku;
    const { pictures, shown, crowded } = flights;
    const now = { messages, bytes, pictures, shown, crowded };
    before ??= now;
    const by = (name) => (now[name] - before[name]).toLocaleString("en");
    counts.textContent =
      `In the last second: ${by("messages")} messages, ${by("bytes")} bytes, ${by("pictures")} pictures, ` +
      `${by("shown")} comments shown, ${by("crowded")} without a lane`;
    canvas.setAttribute("aria-label", `a moving picture with comments, such as ${latest.join(", ")}`);
    before = now;
  }

  path.addEventListener("change", () => {
    danmaku.path = path.value;
    danmaku.connect();
  });
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    go();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (text.value.trim()) danmaku.say(text.value.trim());
    text.value = "";
  });
  root.classList.add("danmaku");
  root.append(
    row(labelled("the comments", path), pause, lamp),
    canvas,
    form,
    counts,
  );
  const timer = setInterval(count, 1000);
  danmaku.connect();
  count();
  go();
  return () => {
    isPaused = true;
    clearInterval(timer);
    danmaku.close();
  };
}
