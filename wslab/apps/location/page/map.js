// A part of a map with the couriers there. The map is drawn here, so no tiles are loaded.
//
// The page asks the server for the part that it shows, and gets nothing else. Between two fixes it
// moves each courier by the model that the sender runs as well.

import { RepeatedConnection } from "./repeated.js";
import { DEGREE, MAP, at, readFixes } from "./fixes.js";

const SCALES = [500, 1000, 1900]; // metres from the centre to the border of the part that is shown
const WAIT = 400; // milliseconds after the last movement before the server is asked
const RATE = 5; // seconds over which bytes are counted
const WIDE = DEGREE * Math.cos((MAP.lat * Math.PI) / 180); // metres of one degree of longitude

/** What the page knows. url: of the server, with a slash at its end.
 *  couriers: fix by name. x, y, reach: the centre and half the size of the part, in metres.
 *  said: a sentence of the server. bytes: those that have come. onchange(): when something differs. */
export class View extends RepeatedConnection {
  constructor(url) {
    super(url);
    Object.assign(this, { x: 0, y: 0, reach: SCALES[1], said: "" });
    Object.assign(this, { couriers: new Map(), bytes: 0, messages: 0, offset: 0, arrivals: [] });
  }

  get address() {
    return `${this.url}area`;
  }

  opened() {
    this.couriers.clear(); // names begin again with each connection
    super.opened();
    this.ask();
  }

  close() {
    clearTimeout(this.later);
    super.close();
  }

  /** South, west, north and east of the part, in degrees. */
  get area() {
    const { x, y, reach } = this;
    return [
      MAP.lat + (y - reach) / DEGREE,
      MAP.lon + (x - reach) / WIDE,
      MAP.lat + (y + reach) / DEGREE,
      MAP.lon + (x + reach) / WIDE,
    ];
  }

  ask() {
    this.tell({ area: this.area });
  }

  /** Look so many metres further, and ask the server when the movement has ended. */
  move(x, y, reach = this.reach) {
    const edge = MAP.block * MAP.blocks;
    this.x = Math.max(-edge, Math.min(edge, this.x + x));
    this.y = Math.max(-edge, Math.min(edge, this.y + y));
    this.reach = reach;
    clearTimeout(this.later);
    this.later = setTimeout(() => this.ask(), WAIT);
    this.onchange();
  }

  receive(data) {
    this.messages += 1;
    const size = data.byteLength ?? data.length;
    this.bytes += size;
    this.arrivals.push([performance.now(), size]);
    if (typeof data === "string") {
      const message = JSON.parse(data);
      this.said = message.refused ?? "";
      if (message.refused) this.later = setTimeout(() => this.ask(), 5 * WAIT);
    } else {
      const { now, fixes } = readFixes(data);
      this.offset = now - performance.now() / 1000;
      for (const { name, fix } of fixes) {
        if (fix) this.couriers.set(name, fix);
        else this.couriers.delete(name);
      }
    }
    this.onchange();
  }

  /** Where the couriers are now by the model: x and y in metres, and the course, if inside. */
  get places() {
    const now = performance.now() / 1000 + this.offset;
    const found = [];
    for (const [name, fix] of this.couriers) {
      const [lat, lon] = at(fix, now);
      const x = (lon - MAP.lon) * WIDE;
      const y = (lat - MAP.lat) * DEGREE;
      if (Math.abs(x - this.x) <= this.reach && Math.abs(y - this.y) <= this.reach)
        found.push({ name, x, y, course: fix.course });
    }
    return found;
  }

  /** Bytes a second, over the last few seconds. */
  get rate() {
    const since = performance.now() - RATE * 1000;
    this.arrivals = this.arrivals.filter(([time]) => time > since);
    return this.arrivals.reduce((sum, [, size]) => sum + size, 0) / RATE;
  }
}

/** Show a view in an element; returns a function that ends it. */
export function renderMap(view, root) {
  const said = el("p", { class: "map-said", role: "status" });
  const counts = el("p", { class: "map-counts" });
  const canvas = el("canvas", { role: "img", "aria-label": "A map without couriers yet" });
  const step = () => view.reach / 2;
  const buttons = [
    ["← west", () => view.move(-step(), 0)],
    ["↑ north", () => view.move(0, step())],
    ["↓ south", () => view.move(0, -step())],
    ["→ east", () => view.move(step(), 0)],
    ["+ closer", () => zoom(-1)],
    ["− wider", () => zoom(1)],
  ].map(([text, onclick]) => el("button", { type: "button", onclick }, text));
  let frame;
  let second = 0;

  function zoom(by) {
    const place = Math.max(0, Math.min(SCALES.length - 1, SCALES.indexOf(view.reach) + by));
    view.move(0, 0, SCALES[place]);
  }

  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", ({ buttons: held, movementX, movementY }) => {
    const metres = (2 * view.reach) / canvas.clientWidth;
    if (held) view.move(-movementX * metres, movementY * metres);
  });
  const lamp = lampOf(view, () => {
    if (said.textContent !== view.said) said.textContent = view.said;
  });

  function draw() {
    frame = requestAnimationFrame(draw);
    const places = view.places;
    drawMap(canvas, view, places);
    if (performance.now() - second < 1000) return;
    second = performance.now();
    counts.textContent = `${places.length} couriers here, ${Math.round(view.rate)} bytes a second`;
    canvas.setAttribute("aria-label", `A map of ${2 * view.reach} metres with ${places.length} couriers`);
  }

  root.classList.add("map");
  root.append(row(...buttons, lamp), canvas, said, counts);
  view.connect();
  draw();
  return () => {
    cancelAnimationFrame(frame);
    view.close();
  };
}

function drawMap(canvas, view, places) {
  const size = canvas.clientWidth;
  const pen = penOf(canvas);
  pen.clearRect(0, 0, size, size);
  const pixels = size / (2 * view.reach);
  const toX = (x) => (x - view.x + view.reach) * pixels;
  const toY = (y) => (view.y + view.reach - y) * pixels;
  pen.strokeStyle = "#8a8a8a66";
  pen.lineWidth = Math.max(2, 12 * pixels);
  const edge = MAP.block * MAP.blocks;
  pen.beginPath();
  for (let way = -edge; way <= edge; way += MAP.block) {
    pen.moveTo(toX(way), toY(-edge));
    pen.lineTo(toX(way), toY(edge));
    pen.moveTo(toX(-edge), toY(way));
    pen.lineTo(toX(edge), toY(way));
  }
  pen.stroke();
  for (const { x, y, course } of places) {
    pen.save();
    pen.translate(toX(x), toY(y));
    pen.rotate((course * Math.PI) / 180);
    pen.beginPath(); // an arrow that points where the courier goes
    pen.moveTo(0, -9);
    pen.lineTo(6, 7);
    pen.lineTo(0, 4);
    pen.lineTo(-6, 7);
    pen.closePath();
    pen.fillStyle = "#2a78c2";
    pen.fill();
    pen.lineWidth = 1.5;
    pen.strokeStyle = "#ffffff";
    pen.stroke();
    pen.restore();
  }
}
