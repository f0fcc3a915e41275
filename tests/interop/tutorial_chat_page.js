// Two members that do what the tutorial's page does, with Node's `ws`: join, talk, one leaves. (The
// tutorial is the Chinese article on WebSocket that the course started from.)
// It knows two fields and parses every message as JSON text. Prints what each of them has seen.
//
//     node tutorial_chat_page.js URL

"use strict";

const WebSocket = require("ws");

// The page's life: connect, say the name on open, list whatever comes.
function page(url, name) {
  const chatList = [];
  const waiting = [];
  const ws = new WebSocket(url);
  ws.on("open", () => ws.send(JSON.stringify({ text: name, type: "setName" })));
  ws.on("message", (data, isBinary) => {
    if (isBinary) throw new Error("JSON.parse of a Blob would throw in the page");
    const { name, text } = JSON.parse(data.toString());
    chatList.push([name ?? null, text]);
    waiting.filter((one) => one.text === text).forEach((one) => one.resolve());
  });
  ws.on("error", (error) => {
    throw error;
  });
  return {
    chatList,
    say: (text) => ws.send(JSON.stringify({ text, type: "chat" })),
    leave: () => ws.close(1001),
    heard: (text) =>
      new Promise((resolve) => {
        if (chatList.some((one) => one[1] === text)) resolve();
        else waiting.push({ text, resolve });
      }),
  };
}

async function main(url, [joined, left]) {
  const ming = page(url, "小明");
  await ming.heard("小明" + joined);
  const hong = page(url, "小红");
  await Promise.all([ming, hong].map((one) => one.heard("小红" + joined)));
  ming.say("你好");
  await hong.heard("你好");
  hong.say("<b>再见</b>");
  await ming.heard("<b>再见</b>");
  hong.leave();
  await ming.heard("小红" + left);
  console.log(JSON.stringify({ ming: ming.chatList, hong: hong.chatList }));
  process.exit(0);
}

main(process.argv[2], JSON.parse(process.argv[3]));
