// A client on `ws`, for tests/interop: sends messages to an echo server and checks the answers.
//
//     node echo_client.js '{"url": "ws://…", "deflate": true, "sizes": [0, 125], "code": 4000}'
//
// For each size a text message and a binary one, in fragments if they are long enough; then it
// waits for a pong, and closes. Prints, as JSON, how many answers were right, the extensions
// agreed on, and the close code and reason. A wrong answer ends it with an error.
'use strict';

const WebSocket = require('ws');

const { url, deflate, sizes, code } = JSON.parse(process.argv[2]);
const ws = new WebSocket(url, {
  maxPayload: 32 * 1024 * 1024,
  perMessageDeflate: deflate && { threshold: 0 },
});

let state = 2463534242;
function random() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state >>> 0;
}

function message(size, isBinary) {
  if (!isBinary) return Buffer.from('握'.repeat(size / 3) + 'a'.repeat(size % 3));
  const data = Buffer.alloc(size);
  for (let i = 0; i < size; i += 1) data[i] = random();
  return data;
}

function send(data, binary) {
  if (data.length < 1000) {
    ws.send(data, { binary });
    return;
  }
  const cut = random() % data.length;
  ws.send(data.subarray(0, cut), { binary, fin: false });
  ws.send(data.subarray(cut), { binary, fin: true });
}

const expected = sizes.flatMap((size) => [false, true].map((binary) => [message(size, binary), binary]));
let right = 0;

function next() {
  if (right < expected.length) send(...expected[right]);
  else ws.ping('last');
}

ws.on('open', next);
ws.on('message', (data, isBinary) => {
  const [wanted, binary] = expected[right];
  if (isBinary !== binary || !wanted.equals(data)) throw new Error(`message ${right} differs`);
  right += 1;
  next();
});
ws.on('pong', (data) => {
  if (data.toString() === 'last') ws.close(code, 'that is all');
});
ws.on('close', (code_, reason) => {
  const { extensions } = ws;
  console.log(JSON.stringify({ right, extensions, code: code_, reason: reason.toString() }));
});
