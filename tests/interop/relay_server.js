// A server on Node's ws that sends each message to everybody as it is, for benchmarks/chat.py.
// It prints its URL.
//
//     node relay_server.js [port]

"use strict";

const { WebSocketServer } = require("ws");

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2] || 0) });

server.on("connection", (member) => {
  member.on("message", (data, binary) => {
    for (const other of server.clients) other.send(data, { binary });
  });
  member.on("error", () => {});
});

server.on("listening", () => console.log(`ws://127.0.0.1:${server.address().port}/`));
