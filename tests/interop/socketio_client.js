// A client on npm's socket.io-client, for tests/interop: does what it is told, and prints it as JSON.
//
//     node socketio_client.js '{"url": "http://…", "transports": ["polling"], "timeout": 2000}'
//
// Says 你好 and waits until it hears a chat message; prints what it heard and on which transport. If
// it cannot connect, it prints the error's message and HTTP status instead. With "lose": once it has
// heard, it drops its connection without a goodbye, and prints what it hears after it has come back.
'use strict';

const { io } = require('socket.io-client');

const { url, transports, timeout, lose } = JSON.parse(process.argv[2]);
const options = { reconnection: Boolean(lose), reconnectionDelay: 50, forceNew: true };
if (transports) options.transports = transports;
if (timeout) options.timeout = timeout;
const socket = io(url, options);
const heard = [];
const upgraded = new Promise((resolve) => {
  socket.on('connect', () => {
    const { engine } = socket.io;
    if (engine.transport.name === 'websocket' || transports?.length === 1) resolve();
    else engine.once('upgrade', resolve);
  });
});

function report(said) {
  console.log(JSON.stringify(said));
  socket.disconnect();
}

socket.once('connect', () => {
  const first = socket.id;
  socket.on('chat message', async (...args) => {
    heard.push(args[0]);
    const { engine } = socket.io;
    if (!lose) {
      await upgraded;
      report({ heard, transport: engine.transport.name });
    } else if (heard.length === 1) {
      engine.transport.ws.terminate();
      socket.once('connect', () => {
        const { recovered } = socket;
        report({ heard, recovered, same: socket.id === first });
      });
    }
  });
  socket.emit('chat message', '你好');
});
socket.on('connect_error', (error) => {
  if (lose) return;
  const { message, description } = error;
  report({ error: message, status: typeof description === 'number' ? description : undefined });
});
