// Quotes on a page: the latest of each key, drawn at most once per animation frame.
//
// Messages may come as often as they like: each only replaces a value. What is drawn is decided by
// `requestAnimationFrame`. At its own pace (`/paced`) the page asks for more when it has drawn, so a
// hidden tab, whose frames stand still, gets nothing.

import { RepeatedConnection } from "./repeated.js";

const POINTS = 300; // of the chart, one for each picture
const LINES = { North: { colour: "#2a78c2", dash: [] }, South: { colour: "#c2571a", dash: [6, 4] } };

/** What the page knows. url: of the server, with a slash at its end.
 *  latest: the newest quote by venue and symbol. updates, draws: how many there have been.
 *  onchange(): called when the connection has changed; ondraw(): once per picture. */
export class Quotes extends RepeatedConnection {
  constructor(url) {
    super(url);
    Object.assign(this, { isPaced: true, updates: 0, draws: 0 });
    this.latest = new Map();
    this.ondraw = () => {};
  }

  get address() {
    return this.url + (this.isPaced ? "paced" : "latest");
  }

  connect() {
    this.received = 0; // messages on this connection
    super.connect();
  }

  receive(data) {
    const quote = JSON.parse(data);
    this.received += 1;
    this.updates += 1;
    this.latest.set(`${quote.symbol} ${quote.venue}`, quote);
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = null;
    this.draws += 1;
    this.ondraw();
    if (this.isPaced) this.tell({ type: "ready", count: this.received });
  }
}

/** The middle between the best bid and the best ask; null if one of them is missing. */
export function middle({ bid, ask }) {
  return bid && ask ? (Number(bid[0]) + Number(ask[0])) / 2 : null;
}

/** Show quotes in an element; returns a function that ends it. */
export function renderQuotes(quotes, root) {
  const lamp = lampOf(quotes);
  const counts = el("p", { class: "quotes-counts" });
  const pace = el("input", { type: "checkbox", checked: "" });
  const symbols = el("select");
  const body = el("tbody");
  const canvas = el("canvas", { role: "img", "aria-label": "A chart without prices yet" });
  const rows = new Map();
  let points = [];

  pace.addEventListener("change", () => {
    quotes.isPaced = pace.checked;
    quotes.connect();
  });
  symbols.addEventListener("change", () => (points = []));
  quotes.ondraw = () => {
    for (const [key, quote] of [...quotes.latest].sort()) fill(key, quote);
    const shown = [...quotes.latest.values()].filter(({ symbol }) => symbol === symbols.value);
    points.push(Object.fromEntries(shown.map((quote) => [quote.venue, middle(quote)])));
    points = points.slice(-POINTS);
    drawChart(canvas, points);
    canvas.setAttribute("aria-label", `${symbols.value}: the middle between bid and ask at each venue`);
    counts.textContent = `${quotes.updates} quotes came, ${quotes.draws} pictures were drawn`;
  };

  function fill(key, { venue, symbol, bid, ask }) {
    if (!rows.has(key)) {
      const cells = Array.from({ length: 4 }, () => el("td"));
      rows.set(key, el("tr", {}, el("th", { scope: "row" }, symbol), el("th", {}, venue), ...cells));
      body.append(...[...rows.keys()].sort().map((each) => rows.get(each)));
      if (![...symbols.options].some(({ value }) => value === symbol)) symbols.append(option(symbol));
    }
    const texts = [...(bid ?? ["", ""]), ...(ask ?? ["", ""])];
    rows.get(key).querySelectorAll("td").forEach((cell, place) => (cell.textContent = texts[place]));
  }

  root.classList.add("quotes");
  root.append(
    row(labelled("chart", symbols), labelled("at this page's pace", pace), lamp),
    tableOf(["stock", "venue", "bid", "quantity", "ask", "quantity"], body),
    canvas,
    el("p", {}, "North is the solid line, South the dashed one."),
    counts,
  );
  quotes.connect();
  return () => quotes.close();
}

/** Draw a line for each venue, as high as the canvas allows, with the range written beside it. */
function drawChart(canvas, points) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const pen = penOf(canvas);
  pen.clearRect(0, 0, width, height);
  const values = points.flatMap((point) => Object.values(point)).filter((value) => value !== null);
  if (!values.length) return;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const y = (value) => height - 14 - ((value - low) / (high - low || 1)) * (height - 28);
  for (const [venue, { colour, dash }] of Object.entries(LINES)) {
    pen.strokeStyle = colour;
    pen.lineWidth = 2;
    pen.setLineDash(dash);
    pen.beginPath();
    points.forEach((point, place) => {
      if (point[venue] != null) pen.lineTo((place / (POINTS - 1)) * (width - 60), y(point[venue]));
    });
    pen.stroke();
  }
  pen.fillStyle = getComputedStyle(canvas).color;
  pen.fillText(high.toFixed(2), width - 50, y(high) + 4);
  if (high > low) pen.fillText(low.toFixed(2), width - 50, y(low) + 4);
}
