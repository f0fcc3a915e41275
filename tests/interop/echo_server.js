// An echo server on `ws`, for tests/interop: prints its URL and runs until its stdin ends.
//
//     node echo_server.js '{"deflate": true}'
//
// A text message "close CODE REASON" is not sent back: the server closes with that instead.
'use strict';

const { WebSocketServer } = require('ws');

const { deflate } = JSON.parse(process.argv[2]);
const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  maxPayload: 32 * 1024 * 1024,
  perMessageDeflate: deflate && { threshold: 0 },
});

server.on('connection', (ws) => {
  ws.on('message', (data, isBinary) => {
    const [word, code, reason] = isBinary ? [] : data.toString().split(' ');
    if (word === 'close') ws.close(Number(code), reason);
    else ws.send(data, { binary: isBinary });
  });
  ws.on('error', (error) => console.error(error.message));
});
server.on('listening', () => console.log(`ws://127.0.0.1:${server.address().port}/`));

process.stdin.on('end', () => process.exit()).resume();
