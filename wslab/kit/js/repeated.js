// One WebSocket after the other, for a page whose server tells everything anew on each connection.
//
// Where messages have numbers and nothing may be lost, use `reconnecting.js`.

import { PHRASES, delay } from "./policies.js";

const PAUSES = { first: 500, factor: 2, limit: 10_000, quick: 2 }; // milliseconds between attempts
const OPEN_TIMEOUT = 10_000; // milliseconds for one attempt; a browser alone would wait for minutes

/** A connection that is made again until `close()`. url: of the server, with a slash at its end.
 *  A subclass has an `address`, gets each message in `receive(data)`, and may add to `opened()`.
 *  state: for people. onchange(): called when it has changed. */
export class RepeatedConnection {
  constructor(url) {
    Object.assign(this, { url, attempt: 0, state: "", socket: null });
    this.onchange = () => {};
  }

  connect() {
    this.close();
    const socket = (this.socket = new WebSocket(this.address));
    socket.binaryType = "arraybuffer";
    this.enter("connecting");
    let why = PHRASES.noConnection; // a script is not told the reason
    this.timer = setTimeout(() => this.lost(PHRASES.noAnswer), OPEN_TIMEOUT);
    socket.onopen = () => {
      clearTimeout(this.timer);
      why = null;
      this.opened();
    };
    socket.onmessage = ({ data }) => {
      this.attempt = 0; // the server is there, and talks to us
      this.receive(data);
    };
    socket.onclose = ({ code, reason }) => this.lost(why ?? PHRASES.closed(code, reason));
  }

  lost(why) {
    this.close();
    const pause = delay(this.attempt++, PAUSES);
    this.timer = setTimeout(() => this.connect(), pause);
    this.enter(`${why}, next attempt in ${(pause / 1000).toFixed(1)} s`);
  }

  opened() {
    this.enter("connected");
  }

  /** Send a message as JSON, unless there is no connection. */
  tell(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  close() {
    clearTimeout(this.timer);
    if (!this.socket) return;
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
    this.socket = null;
  }

  enter(state) {
    this.state = state;
    this.onchange();
  }
}
