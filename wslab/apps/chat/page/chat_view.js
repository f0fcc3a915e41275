// A chatroom to be seen and used. Every text is set as text, never as HTML: `el` is in dom.js, which
// the page loads and the widget has pasted before this. Whatever is said may be hostile.

/** Draw a chat into an element; returns what ends it. */
export function renderChat(chat, root) {
  const status = el("span", { role: "status" });
  const wait = el("span", { "aria-hidden": "true" }); // a screen reader must not count along
  const retry = el("button", { type: "button" }, "Connect now");
  const members = el("ul", {});
  const here = el("summary", {});
  const panel = el("details", { class: "chat-members" }, here, members);
  const log = el("ol", { role: "log", "aria-live": "polite", "aria-label": "What is said, oldest first", tabindex: "0" });
  const waiting = el("ul", { class: "chat-waiting", "aria-label": "Not delivered yet" });
  const scroller = el("div", { class: "chat-scroll" }, log, waiting);
  const down = el("button", { type: "button", class: "chat-down" });
  const problem = el("p", { class: "chat-problem", role: "alert" });
  const name = el("input", { autocomplete: "nickname", maxlength: "100", enterkeyhint: "go" });
  const joinButton = el("button", { type: "submit" }, "Join");
  const text = el("input", { autocomplete: "off", enterkeyhint: "send" });
  const rename = el("button", { type: "button", class: "chat-rename" });
  const joining = form(join, el("label", {}, el("span", {}, "Your name"), name), joinButton);
  const saying = form(
    say,
    el("label", {}, el("span", {}, "Message"), text),
    el("button", { type: "submit" }, "Send"),
    rename,
  );

  function join() {
    chat.join(name.value);
    isRenaming = false;
    hadFocus = true;
  }
  function say() {
    if (!text.value.trim()) return;
    if (chat.say(text.value)) text.value = "";
    hadFocus = true;
    scrollDown();
  }

  let drawn = 0; // lines, those that are forgotten included
  let unread = 0;
  let isRenaming = false;
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
    const words = { connecting: "Connecting …", online: "Connected", waiting: "Reconnecting", closed: "Left" };
    setText(status, state === "failed" ? `Not connected: ${why}` : words[state]);
    status.dataset.state = state;
    retry.hidden = !["waiting", "failed", "closed"].includes(state);
    count();
  }

  function count() {
    const { state, text: why, retryAt } = chat.connection;
    const seconds = Math.max(0, Math.ceil((retryAt - performance.now()) / 1000));
    setText(wait, state === "waiting" ? `in ${seconds} s (${why})` : "");
  }

  function drawMembers() {
    panel.hidden = chat.members === null;
    const names = chat.members ?? [];
    setText(here, `${chat.connection.state === "online" ? "Here now" : "Here at last sight"}: ${names.length}`);
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
      log.append(el("li", { class: "chat-new" }, "New"));
    }
    log.append(...fresh.map(lineItem));
    for (const item of [...log.children].slice(0, Math.max(0, log.children.length - chat.lines.length - 1))) item.remove();
    const isOnline = chat.connection.state === "online";
    waiting.replaceChildren(...chat.waiting.map((one) => waitingItem(one, isOnline)));
    if (isAtEnd || isFirst) scrollDown();
    else if (said) unread += said;
    drawDown();
  }

  function scrollDown() {
    scroller.scrollTop = scroller.scrollHeight;
  }

  function drawDown() {
    down.hidden = !unread;
    setText(down, unread === 1 ? "1 new message ↓" : `${unread} new messages ↓`);
  }

  function drawForms() {
    const { isNamed } = chat;
    const online = chat.connection.state === "online";
    const showsName = !isNamed || isRenaming;
    joining.hidden = !showsName;
    saying.hidden = !isNamed || isRenaming;
    joinButton.disabled = !chat.mayJoin;
    setText(joinButton, isRenaming ? "Rename" : "Join");
    rename.replaceChildren("You are ", el("bdi", {}, chat.name ?? ""), ". Change the name");
    rename.disabled = !online;
    if (chat.draft) {
      const field = showsName ? name : text;
      if (!field.value) field.value = chat.draft; // nothing that was typed since is lost for it
      chat.draft = "";
    }
    setText(problem, chat.problem);
    if (wasNamed !== showsName && hadFocus) (showsName ? name : text).focus();
    wasNamed = showsName;
  }

  retry.addEventListener("click", () => chat.connection.connect());
  down.addEventListener("click", () => (scrollDown(), text.focus()));
  rename.addEventListener("click", () => {
    [isRenaming, hadFocus] = [true, true];
    name.value = chat.name;
    draw();
  });
  name.addEventListener("keydown", ({ key }) => {
    if (key === "Escape" && isRenaming) draw((isRenaming = false));
  });
  scroller.addEventListener("scroll", () => {
    if (scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 30) unread = 0;
    drawDown();
  });

  root.append(
    el("section", { class: "chat", "aria-label": "Chatroom" },
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
    // Not the Enter that ends the writing of 你好
    if (event.key === "Enter" && !event.isComposing && event.target.matches("input")) act(event);
  };
  return el("form", { onsubmit: act, onkeydown }, ...children);
}

function lineItem({ kind, name, text, time, mine }) {
  const content = kind === "chat" ? [el("b", {}, el("bdi", {}, name)), " "] : [];
  const when = time && new Date(time * 1000);
  if (when && !isNaN(when)) {
    const clock = when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    content.push(el("time", { datetime: when.toISOString() }, clock), " ");
  }
  content.push(el("span", { class: "chat-text", dir: "auto" }, text));
  return el("li", { class: `chat-${kind}${mine ? " chat-mine" : ""}` }, ...content);
}

function waitingItem({ text, state }, isOnline) {
  const why = state === "unnamed" ? "waits for a name" : isOnline ? "sending …" : "not sent yet";
  return el("li", { class: "chat-chat chat-mine" }, el("i", {}, why), " ", el("span", { class: "chat-text", dir: "auto" }, text));
}

/** Change a text only if it is another one: what is live is read aloud each time it is set. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
