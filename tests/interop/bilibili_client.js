// A client on npm's bilibili-live-ws, for tests/interop.
//
//     node bilibili_client.js '{"address": "ws://127.0.0.1:PORT/sub", "protover": 2, "comments": 3}'
//
// Joins room 42. Prints one line of JSON when it is live, for the number of viewers, and for each
// comment; it ends itself when it has both the number and so many comments.

const { LiveWS } = require("bilibili-live-ws");

const { comments, ...options } = JSON.parse(process.argv[2]);
const live = new LiveWS(42, options);
let left = comments, viewers = null;

const say = (event, value) => console.log(JSON.stringify([event, value]));
const end = () => {
  if (left <= 0 && viewers !== null) live.close();
};

live.on("live", () => say("live", live.roomid));
live.on("heartbeat", (online) => {
  say("viewers", (viewers = online));
  end();
});
live.on("DANMU_MSG", ({ info }) => {
  if (left-- > 0) say("comment", info[1]);
  end();
});
live.on("error", () => say("error", null));
live.on("close", () => process.exit(0));
