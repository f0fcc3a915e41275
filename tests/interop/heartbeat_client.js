// The heartbeat page of the tutorial (the Chinese article on WebSocket that the course started from)
// for Node: both variants of its heartCheck. The time between beats is divided by 100.
// Prints as JSON what happened in its first BEATS answers; then it closes.
//
//     node heartbeat_client.js URL VARIANT
'use strict';

const WebSocket = require('ws');

const BEATS = 5;
const TIMEOUT = 30;
const SERVER_TIMEOUT = 5000; // as in the page, because a busy machine answers late

const [url, variant] = process.argv.slice(2);
const seen = { answers: [], pings: 0, gaveUp: false };
const ws = new WebSocket(url);

const heartCheck = {
  timer: null,
  serverTimer: null,
  start() {
    clearTimeout(this.timer);
    clearTimeout(this.serverTimer);
    let left = 3;
    this.timer = setTimeout(() => {
      ws.send('123456789');
      if (variant === '1') {
        left -= 1;
        if (left === 0) this.giveUp();
      } else {
        this.serverTimer = setTimeout(() => this.giveUp(), SERVER_TIMEOUT);
      }
    }, TIMEOUT);
  },
  giveUp() {
    seen.gaveUp = true;
    ws.close();
  },
};

ws.on('open', () => heartCheck.start());
ws.on('ping', () => (seen.pings += 1));
ws.on('message', (data, isBinary) => {
  seen.answers.push(isBinary ? null : data.toString());
  if (seen.answers.length < BEATS) return heartCheck.start();
  clearTimeout(heartCheck.timer);
  clearTimeout(heartCheck.serverTimer);
  ws.close();
});
ws.on('close', (code) => console.log(JSON.stringify({ ...seen, code })));
