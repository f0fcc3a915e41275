// The server of the tutorial (the Chinese article on WebSocket that the course started from) for its
// heartbeat page, on `ws`: any message is answered with the same sentence, and that is all.
// Prints its URL; runs until its stdin ends.
'use strict';

const { WebSocketServer } = require('ws');

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2] || 0) });

server.on('connection', (ws) => {
  ws.on('message', () => ws.send('我是服务端，已收到信息'));
  ws.on('error', (error) => console.error(error.message));
});
server.on('listening', () => console.log(`ws://127.0.0.1:${server.address().port}/`));

process.stdin.on('end', () => process.exit()).resume();
