// What a page can do against a flood, measured: how many bytes are on their way at most, and how long
// it takes. `send` never waits, and only `bufferedAmount` tells how much the browser still has.
// `onmessage` cannot refuse. WebSocketStream, which Chromium has, waits in both directions.

const PIECE = new Uint8Array(64 * 1024);
const FEW = 4 * PIECE.length; // bytes in the browser, for the loop that looks at bufferedAmount

const PATIENCE = 20_000; // milliseconds for one step, such as opening a connection

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Wait for one step, which fails if it takes too long. */
function soon(step) {
  const late = async () => {
    await wait(PATIENCE);
    throw new Error(`no answer in ${PATIENCE / 1000} s`);
  };
  return Promise.race([step, late()]);
}

/** Look at a condition until it holds. It fails if the socket closes, or if it takes too long. */
async function until(condition, socket) {
  const end = performance.now() + PATIENCE;
  while (!condition()) {
    if (socket.readyState > WebSocket.OPEN) throw new Error("no connection");
    if (performance.now() > end) throw new Error(`no answer in ${PATIENCE / 1000} s`);
    await wait(5);
  }
}

/** Open a socket for the length of a function, which gets it. hear: called with each message. */
async function using(url, hear, use) {
  const socket = new WebSocket(url);
  let isOpen = false; // and perhaps closed again, when `until` looks
  socket.onopen = () => (isOpen = true);
  socket.onmessage = ({ data }) => hear(data);
  try {
    await until(() => isOpen, socket);
    return await use(socket);
  } finally {
    socket.close();
  }
}

/** Follow the server's counts; most: the most bytes that were sent and not yet there. */
function counter(count) {
  const total = count * PIECE.length;
  const state = { sent: 0, there: 0, most: 0, start: null };
  return {
    sends: () => {
      state.start ??= performance.now();
      state.sent += PIECE.length;
      state.most = Math.max(state.most, state.sent - state.there);
    },
    hears: (text) => (state.there = Number(text)),
    waiting: () => state.sent - state.there,
    isComplete: () => state.there === total,
    result: () => ({ most: state.most, seconds: (performance.now() - state.start) / 1000 }),
  };
}

function sendBySocket(url, count, mayGoOn) {
  const counts = counter(count);
  return using(`${url}sink`, counts.hears, async (socket) => {
    for (let n = 0; n < count; n += 1) {
      await until(() => mayGoOn(socket, counts), socket);
      socket.send(PIECE);
      counts.sends();
    }
    while (!counts.isComplete()) {
      const waiting = counts.waiting();
      await until(() => counts.waiting() < waiting, socket);
    }
    return counts.result();
  });
}

async function sendByStream(url, count) {
  const stream = new WebSocketStream(`${url}sink`);
  try {
    const { readable, writable } = await soon(stream.opened);
    const [reader, writer] = [readable.getReader(), writable.getWriter()];
    const counts = counter(count);
    const hear = async () => {
      while (!counts.isComplete()) {
        const { value, done } = await soon(reader.read());
        if (done) throw new Error("no connection");
        counts.hears(value);
      }
    };
    const send = async () => {
      for (let n = 0; n < count; n += 1) {
        await soon(writer.ready);
        writer.write(PIECE).catch(() => {}); // then `ready` fails, too
        counts.sends();
      }
    };
    await Promise.all([hear(), send()]);
    return counts.result();
  } finally {
    stream.close();
  }
}

function chunksSent(url) {
  let text = null;
  const hear = (data) => (text = data);
  return using(`${url}sourced`, hear, async (socket) => {
    await until(() => text !== null, socket);
    return Number(text);
  });
}

/** Read slowly; the server has sent `most` bytes more than were read, when ten chunks were. */
function receiveBySocket(url, count) {
  const queue = [];
  return using(`${url}source?count=${count}`, (data) => queue.push(data), (socket) =>
    readSlowly(url, async () => {
      await until(() => queue.length, socket);
      queue.shift();
    }),
  );
}

async function receiveByStream(url, count) {
  const stream = new WebSocketStream(`${url}source?count=${count}`);
  try {
    const { readable } = await soon(stream.opened);
    const reader = readable.getReader();
    return await readSlowly(url, () => soon(reader.read()));
  } finally {
    stream.close();
  }
}

async function readSlowly(url, next) {
  const start = performance.now();
  for (let n = 0; n < 10; n += 1) {
    await next();
    await wait(50);
  }
  const most = ((await chunksSent(url)) - 10) * PIECE.length;
  return { most, seconds: (performance.now() - start) / 1000 };
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
  root.append(
    el("p", {}, button, " ", state),
    tableOf(["way", "most on its way, MB", "seconds"], body, el("caption", {}, `${count} chunks of 64 KiB`)),
  );
}
