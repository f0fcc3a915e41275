// A WebSocket that comes back, and loses nothing on the way. It is `wslab/kit/client.py` for a page,
// as far as a script can do that. It cannot ping, so it asks with a message. It does not learn why a
// handshake failed. And its close() may take a minute on a dead connection.

import { Inbox, Outbox, encoded, sizeOf } from "./outbox.js";
import { FINAL_CODES, FINAL_STATUSES, PHRASES, TOO_BIG, Watchdog, delay } from "./policies.js";

const DEFAULTS = {
  backoff: { first: 1000, factor: 2, limit: 30_000, quick: 6 }, // milliseconds; quick: see delay()
  heartbeat: { interval: 20_000, timeout: 10_000 }, // milliseconds of silence, and for the answer
  openTimeout: 10_000, // for one attempt, up to `resumed`
  plainAfter: null, // milliseconds after which a server without `resumed` counts as a plain one
  stableAfter: 5000, // milliseconds that a connection must last to count as a success
  setup: () => [], // messages that go first on each connection, to set it up again
  renew: null, // called when an answer is final
  random: Math.random,
  phrases: PHRASES, // the words of `text` and of a message that was too big
};

const NOTHING_MISSED = { gap: null, arrived: [], refused: [], doubtful: [] };

/** Set its events as on a WebSocket: onstate(), onmessage(fields), onresumed(fields, {gap, arrived,
 *  doubtful}), onack(keys, fields), onrefused(key, {error, text}). error is "too_big" if the server
 *  closed with 1009.
 *  setup(resumed): returns messages that go before all others, without ids, on each connection.
 *  Settings of a connection, such as the name in a chatroom, have to be sent again.
 *  renew(code): called with a close code or status that is final, such as 4001. It returns or
 *  promises the URL to try next, perhaps with a new token, or null to give up.
 *  state: "connecting", "online", "waiting", "failed" or "closed". text: why, for a person. */
export class ReconnectingWebSocket {
  /** url: the server's. client: the secret of this life. saved: an earlier outbox. */
  constructor(url, { client = secret(), history = true, saved = null, ...options } = {}) {
    Object.assign(this, DEFAULTS, options, { url, client });
    this.inbox = new Inbox({ history });
    this.outbox = new Outbox({ saved });
    this.attempt = 0; // since the last success
    this.retryAt = null; // when the next attempt will be, by performance.now()
    [this.state, this.text] = ["closed", this.phrases.notStarted];
    this.onstate = this.onmessage = this.onresumed = this.onack = this.onrefused = () => {};
    this.wake = ({ type }) => this.look(type);
  }

  // For the page

  /** Begin, or end a wait and try at once; works also after a failure. */
  connect() {
    if (this.state === "online" || this.state === "connecting") return;
    if (this.state !== "waiting") {
      this.attempt = 0;
      for (const type of ["online", "offline"]) window.addEventListener(type, this.wake);
      document.addEventListener("visibilitychange", this.wake);
    }
    this.open();
  }

  /** Take a message, an object; return its key. It is sent when possible. */
  send(fields) {
    const key = this.outbox.add(fields);
    if (this.state === "online") this.flush();
    return key;
  }

  /** End it; no attempt is made after this. */
  close() {
    this.end("closed", this.phrases.byPage);
  }

  // One connection

  open() {
    clearTimeout(this.timer);
    this.enter("connecting", this.attempt ? this.phrases.attempt(this.attempt) : "");
    let socket;
    try {
      socket = new WebSocket(this.url);
    } catch (error) {
      return this.end("failed", error.message); // not a URL, or forbidden on this page
    }
    this.socket = socket;
    this.isPlain = this.wasOpen = false;
    this.began = null; // when it was online
    this.setupSize = 0; // bytes of the largest message that set it up
    this.timer = setTimeout(() => this.abandon(this.phrases.noAnswer), this.openTimeout);
    socket.onopen = () => {
      this.wasOpen = true;
      socket.send(JSON.stringify(this.inbox.resume(this.client, this.outbox.acked)));
      if (this.plainAfter !== null && this.inbox.epoch === null)
        this.plainTimer = setTimeout(() => this.beginPlain(), this.plainAfter);
    };
    socket.onmessage = ({ data }) => {
      try {
        this.receive(JSON.parse(data));
      } catch (error) {
        this.abandon(this.phrases.unusable(error.message), 4002);
      }
    };
    socket.onclose = ({ code, reason }) => this.closed(code, reason);
  }

  /** Leave a connection without waiting for its end, which may take the browser a minute. */
  abandon(why, code = 4000) {
    this.detach(code);
    this.lost(why);
  }

  detach(code = 1000) {
    for (const timer of [this.timer, this.plainTimer, this.watching]) clearTimeout(timer);
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null; // its later events are out of date
    socket.close(code);
  }

  async closed(code, reason) {
    const { wasOpen } = this;
    this.detach();
    const { phrases } = this;
    const key = code === TOO_BIG ? this.outbox.tooBig(this.setupSize) : null;
    if (key !== null) this.onrefused(key, { error: "too_big", text: phrases.final(code, reason) });
    else if (FINAL_CODES[code]) return this.giveUp(code, phrases.final(code, reason));
    this.lost(wasOpen ? phrases.closed(code, reason) : phrases.noConnection);
    // A script is not told why a handshake failed. Asking by HTTP costs the server too, so it is rare.
    if (!wasOpen && this.attempt % 4 === 2) {
      const attempt = this.attempt;
      const status = await httpStatus(this.url);
      if (FINAL_STATUSES[status] && this.attempt === attempt && this.state === "waiting")
        this.giveUp(status, phrases.refused(status));
    }
  }

  /** Give up, unless the application has a new URL: another attempt would end like this one. */
  async giveUp(code, text) {
    if (!this.renew) return this.end("failed", text);
    this.detach();
    this.enter("waiting", text);
    let url = null;
    try {
      url = await this.renew(code);
    } catch (error) {
      text = error.message;
    }
    if (this.state !== "waiting" || this.socket) return; // closed meanwhile, or connected
    if (!url) return this.end("failed", text);
    this.url = url;
    this.lost(text);
  }

  lost(why) {
    if (this.began !== null && performance.now() - this.began >= this.stableAfter) this.attempt = 0;
    const wait = delay(this.attempt++, this.backoff, this.random);
    this.retryAt = performance.now() + wait;
    this.timer = setTimeout(() => this.open(), wait);
    this.enter("waiting", why);
  }

  end(state, text) {
    this.detach();
    for (const type of ["online", "offline"]) window.removeEventListener(type, this.wake);
    document.removeEventListener("visibilitychange", this.wake);
    this.enter(state, text);
  }

  enter(state, text) {
    [this.state, this.text] = [state, text];
    this.onstate();
  }

  // Messages

  receive(message) {
    if (message === null || typeof message !== "object") throw new Error("the server's message is not a JSON object");
    this.watchdog?.sign();
    const { type, id, error } = message;
    if (type === "resumed") {
      const gap = this.inbox.resumed(message);
      const recovery = this.outbox.resumed(message, gap === "epoch");
      this.isPlain = false;
      this.begin(`resumed after message ${this.inbox.last}`, message, { gap, ...recovery });
    } else if (this.state !== "online" || type === "beat") {
      return; // messages before `resumed` are not part of the log
    } else if (type === "ack") {
      this.onack(this.outbox.acknowledged(id), message);
    } else if (error !== undefined && id !== undefined) {
      const keys = this.outbox.acknowledged(id);
      if (keys.length) this.onrefused(keys.at(-1), message);
    } else if (this.inbox.receive(message)) {
      this.onmessage(message);
    }
  }

  beginPlain() {
    this.isPlain = true;
    this.outbox.connected();
    this.begin("connected", {}, NOTHING_MISSED);
  }

  begin(text, message, recovery) {
    clearTimeout(this.timer);
    clearTimeout(this.plainTimer);
    this.began = performance.now();
    this.watchdog = new Watchdog(this.heartbeat);
    this.onresumed(message, recovery);
    for (const [key, why] of recovery.refused) this.onrefused(key, why);
    let texts;
    try {
      texts = Array.from(this.setup(message), encoded);
    } catch (error) {
      return this.end("failed", error.message); // it would fail again
    }
    for (const text of texts) {
      this.setupSize = Math.max(this.setupSize, sizeOf(text));
      this.socket.send(text);
    }
    this.enter("online", text);
    this.flush();
  }

  flush() {
    // A socket that is closing takes messages and drops them.
    while (this.socket.readyState === WebSocket.OPEN) {
      const text = this.outbox.take({ numbered: !this.isPlain });
      if (text === null) break;
      this.socket.send(text);
      this.watchdog.expect();
      if (this.isPlain) this.onack(this.outbox.acknowledged(this.outbox.acked + 1), { seq: null }); // nobody else will
    }
    if (!this.isPlain) this.watch();
  }

  // Signs of life

  watch() {
    clearTimeout(this.watching);
    const verdict = this.watchdog.look();
    if (verdict === "dead") return this.abandon(this.phrases.noSign);
    if (verdict === "beat") this.socket.send('{"type":"beat"}');
    const wait = Math.min(this.watchdog.wakeup - performance.now(), this.heartbeat.interval);
    this.watching = setTimeout(() => this.watch(), wait);
  }

  /** The network came or went, or somebody looks at the tab again, so do not wait for a timer. */
  look(type) {
    if (type === "visibilitychange" && document.hidden) return;
    if (this.state === "waiting" && type !== "offline") this.open();
    if (this.state === "online" && !this.isPlain) {
      this.watchdog.suspect();
      this.watch();
    }
  }
}

/** Works also on a page that came by http from elsewhere, where crypto.randomUUID is missing. */
function secret() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Return the server's status for a plain request; 0 without an answer, or at a different origin. */
async function httpStatus(url) {
  const address = url.replace(/^ws/i, "http");
  if (new URL(address).origin !== location.origin) return 0;
  try {
    return (await fetch(address, { cache: "no-store" })).status;
  } catch {
    return 0;
  }
}
