// One member of a chatroom, without anything to be seen: what was said, who is here, what waits to
// be sent. chat_view.js draws it; the page and the notebook's widget have one each.

import { PHRASES } from "./policies.js";
import { ReconnectingWebSocket } from "./reconnecting.js";
import { WORDS } from "./words.js";

const LINES = 1000; // kept
// Code units of a text; six bytes each at most as JSON, so the server still reads it, and refuses it
// with a sentence. With a longer one it would close the connection.
const SENDABLE = 40_000;
const PLAIN_AFTER = 2000; // milliseconds; the server of the tutorial does not know how to resume

export class Chat {
  /** url: of the room. language: a key of WORDS. saved: what `save` of an earlier one returned.
   *  options: of the connection. */
  constructor(url, { language = "en", saved = null, options = {} } = {}) {
    this.language = language;
    this.words = WORDS[language];
    this.lines = []; // {kind, name, text, time, mine}; kind: "chat", "notice" or "gap"
    this.forgotten = 0; // lines before them
    this.members = null; // names, in the order in which they came; null: the server does not say
    this.room = "";
    this.name = saved?.name ?? null; // what the room knows this member by
    this.naming = saved?.naming ?? null; // {key, text}: a name that the server has not confirmed yet
    this.waiting = saved?.waiting ?? []; // {key, text, state}; state: "sending" or "unnamed"
    this.problem = ""; // what to show beside the form
    this.drafts = { name: "", text: "" }; // what was refused, for its field to have it again
    this.views = new Set(); // functions that draw
    this.heardNotice = null; // the last one, with its number
    this.connection = new ReconnectingWebSocket(url, {
      plainAfter: PLAIN_AFTER,
      phrases: { ...PHRASES, ...this.words.connection },
      ...options,
      ...(saved && { client: saved.client, saved: saved.outbox }),
    });
    this.connection.setup = ({ you }) => this.setup(you);
    this.connection.onstate = () => this.changed();
    this.connection.onmessage = (message) => this.hear(message);
    this.connection.onresumed = (message, recovery) => this.resumed(message, recovery);
    this.connection.onack = (keys, message) => this.acknowledged(keys, message);
    this.connection.onrefused = (key, message) => this.refused(key, message);
  }

  /** Return what a page needs that is loaded again, to go on as the same member. */
  save() {
    const { name, naming, waiting, connection } = this;
    return { name, naming, waiting, client: connection.client, outbox: connection.outbox.save() };
  }

  get isNamed() {
    return this.name !== null;
  }

  get isWaitingForName() {
    return this.naming !== null;
  }

  // What a person does

  join(name) {
    if (!this.mayJoin) return;
    this.setName(name);
    this.connection.connect(); // a room on a network puts out those who give no name
  }

  /** Whether a name can be given now: it goes out at once, or with the first message after a failure. */
  get mayJoin() {
    return ["online", "failed"].includes(this.connection.state) && !this.isWaitingForName;
  }

  say(text) {
    return this.attempt(() => {
      this.checkSize(text);
      const key = this.connection.send({ type: "chat", text });
      // Without resume nobody acknowledges it, so it does not wait.
      if (this.connection.outbox.keys.includes(key)) this.waiting.push({ key, text, state: "sending" });
    });
  }

  setName(text) {
    this.attempt(() => {
      this.checkSize(text);
      const { naming } = this;
      this.naming = { key: null, text };
      try {
        const key = this.connection.send({ type: "setName", text });
        if (this.naming) this.naming.key = key; // without resume it has been acknowledged already
      } catch (error) {
        this.naming = naming; // it was not sent
        throw error;
      }
    });
  }

  attempt(action) {
    this.problem = "";
    try {
      action();
    } catch (error) {
      this.problem = error.name === "OutboxFull" ? this.words.tooMany : error.message;
    }
    this.changed();
    return !this.problem;
  }

  checkSize({ length }) {
    if (length > SENDABLE) throw new Error(this.words.tooLong(length, SENDABLE));
  }

  // What the server says

  resumed({ room, members, you, last }, { gap, arrived, doubtful }) {
    this.room = String(room ?? "");
    if (Array.isArray(members)) [this.members, this.membersAt] = [members.map(String), last];
    if (gap === "epoch") this.note("gap", this.words.forgotten);
    else if (gap) this.note("gap", this.words.missing(gap));
    if (doubtful.length) this.note("gap", this.words.doubtful);
    this.acknowledged(arrived, { seq: null });
    if (typeof you === "string") this.name = you;
  }

  /** The room let this name go with the connection. Without it, what waits would have no name. */
  setup(you) {
    return this.name === null || this.name === you ? [] : [{ type: "setName", text: this.name }];
  }

  hear({ name, text, error, seq, time, kind, who, was }) {
    if (error !== undefined) {
      // The answer to `setup`: somebody else took the name while the connection was lost.
      if (String(error).endsWith("_name")) [this.drafts.name, this.name] = [this.name, null];
      return this.complain(String(text));
    }
    const line = { name: String(name ?? "?"), text: typeof text === "string" ? text : JSON.stringify(text) ?? "", time, names: [] };
    if (kind === undefined) kind = name === "Server" ? "notice" : "chat";
    if (kind !== "chat") {
      this.heardNotice = { seq, who: String(who) };
      if (this.members && seq > this.membersAt) this.count(kind, who, was);
      line.names = [was, who].filter((one) => typeof one === "string");
      kind = "notice";
    }
    this.note(kind, line.text, { ...line, mine: kind === "chat" && line.name === this.name });
  }

  count(kind, who, was) {
    if (kind === "join") this.members = [...this.members.filter((name) => name !== who), String(who)];
    if (kind === "leave") this.members = this.members.filter((name) => name !== who);
    if (kind === "rename") this.members = this.members.map((name) => (name === was ? String(who) : name));
  }

  acknowledged(keys, { seq }) {
    if (this.naming && (keys.includes(this.naming.key) || this.naming.key === null)) {
      const { text } = this.naming;
      // The room tidies names; how it spells this one is in the notice that came just before.
      this.name = seq !== null && this.heardNotice?.seq === seq ? this.heardNotice.who : text.normalize("NFC").trim().replace(/\s+/g, " ");
      this.naming = null;
      for (const line of this.lines) line.mine = line.kind === "chat" && line.name === this.name;
      this.sayAgain();
    }
    this.waiting = this.waiting.filter(({ key }) => !keys.includes(key));
    this.changed();
  }

  /** What was refused because there was no name, and now there is one. */
  sayAgain() {
    for (const one of this.waiting.filter(({ state }) => state === "unnamed")) {
      one.key = this.connection.send({ type: "chat", text: one.text });
      one.state = "sending";
    }
  }

  refused(key, { text, error }) {
    if (key === this.naming?.key) {
      const renaming = this.members?.includes(this.name) && this.naming.text !== this.name;
      this.drafts.name = this.naming.text;
      this.naming = null;
      if (!renaming) this.name = null;
      return this.complain(String(text));
    }
    const one = this.waiting.find((one) => one.key === key);
    if (one && error === "no_name") {
      one.state = "unnamed";
    } else if (one) {
      this.waiting = this.waiting.filter((other) => other !== one);
      this.drafts.text = one.text;
    }
    this.complain(String(text));
  }

  complain(text) {
    this.problem = text;
    this.changed();
  }

  note(kind, text, more = {}) {
    this.lines.push({ kind, name: "", mine: false, ...more, text });
    if (this.lines.length > LINES) this.forgotten += this.lines.splice(0, this.lines.length - LINES).length;
    this.changed();
  }

  /** Draw soon, once, whatever else happens in this turn. */
  changed() {
    this.drawing ??= setTimeout(() => {
      this.drawing = null;
      for (const draw of this.views) draw();
    });
  }
}
