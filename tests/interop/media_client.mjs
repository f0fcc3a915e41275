// An upload with npm's ws, for tests/interop: it knows only the protocol of the media chat.
//
//     node media_client.mjs '{"url": "ws://127.0.0.1:PORT/media", "cut": 3, "data": BASE64}'
//
// Cuts its own connection after so many chunks, comes back, and goes on. Prints one line of JSON:
// the offsets that it has sent, and the server's last message.

import { createHash } from 'node:crypto';
import WebSocket from 'ws';

const { url, cut, data } = JSON.parse(process.argv[2]);
const file = Buffer.from(data, 'base64');
const sha256 = createHash('sha256').update(file).digest('hex');
const offer = { type: 'offer', id: 7, name: 'node.wav', media: 'audio/wav', size: file.length, sha256 };
const offsets = [];

function connect() {
  const socket = new WebSocket(url);
  socket.on('open', () => {
    socket.send(JSON.stringify({ type: 'hello', name: 'Node', client: 'a-secret-of-Node' }));
    socket.send(JSON.stringify(offer));
  });
  socket.on('message', (message, isBinary) => {
    if (isBinary) return;
    const said = JSON.parse(message);
    if (said.type === 'have') send(socket, said.offset);
    if (said.type !== 'done' && said.type !== 'refused') return;
    console.log(JSON.stringify({ offsets, said }));
    process.exit(0);
  });
}

function send(socket, offset) {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(7, 0);
  head.writeBigUInt64BE(BigInt(offset), 4);
  head.writeUInt8(2, 12);
  offsets.push(offset);
  socket.send(Buffer.concat([head, file.subarray(offset, offset + 5000)]));
  if (offsets.length !== cut) return;
  socket.removeAllListeners('message');
  socket.terminate();
  setTimeout(connect, 50);
}

connect();
