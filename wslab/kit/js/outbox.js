// The client's side of resume, with the messages that it has got and those that it must keep.
// Values without sockets and clock. wslab/kit/resume.py specifies the messages. wslab/kit/outbox.py
// is the same in Python, and tests/kit/twins.json holds for both.

const WINDOW = 1000; // messages that may be on the way, because a server remembers no more answers
const NESTING = 500; // levels that a server reads

/** A message of the server got lost on the way; connect and resume again. */
export class SequenceGap extends Error {}

const isNumber = (value, least = 0) => Number.isSafeInteger(value) && value >= least;

function check(holds, what) {
  if (!holds) throw new Error(`the server said something impossible: ${what}`);
}

export const sizeOf = (text) => new TextEncoder().encode(text).length; // bytes

/** Return a message as JSON that any server can read; an Error says what is wrong with it. */
export function encoded(fields) {
  const levels = new Map(); // of the objects and lists
  const text = JSON.stringify(fields, function (name, value) {
    const level = (levels.get(this) ?? 0) + 1;
    if (Object(value) === value) levels.set(value, level);
    if (levels.get(value) > NESTING) throw new Error(`a message has more than ${NESTING} levels of lists and objects`);
    if (typeof value === "number" && !Number.isFinite(value)) throw new Error(`${name} is ${value}, which JSON does not have`);
    if ([name, value].some((one) => typeof one === "string" && /\p{Surrogate}/u.test(one)))
      throw new Error("a text has half of a surrogate pair, which UTF-8 does not have");
    return value;
  });
  if (!text?.startsWith("{")) throw new Error("a message is an object");
  if ("id" in fields) throw new Error("a message gets its id from the outbox");
  return text;
}

/** How far the client has got with the server's messages. */
export class Inbox {
  /** history: true if a newcomer wants all messages that the server still has, not only new ones. */
  constructor({ history = true } = {}) {
    this.epoch = null; // of the server's log
    this.last = history ? 0 : null; // the newest number it has
  }

  /** Return the message to open with. client: the secret of this life; acked: the outbox's. */
  resume(client, acked) {
    return { type: "resume", epoch: this.epoch, after: this.last, client, acked };
  }

  /** Go on where the server does; return null, the number of lost messages, or "epoch". */
  resumed({ epoch, after, gap = null }) {
    check(typeof epoch === "string" && isNumber(after), `resumed after ${after}`);
    check(gap === null || gap === "epoch" || isNumber(gap), `gap ${gap}`);
    if (this.epoch !== null && gap === null && this.last !== null) {
      gap = after - this.last;
      after = Math.max(after, this.last); // messages that come again are dropped
    }
    [this.epoch, this.last] = [epoch, after];
    return gap === "epoch" || gap > 0 ? gap : null;
  }

  /** Tell whether a message is new; one without a number always is. */
  receive({ seq = null }) {
    if (seq === null) return true;
    check(isNumber(seq, 1) && this.last !== null, `seq ${seq}`);
    if (seq > this.last + 1) throw new SequenceGap(`message ${seq} came after ${this.last}`);
    if (seq <= this.last) return false;
    this.last = seq;
    return true;
  }
}

/** The client's messages that are not yet sent, or not yet answered by the server. */
export class Outbox {
  /** saved: the value that an earlier outbox's `save` returned. */
  constructor({ saved = null } = {}) {
    this.limit = WINDOW; // how many messages it holds
    this.acked = saved?.acked ?? 0; // the highest id that was answered; the next one comes first
    this.held = [...(saved?.held ?? [])]; // {key, text}, in order; text: JSON without the id
    this.added = saved?.added ?? 0; // keys that were given out
    this.tried = saved?.tried ?? 0; // how many of those held were sent, on any connection
    this.sent = 0; // … on this one
  }

  save() {
    const { acked, held, added, tried } = this;
    return { acked, held: [...held], added, tried };
  }

  /** The keys of the messages that it holds. */
  get keys() {
    return this.held.map(({ key }) => key);
  }

  /** Take a message to send; return its key, which stays the same whatever its id will be. */
  add(fields) {
    if (this.held.length >= this.limit) throw Object.assign(new Error(`${this.limit} messages wait to be sent: try later`), { name: "OutboxFull" });
    this.held.push({ key: this.added + 1, text: encoded(fields) });
    return ++this.added;
  }

  /** Start on a new connection: nothing was sent on it. */
  connected() {
    this.sent = 0;
  }

  /** Return the next message to send, null if there is none; from now on it counts as sent. */
  take({ numbered = true } = {}) {
    if (this.sent === this.held.length) return null;
    const { text } = this.held[this.sent++];
    this.tried = Math.max(this.tried, this.sent);
    return numbered ? `${text.slice(0, -1)}${text === "{}" ? "" : ","}"id":${this.acked + this.sent}}` : text;
  }

  /** Return the keys that an id answers, by acknowledgement or refusal. */
  acknowledged(id) {
    check(isNumber(id, 1) && id <= this.acked + this.sent, `an answer to message ${id}, which was not sent`);
    return this.drop(Math.max(0, id - this.acked)).map(([, key]) => key);
  }

  /** Start on a new connection, on which `take` repeats the unanswered messages. Returns the keys of
   *  those that had arrived, [key, {error, text}] for those that were refused, and the keys of those
   *  that may take effect twice, because the server has forgotten this client. */
  resumed({ seen, refused = [] }, isNewEpoch) {
    check(isNumber(seen), `seen ${seen}`);
    check(Array.isArray(refused) && refused.every((each) => isNumber(each?.id, 1)), "refused without ids");
    this.connected();
    const count = seen - this.acked;
    if (isNewEpoch || count < 0 || count > this.tried) {
      this.acked = seen;
      return { arrived: [], refused: [], doubtful: this.keys.slice(0, this.tried) };
    }
    const reasons = new Map(refused.map(({ id, error = "", text = "" }) => [id, { error, text }]));
    const dropped = this.drop(count);
    return {
      arrived: dropped.filter(([id]) => !reasons.has(id)).map(([, key]) => key),
      refused: dropped.filter(([id]) => reasons.has(id)).map(([id, key]) => [key, reasons.get(id)]),
      doubtful: [],
    };
  }

  /** The server has closed with 1009. Give up the largest message that was sent on this connection,
   *  which exceeds its limit in any case; return its key, or null. other: bytes of the largest
   *  message that was sent beside these. If that is the largest, none is given up. */
  tooBig(other = 0) {
    const sizes = this.held.slice(0, this.sent).map(({ text }) => sizeOf(text));
    if (!sizes.length || Math.max(...sizes) < other) return null;
    [this.sent, this.tried] = [this.sent - 1, this.tried - 1];
    return this.held.splice(sizes.indexOf(Math.max(...sizes)), 1)[0].key;
  }

  drop(count) {
    const dropped = this.held.splice(0, count).map(({ key }) => [++this.acked, key]);
    [this.sent, this.tried] = [Math.max(0, this.sent - dropped.length), this.tried - dropped.length];
    return dropped;
  }
}
