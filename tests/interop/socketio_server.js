// The chat on npm's socket.io, for tests/interop: prints its URL and runs until its stdin ends.
//
//     node socketio_server.js '{"recovery": true}'
//
// "chat message" goes to all as 说：…; "echo" is acknowledged with its own arguments, bytes included;
// "shout" goes to all but the sender. With recovery, lost sessions are kept.
'use strict';

const http = require('http').createServer();
const { Server } = require('socket.io');

const { recovery } = JSON.parse(process.argv[2]);
const io = new Server(http, recovery ? { connectionStateRecovery: {} } : {});

io.on('connection', (socket) => {
  socket.on('chat message', (text) => io.emit('chat message', `说：${text}`));
  socket.on('shout', (text) => socket.broadcast.emit('shout', text));
  socket.on('echo', (...args) => args.pop()(...args));
});
io.of('/admin').on('connection', (socket) => socket.emit('welcome', socket.nsp.name));

http.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${http.address().port}/`));
process.stdin.on('end', () => process.exit()).resume();
