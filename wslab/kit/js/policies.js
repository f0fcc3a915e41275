// When to try again, whether to try again, and when to give up a silent peer, without sockets. The
// same in Python is in wslab/kit/backoff.py, retry.py and keepalive.py.

export const TOO_BIG = 1009; // close code

// After these close codes another attempt would end like this one (as in retry.py).
export const FINAL_CODES = {
  1002: "this page and the server do not understand each other",
  1003: "the server cannot use what this page sends",
  1007: "the server got text that is not UTF-8",
  1008: "the server does not want this page",
  [TOO_BIG]: "a message was too big",
  1010: "an extension is missing",
  3000: "not authorised",
  3003: "forbidden",
  4001: "it goes on in another window",
};
export const FINAL_STATUSES = { 401: "not authorised", 403: "forbidden", 404: "not there", 410: "gone for good" };

/** A connection's words about itself, for a person. A page in a different language has its own. */
export const PHRASES = {
  notStarted: "not started",
  byPage: "by this page",
  attempt: (number) => `attempt ${number}`,
  noAnswer: "no answer",
  noConnection: "no connection",
  noSign: "no sign of life",
  unusable: (error) => error, // about a message of the server
  closed: (code, reason) => `closed with ${code}${reason && `, ${reason}`}`,
  final: (code, reason) => `${FINAL_CODES[code]} (${code}${reason && `, ${reason}`})`,
  refused: (status) => `refused with ${status}: ${FINAL_STATUSES[status]}`,
};

/** Return how long to wait, with exponential backoff and full jitter. attempt: 0 after a loss, then 1, … */
export function delay(attempt, { first, factor, limit, quick }, random = Math.random) {
  return random() * Math.min(limit, first * factor ** Math.max(0, attempt - quick + 1));
}

/** Judges a peer by its signs of life, by the clock, because timers of a hidden tab come late. Only
 *  complete messages are signs. A script does not see arriving bytes, Pongs, or the arrival of its
 *  own messages. So `timeout` must leave time for the largest message in either direction. */
export class Watchdog {
  constructor({ interval, timeout }, now = () => performance.now()) {
    Object.assign(this, { interval, timeout, now });
    this.sign();
  }

  sign() {
    [this.lastSign, this.asked] = [this.now(), null];
  }

  /** Note that something was sent that will be answered, which is as good as a beat. */
  expect() {
    this.asked ??= this.now();
  }

  /** Ask at the next look; then wait only as long as an answer may take. */
  suspect() {
    if (this.asked === null) this.lastSign = this.now() - this.interval;
  }

  get wakeup() {
    return this.asked === null ? this.lastSign + this.interval : this.asked + this.timeout;
  }

  /** Return "beat", "dead" or null, as the time demands. If it looks late, it asks once more. */
  look() {
    const late = this.now() - this.wakeup;
    if (late < 0) return null;
    if (this.asked !== null && late < this.timeout) return "dead";
    this.asked = this.now();
    return "beat";
  }
}
