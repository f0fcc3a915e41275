// What a page can do against a flood, measured: how many bytes are on their way at most, and how long
// it takes. `send` never waits, and only `bufferedAmount` tells how much the browser still has.
// `onmessage` cannot refuse. WebSocketStream, which Chromium has, waits in both directions.

const PIECE = new Uint8Array(64 * 1024);
const FEW = 4 * PIECE.length; // bytes in the browser, for the loop that looks at bufferedAmount

const opened = (socket) => new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Follow the server's counts; most: the most bytes that were sent and not yet there. */
function counter(count) {
  const total = count * PIECE.length;
  const state = { sent: 0, there: 0, most: 0, start: performance.now() };
  const all = new Promise((resolve) => (state.resolve = resolve));
  return {
    sends: () => {
      state.sent += PIECE.length;
      state.most = Math.max(state.most, state.sent - state.there);
    },
    hears: (text) => {
      state.there = Number(text);
      if (state.there === total) state.resolve();
    },
    waiting: () => state.sent - state.there,
    result: async () => {
      await all;
      return { most: state.most, seconds: (performance.now() - state.start) / 1000 };
    },
  };
}

async function sendBySocket(url, count, mayGoOn) {
  const socket = new WebSocket(`${url}sink`);
  await opened(socket);
  const counts = counter(count);
  socket.onmessage = ({ data }) => counts.hears(data);
  for (let n = 0; n < count; n += 1) {
    while (!mayGoOn(socket, counts)) await wait(5);
    socket.send(PIECE);
    counts.sends();
  }
  const result = await counts.result();
  socket.close();
  return result;
}

async function sendByStream(url, count) {
  const stream = new WebSocketStream(`${url}sink`);
  const { readable, writable } = await stream.opened;
  const [reader, writer] = [readable.getReader(), writable.getWriter()];
  const counts = counter(count);
  const hearing = (async () => {
    for (let got = await reader.read(); !got.done; got = await reader.read()) counts.hears(got.value);
  })();
  for (let n = 0; n < count; n += 1) {
    await writer.ready;
    writer.write(PIECE);
    counts.sends();
  }
  const result = await counts.result();
  stream.close();
  await hearing.catch(() => {});
  return result;
}

async function chunksSent(url) {
  const socket = new WebSocket(`${url}sourced`);
  return new Promise((resolve) => (socket.onmessage = ({ data }) => resolve(Number(data))));
}

/** Read slowly; the server has sent `most` bytes more than were read, when ten chunks were. */
async function receiveBySocket(url, count) {
  const socket = new WebSocket(`${url}source?count=${count}`);
  const start = performance.now();
  const queue = [];
  socket.onmessage = ({ data }) => queue.push(data);
  const next = async () => {
    while (!queue.length) await wait(5);
    queue.shift();
  };
  const most = await readSlowly(url, next);
  socket.close();
  return { most, seconds: (performance.now() - start) / 1000 };
}

async function receiveByStream(url, count) {
  const stream = new WebSocketStream(`${url}source?count=${count}`);
  const start = performance.now();
  const { readable } = await stream.opened;
  const reader = readable.getReader();
  const most = await readSlowly(url, () => reader.read());
  stream.close();
  return { most, seconds: (performance.now() - start) / 1000 };
}

async function readSlowly(url, next) {
  for (let n = 0; n < 10; n += 1) {
    await next();
    await wait(50);
  }
  return (await chunksSent(url) - 10) * PIECE.length;
}

/** The ways, in order. isStream: it needs WebSocketStream. */
export const WAYS = [
  { name: "send, at once", run: (url, count) => sendBySocket(url, count, () => true) },
  { name: "send, while bufferedAmount is small", run: (url, count) => sendBySocket(url, count, (socket) => socket.bufferedAmount < FEW) },
  { name: "send, when the last one is there", run: (url, count) => sendBySocket(url, count, (_, counts) => counts.waiting() === 0) },
  { name: "WebSocketStream, writing", isStream: true, run: sendByStream },
  { name: "onmessage, reading slowly", run: receiveBySocket },
  { name: "WebSocketStream, reading slowly", isStream: true, run: receiveByStream },
];

/** Show a button that measures all the ways, and their results. */
export function renderFlow(url, root, count = 300) {
  const state = el("span", { role: "status" });
  const body = el("tbody");
  const run = async () => {
    button.disabled = true;
    body.replaceChildren();
    for (const { name, isStream, run } of WAYS) {
      state.textContent = name;
      const cells = [el("th", { scope: "row" }, name)];
      if (isStream && !("WebSocketStream" in globalThis)) cells.push(el("td", { colspan: "2" }, "this browser has none"));
      else {
        const { most, seconds } = await run(url, count);
        cells.push(el("td", {}, (most / 1e6).toFixed(1)), el("td", {}, seconds.toFixed(1)));
      }
      body.append(el("tr", {}, ...cells));
    }
    state.textContent = "finished";
    button.disabled = false;
  };
  const begin = () => run().catch((error) => (state.textContent = error.message ?? "no connection"));
  const button = el("button", { type: "button", onclick: begin }, "Measure");
  const heads = ["way", "most on its way, MB", "seconds"].map((text) => el("th", { scope: "col" }, text));
  root.append(
    el("p", {}, button, " ", state),
    el("table", {}, el("caption", {}, `${count} chunks of 64 KiB`), el("thead", {}, el("tr", {}, ...heads)), body),
  );
}
