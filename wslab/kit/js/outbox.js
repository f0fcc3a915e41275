// The client's side of resume: what it has got, and what it does not know to have arrived.
// Values without sockets and clock; the messages are specified in wslab/kit/resume.py, and
// wslab/kit/outbox.py is the same in Python.

/** A message of the server is missing on the way: connect and resume again. */
export class SequenceGap extends Error {}

const isNumber = (value, least = 0) => Number.isSafeInteger(value) && value >= least;

function check(holds, what) {
  if (!holds) throw new Error(`the server said what cannot be: ${what}`);
}

/** How far the client has got with the server's messages. */
export class Inbox {
  /** history: whether a newcomer wants all that the server still has, or only what is new. */
  constructor({ history = true } = {}) {
    this.epoch = null; // of the server's log
    this.last = history ? 0 : null; // the newest number it has
  }

  resume(client) {
    return { type: "resume", epoch: this.epoch, after: this.last, client };
  }

  /** Go on where the server does; return what is lost in between: null, a number, or "epoch". */
  resumed({ epoch, after, gap }) {
    check(typeof epoch === "string" && isNumber(after), `resumed after ${after}`);
    check(gap === null || gap === "epoch" || isNumber(gap), `gap ${gap}`);
    if (this.epoch !== null && epoch !== this.epoch) gap = "epoch";
    else if (this.epoch !== null && gap === null && this.last !== null) {
      gap = after - this.last;
      after = Math.max(after, this.last); // what comes again is dropped
    }
    [this.epoch, this.last] = [epoch, after];
    return gap === "epoch" || gap > 0 ? gap : null;
  }

  /** Tell whether a message is new; one without a number always is. */
  receive({ seq }) {
    if (seq === undefined) return true;
    check(isNumber(seq, 1) && this.last !== null, `seq ${seq}`);
    if (seq > this.last + 1) throw new SequenceGap(`message ${seq} came after ${this.last}`);
    if (seq <= this.last) return false;
    this.last = seq;
    return true;
  }
}

/** What the client has sent, or is about to, and does not know to have taken effect. */
export class Outbox {
  /** limit: how many messages it holds. saved: what `save` of an earlier one returned. */
  constructor({ limit = 1000, saved = null } = {}) {
    this.limit = limit;
    this.settled = saved?.settled ?? 0; // the last id that is settled; the next one comes first
    this.held = saved?.held ?? []; // {key, fields}, in order
    this.keys = saved?.keys ?? 0; // given out so far
    this.tried = saved?.tried ?? 0; // how many of those held were sent, on any connection
    this.sent = 0; // … on this one
  }

  save() {
    const { settled, held, keys, tried } = this;
    return { settled, held, keys, tried };
  }

  /** Tell whether a message is still waiting to be acknowledged. */
  holds(key) {
    return this.held.some((one) => one.key === key);
  }

  /** Take a message to send; return its key, which stays the same whatever its id will be. */
  add(fields) {
    if (this.held.length >= this.limit) throw new Error(`${this.limit} messages wait to be sent: try later`);
    this.held.push({ key: ++this.keys, fields });
    return this.keys;
  }

  /** Take a message that goes before all others; only after `resumed`, before anything is sent. */
  addFirst(fields) {
    this.held.unshift({ key: ++this.keys, fields });
    if (this.tried) this.tried++;
    return this.keys;
  }

  /** Return what is to be sent now, in order; from now on it counts as sent. */
  take() {
    const first = this.settled + this.sent + 1;
    const messages = this.held.slice(this.sent).map(({ fields }, i) => ({ ...fields, id: first + i }));
    this.sent = this.held.length;
    this.tried = Math.max(this.tried, this.sent);
    return messages;
  }

  /** Return the keys of what is settled with an id, by acknowledgement or refusal. */
  acknowledged(id) {
    check(isNumber(id, 1) && id <= this.settled + this.sent, `an answer to message ${id}, which was not sent`);
    return this.drop(Math.max(0, id - this.settled));
  }

  /** Start on a new connection: `take` gives again what the server has not seen. Returns the keys
   *  of what had arrived, and of what may take effect twice: the server has forgotten this client. */
  resumed(seen, isNewEpoch) {
    check(isNumber(seen), `seen ${seen}`);
    this.sent = 0;
    const count = seen - this.settled;
    if (!isNewEpoch && count >= 0 && count <= this.tried) return { arrived: this.drop(count), doubtful: [] };
    this.settled = seen;
    return { arrived: [], doubtful: this.held.slice(0, this.tried).map(({ key }) => key) };
  }

  drop(count) {
    this.settled += count;
    [this.sent, this.tried] = [Math.max(0, this.sent - count), this.tried - count];
    return this.held.splice(0, count).map(({ key }) => key);
  }
}
