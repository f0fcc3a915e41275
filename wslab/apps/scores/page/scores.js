// A match on a page: a state, then merge patches with numbers, and a clock that nobody sends.
//
// The connection comes back by itself (kit/js/reconnecting.js). `Screen` is the same as in match.py.

import { ReconnectingWebSocket } from "./reconnecting.js";

const QUICK = { first: 300, factor: 2, limit: 5000, quick: 2 }; // milliseconds between attempts
const DIGITS = 250; // milliseconds between two looks at the clock
const SIDES = ["home", "away"];

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** Apply a JSON Merge Patch (RFC 7396 §2); return the new value, and leave the old one as it is. */
export function mergePatch(target, patch) {
  if (!isObject(patch)) return patch;
  const merged = new Map(Object.entries(isObject(target) ? target : {}));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value));
  }
  return Object.fromEntries(merged);
}

/** What a viewer sees of a match. state: null before the first one. version: its number. Times are in seconds. */
export class Screen {
  constructor() {
    Object.assign(this, { state: null, version: 0, ahead: 0 });
  }

  take(message, now) {
    const delay = now - message.now;
    if (message.state !== undefined) {
      Object.assign(this, { state: message.state, version: message.version, ahead: delay });
      return;
    }
    if (this.state === null || message.seq > this.version + 1) throw new Error(`change ${message.seq} came after version ${this.version}`);
    this.ahead = Math.min(this.ahead, delay); // the fastest message says most
    if (message.seq <= this.version) return;
    this.state = mergePatch(this.state, message.patch);
    this.version = message.seq;
  }

  get score() {
    return this.state ? `${this.state.home.goals} : ${this.state.away.goals}` : "- : -";
  }

  clock(now) {
    if (!this.state) return "--:--";
    const { seconds, at, rate } = this.state.clock;
    const shown = Math.floor(seconds + rate * Math.max(0, now - this.ahead - at));
    const two = (number) => String(number).padStart(2, "0");
    return `${two(Math.floor(shown / 60))}:${two(shown % 60)}`;
  }
}

const pageSeconds = () => performance.now() / 1000;

/** Somebody who watches. onchange(): called when the state or the connection has changed. */
export class Viewer {
  constructor(url) {
    this.screen = new Screen();
    this.isInTunnel = false;
    this.onchange = () => {};
    this.connection = new ReconnectingWebSocket(url, { history: false, backoff: QUICK });
    this.connection.onstate = () => this.onchange();
    this.connection.onmessage = (fields) => this.take(fields);
    this.connection.onresumed = (fields) => fields.state !== undefined && this.take(fields);
  }

  take(message) {
    this.screen.take(message, pageSeconds());
    this.onchange();
  }

  connect() {
    this.isInTunnel = false;
    this.connection.connect();
  }

  close() {
    this.connection.close();
  }

  /** Enter a tunnel, or leave it. */
  ride() {
    if (this.isInTunnel) return this.connect();
    this.isInTunnel = true;
    this.close();
  }

  get text() {
    if (this.isInTunnel) return "in a tunnel";
    return this.connection.state === "waiting" ? this.connection.text : this.connection.state;
  }
}

/** Show a match in an element; returns a function that ends it. */
export function renderScores(viewer, root) {
  const lamp = el("span", { role: "status" });
  const version = el("span", { class: "scores-version" });
  const tunnel = el("button", { type: "button", onclick: () => viewer.ride() }, "enter a tunnel");
  const [home, away] = [el("span"), el("span")];
  const score = el("strong", { "aria-live": "polite", class: "scores-score" }, "- : -");
  const time = el("p", { class: "scores-time" });
  const review = el("p", { class: "scores-review", "aria-live": "polite" });
  const goals = el("ol", { class: "scores-goals" });
  const body = el("tbody");

  function draw() {
    light(lamp, viewer.connection.state === "online" ? "good" : "busy", viewer.text);
    tunnel.textContent = viewer.isInTunnel ? "leave the tunnel" : "enter a tunnel";
    const { state: match } = viewer.screen;
    if (!match) return;
    version.textContent = `version ${viewer.screen.version}`;
    [home.textContent, away.textContent] = SIDES.map((side) => match[side].name);
    if (score.textContent !== viewer.screen.score) score.textContent = viewer.screen.score;
    review.textContent = match.review ? `VAR: a goal of ${match.review.player} is checked` : "";
    goals.replaceChildren(...match.goals.map(({ team, player, minute }) => el("li", {}, `${minute}' ${player} (${match[team].name})`)));
    const rows = ["shots", "corners", "cards"].map((name) => [match.home[name], name, match.away[name]]);
    body.replaceChildren(...rows.map(([left, name, right]) => el("tr", {}, el("td", {}, left), el("th", { scope: "row" }, name), el("td", {}, right))));
    tick();
  }

  function tick() {
    if (viewer.screen.state) time.textContent = `${viewer.screen.clock(pageSeconds())}, ${viewer.screen.state.period}`;
  }

  root.classList.add("scores");
  root.append(
    el("div", { class: "scores-board" }, home, score, away, time, review),
    row(tunnel, lamp, version),
    goals,
    el("table", {}, body),
  );
  viewer.onchange = draw;
  viewer.connect();
  const timer = setInterval(tick, DIGITS);
  return () => {
    clearInterval(timer);
    viewer.close();
  };
}

/** Show viewers on trains, which enter tunnels by chance, and come out again. */
export function renderTrains(viewers, root, random = Math.random) {
  const list = el("ul", { class: "scores-trains" });
  for (const [place, viewer] of viewers.entries()) {
    const [score, text] = [el("strong"), el("span")];
    const item = el("li", {}, `train ${place + 1}`, score, text);
    list.append(item);
    viewer.onchange = () => {
      score.textContent = viewer.screen.score;
      text.textContent = `${viewer.text}, version ${viewer.screen.version}`;
      item.toggleAttribute("data-dark", viewer.isInTunnel);
    };
    const ride = () => {
      viewer.ride();
      setTimeout(ride, 1000 * (2 + 8 * random()));
    };
    viewer.connect();
    setTimeout(ride, 1000 * (2 + 8 * random()));
  }
  root.append(el("h2", {}, "Viewers on trains"), list);
}
