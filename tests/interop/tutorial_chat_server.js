// The chat server of the tutorial (the Chinese article on WebSocket that the course started from), as
// it behaves: every connection hears everything, the sender included; nothing is checked. Written
// anew; it prints its URL.
//
//     node tutorial_chat_server.js [port]

"use strict";

const { WebSocketServer } = require("ws");

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2] || 0) });

function toAll(message) {
  const text = JSON.stringify(message);
  for (const member of server.clients) member.send(text);
}

server.on("connection", (member) => {
  member.on("message", (data) => {
    const message = JSON.parse(data.toString()); // throws for what is no JSON, and ends the server
    if (message.type === "setName") {
      member.nickname = message.text;
      toAll({ name: "Server", text: message.text + "加入了房间" });
    } else if (message.type === "chat") {
      toAll({ name: member.nickname, text: message.text });
    }
  });
  member.on("close", () => toAll({ name: "Server", text: member.nickname + "离开了房间" }));
  member.on("error", () => {});
});

server.on("listening", () => console.log(`ws://127.0.0.1:${server.address().port}/`));
