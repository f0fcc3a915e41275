// A chatroom to be seen and used. Every text is set as text, never as HTML: `el` is in dom.js, which
// the page loads and the widget has pasted before this. Whatever is said may be hostile.

const LOOKS = { connecting: "busy", online: "good", waiting: "busy", closed: "off", failed: "bad" }; // of the lamp

/** Draw a chat into an element; returns what ends it. */
export function renderChat(chat, root) {
  const status = el("span", { role: "status" });
  const wait = el("span", { "aria-hidden": "true" }); // a screen reader must not count along
  const { words } = chat;
  const retry = el("button", { type: "button" }, words.connectNow);
  const members = el("ul", {});
  const here = el("summary", {});
  const panel = el("details", { class: "chat-members" }, here, members);
  const [box, log] = logBox(words.log, { "aria-live": "polite", class: "chat-log" });
  const waiting = el("ul", { class: "chat-waiting", "aria-label": words.undelivered });
  const scroller = el("div", { class: "chat-scroll" }, box, waiting);
  const down = el("button", { type: "button", class: "chat-down" });
  const problem = el("p", { class: "chat-problem", role: "alert" });
  const name = el("input", { autocomplete: "nickname", maxlength: "100", enterkeyhint: "go", dir: "auto" });
  const joinButton = el("button", { type: "submit" }, words.join);
  const text = el("textarea", { rows: "1", autocomplete: "off", enterkeyhint: "send", dir: "auto", placeholder: words.hint });
  const rename = el("button", { type: "button", class: "chat-rename" });
  const joining = form(join, el("label", {}, el("span", {}, words.yourName), name), joinButton);
  const saying = form(
    say,
    el("label", {}, el("span", {}, words.message), text),
    el("button", { type: "submit" }, words.send),
    rename,
  );

  function join() {
    chat.join(name.value);
    isAsking = true; // the form stays until the answer has come
    hadFocus = true;
  }
  function say() {
    if (!text.value.trim()) return;
    if (chat.say(text.value)) text.value = "";
    fit();
    hadFocus = true;
    scrollDown();
  }

  let drawn = 0; // lines, those that are forgotten included
  let unread = 0;
  let isRenaming = false;
  let isAsking = false; // whether a name was given that the room has not answered yet
  let hadFocus = false; // whether a person was in a form, and goes on in the next one
  let wasNamed = null;

  function draw() {
    drawState();
    drawMembers();
    drawLines();
    drawForms();
  }

  function drawState() {
    const { state, text: why } = chat.connection;
    light(status, LOOKS[state], state === "failed" ? words.failed(why) : words.states[state]);
    retry.hidden = !["waiting", "failed", "closed"].includes(state);
    count();
  }

  function count() {
    const { state, text: why, retryAt } = chat.connection;
    const seconds = Math.max(0, Math.ceil((retryAt - performance.now()) / 1000));
    setText(wait, state === "waiting" ? words.soon(seconds, why) : "");
  }

  function drawMembers() {
    panel.hidden = chat.members === null;
    const names = chat.members ?? [];
    setText(here, words[chat.connection.state === "online" ? "hereNow" : "hereBefore"](names.length));
    const shown = [...members.children].map((item) => item.dataset.name);
    if (names.length === shown.length && names.every((one, i) => one === shown[i])) return;
    members.replaceChildren(...names.map((one) => el("li", { "data-name": one }, el("bdi", {}, one))));
  }

  function drawLines() {
    const isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 30;
    const fresh = chat.lines.slice(Math.max(0, drawn - chat.forgotten));
    const isFirst = drawn === 0;
    drawn = chat.forgotten + chat.lines.length;
    const said = fresh.filter(({ kind, mine }) => kind === "chat" && !mine).length;
    if (!isAtEnd && !isFirst && said && !unread) {
      log.querySelector(".chat-new")?.remove();
      log.append(el("li", { class: "chat-new" }, words.fresh));
    }
    log.append(...fresh.map((line) => lineItem(line, chat.language)));
    for (const item of [...log.children].slice(0, Math.max(0, log.children.length - chat.lines.length - 1))) item.remove();
    const isOnline = chat.connection.state === "online";
    waiting.replaceChildren(...chat.waiting.map((one) => waitingItem(one, isOnline, words)));
    if (isAtEnd || isFirst) scrollDown();
    else if (said) unread += said;
    drawDown();
  }

  function scrollDown() {
    scroller.scrollTop = scroller.scrollHeight;
  }

  function drawDown() {
    down.hidden = !unread;
    setText(down, words.unread(unread));
  }

  function drawForms() {
    const { isNamed, drafts } = chat;
    if (isAsking && !chat.isWaitingForName) {
      isAsking = false;
      if (!drafts.name) isRenaming = false;
    }
    const online = chat.connection.state === "online";
    const showsName = !isNamed || isRenaming;
    joining.hidden = !showsName;
    saying.hidden = !isNamed || isRenaming;
    joinButton.disabled = !chat.mayJoin;
    setText(joinButton, isRenaming ? words.rename : words.join);
    rename.replaceChildren(words.youAre[0], el("bdi", {}, chat.name ?? ""), words.youAre[1]);
    rename.disabled = !online;
    giveBack(name, "name");
    giveBack(text, "text");
    setText(problem, chat.problem);
    if (wasNamed !== showsName && hadFocus) (showsName ? name : text).focus();
    wasNamed = showsName;
  }

  /** What was refused can be corrected; nothing that was typed since is lost for it. */
  function giveBack(field, kind) {
    if (!field.value) field.value = chat.drafts[kind];
    chat.drafts[kind] = "";
    if (field === text) fit();
  }

  /** The field is as high as the lines in it, within reason. */
  function fit() {
    text.rows = Math.min(6, text.value.split("\n").length);
  }

  retry.addEventListener("click", () => chat.connection.connect());
  down.addEventListener("click", () => (scrollDown(), text.focus()));
  rename.addEventListener("click", () => {
    [isRenaming, hadFocus] = [true, true];
    name.value = chat.name;
    draw();
  });
  text.addEventListener("input", fit);
  name.addEventListener("keydown", ({ key }) => {
    if (key === "Escape" && isRenaming) draw((isRenaming = isAsking = false));
  });
  scroller.addEventListener("scroll", () => {
    if (scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 30) unread = 0;
    drawDown();
  });

  root.append(
    el("section", { class: "chat", "aria-label": words.chatroom },
      el("div", { class: "chat-state" }, status, " ", wait, " ", retry),
      panel,
      scroller,
      down,
      problem,
      joining,
      saying,
    ),
  );
  panel.open = root.clientWidth > 700;
  chat.views.add(draw);
  const counting = setInterval(count, 250);
  draw();
  return () => {
    chat.views.delete(draw);
    clearInterval(counting);
  };
}

/** A form; in a notebook JupyterLab hears Enter before it does, so it listens to the key itself. */
function form(action, ...children) {
  const act = (event) => {
    event.preventDefault();
    if (!event.currentTarget.querySelector("[type=submit]").disabled) action();
  };
  const onkeydown = (event) => {
    // Not the Enter that ends the writing of 你好; Safari says so by its old code.
    if (event.key !== "Enter" || event.isComposing || event.keyCode === 229) return;
    if (event.target.matches("input, textarea") && !event.shiftKey) act(event);
  };
  return el("form", { onsubmit: act, onkeydown }, ...children);
}

function lineItem({ kind, name, names, text, time, mine }, language) {
  const content = kind === "chat" ? [el("b", {}, el("bdi", {}, name)), " "] : [];
  const when = time && new Date(time * 1000);
  if (when && !isNaN(when)) {
    content.push(el("time", { datetime: when.toISOString() }, clock(when, language)), " ");
  }
  content.push(kind === "chat" ? said(text) : el("span", { class: "chat-text" }, ...isolated(text, names ?? [])));
  return el("li", { class: `chat-${kind}${mine ? " chat-mine" : ""}` }, ...content);
}

/** The time of day, and the day if it is not today: as this person's browser writes the language. */
function clock(when, language) {
  const locale = navigator.languages.find((one) => one.split("-")[0] === language) ?? language;
  const day = when.toDateString() === new Date().toDateString() ? {} : { month: "short", day: "numeric" };
  return when.toLocaleString(locale, { ...day, hour: "2-digit", minute: "2-digit" });
}

function said(text) {
  return el("span", { class: "chat-text", dir: "auto" }, text);
}

/** A notice, with the names in it on their own: one that is written from right to left turns nothing
 *  else around. names: in the order in which they stand in the text. */
function isolated(text, names) {
  const parts = [];
  for (const name of names) {
    const at = text.indexOf(name);
    if (at < 0) continue;
    parts.push(text.slice(0, at), el("bdi", {}, name));
    text = text.slice(at + name.length);
  }
  return [...parts, text];
}

function waitingItem({ text, state }, isOnline, words) {
  const why = state === "unnamed" ? words.unnamed : isOnline ? words.sending : words.unsent;
  return el("li", { class: "chat-chat chat-mine" }, el("i", {}, why), " ", said(text));
}

/** Change a text only if it is another one: what is live is read aloud each time it is set. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
