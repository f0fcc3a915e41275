// A real WebSocket in the notebook page. `Client` is the socket, its log and its reports to the
// kernel; it lives as long as the page knows the widget, shown or not. `render` draws it.

const READY_STATES = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];
const LOOKS = ["busy", "good", "busy", "off"]; // of the lamp
const LOG_LIMIT = 200; // lines on the page
const REPORT_LIMIT = 100; // messages told to the kernel at a time, ten times a second
const DATA_LIMIT = 10_000; // characters or bytes of each

class Client {
  constructor(model) {
    this.model = model;
    this.page = thisPage();
    this.url = model.get("state").url;
    this.route = model.get("state").route;
    this.socket = null;
    this.count = 0; // connections so far
    this.problem = "";
    this.log = [];
    this.forgotten = 0; // lines that the log no longer has
    this.views = new Set();
    this.reports = [];
    this.dropped = 0;
    model.on("msg:custom", (message) => this.obey(message));
    model.on("change:state", () => this.retire());
    this.retire();
    if (model.get("state").connect && !this.replaced) this.connect();
    else tellKernel(this.model, { origin: this.page.origin });
  }

  get readyState() {
    return this.socket ? `${READY_STATES[this.socket.readyState]} (${this.socket.readyState})` : "no socket yet";
  }

  // Requests of a person or a cell

  obey({ do: what, route, text, hex, code, reason }) {
    if (what === "connect") this.connect(this.url, route ?? this.route);
    if (what === "send") this.send(text ?? parseHex(hex));
    if (what === "close") this.close(code, reason);
  }

  connect(url = this.url, route = this.route) {
    this.attempt("connect", () => {
      const chosen = route === "auto" ? chooseRoute(url, this.page) : route;
      const via = chosen === "proxy" ? proxied(url, this.page) : url;
      if (!via) throw new Error("JupyterLab's proxy leads only to ws:// on 127.0.0.1, from a page of JupyterLab.");
      const socket = new WebSocket(via, this.model.get("state").protocols);
      this.socket?.close();
      this.socket = socket;
      this.listen(socket, ++this.count, { url, route, chosen });
      this.note(`new WebSocket(${printable(via, 500)})`, this.count);
      tellKernel(this.model, { origin: this.page.origin, via });
    });
  }

  send(data) {
    this.attempt("send", () => {
      if (!this.socket) throw new Error("There is no socket yet: press Connect.");
      this.socket.send(data);
      const lost = this.socket.readyState > WebSocket.OPEN ? "never sent, the connection is closed: " : "";
      this.note(`send: ${lost}${show(data)}`, this.count);
    });
  }

  close(code, reason) {
    this.attempt("close", () => {
      if (!this.socket) throw new Error("There is no socket yet: press Connect.");
      if (code == null && reason) throw new Error("A close reason needs a code before it.");
      code == null ? this.socket.close() : this.socket.close(code, reason);
      this.note(`close(${[code, reason && printable(reason)].filter(Boolean).join(", ")})`, this.count);
    });
  }

  attempt(what, action) {
    this.problem = "";
    try {
      action();
    } catch (error) {
      this.problem = explain(error, what);
      this.report({ connection: this.count, type: "exception", ...pick(error, ["name", "message"]) });
    }
    this.changed();
  }

  /** A new Browser has taken this one's place, because its cell ran again. */
  retire() {
    this.replaced = this.model.get("state").replaced;
    if (!this.replaced) return;
    this.socket?.close(1000, "replaced");
    this.problem = "Another Browser of the same name has taken over. Give each a name of its own to have both.";
    this.changed();
  }

  // The four events

  listen(socket, connection, way) {
    socket.binaryType = "arraybuffer";
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.report({ connection, type: "open" }, socket.protocol && `subprotocol ${printable(socket.protocol)}`);
    };
    socket.onmessage = ({ data }) => {
      const bytes = typeof data === "string" ? null : new Uint8Array(data);
      const content = bytes
        ? { hex: hex(bytes.subarray(0, DATA_LIMIT), DATA_LIMIT), size: bytes.length }
        : { data: data.slice(0, DATA_LIMIT), size: data.length };
      this.report({ connection, type: "message", ...content }, show(bytes ?? data));
    };
    socket.onerror = () => this.report({ connection, type: "error" }, "no details: the browser keeps them from the script");
    socket.onclose = (event) => {
      const { code, reason, wasClean } = event;
      const text = `code ${code}, reason ${printable(reason)}, wasClean ${wasClean}`;
      this.report({ connection, type: "close", code, reason, wasClean }, text);
      if (opened && way.chosen === "proxy") this.note("The proxy passes no close codes on, so this code is its own.");
      // The proxy accepts before it knows whether it reaches the server, and then drops us.
      const reached = way.chosen === "proxy" ? code !== 1006 : opened;
      if (!reached && socket === this.socket && !this.replaced) this.failed(way, connection, socket);
    };
  }

  /** Say what to do, because a connection never opened. The first one may have gone to the wrong
   *  machine. If the kernel's server runs and saw nothing, the kernel tells us to use the proxy. */
  async failed({ url, route, chosen }, connection, socket) {
    if (route === "auto" && chosen === "direct" && connection === 1 && proxied(url, this.page))
      tellKernel(this.model, { unreached: true });
    const advice = await advise(chosen, url, socket.url, this.page);
    if (connection !== this.count) return; // there has been another attempt since
    this.problem = advice;
    this.changed();
  }

  // The log on the page, and the reports to the kernel

  note(text, connection = "") {
    this.log.push({ connection, type: "", text });
    if (this.log.length > LOG_LIMIT) this.forgotten += this.log.splice(0, this.log.length - LOG_LIMIT).length;
    this.changed();
  }

  report(event, text = "") {
    if (event.type !== "exception") {
      this.note(text, event.connection);
      this.log.at(-1).type = event.type;
    }
    if (event.type === "message" && this.reports.length >= REPORT_LIMIT) this.dropped++;
    else this.reports.push(event);
    this.reporting ??= setTimeout(() => {
      tellKernel(this.model, { events: this.reports, dropped: this.dropped });
      this.reports = [];
      this.dropped = 0;
      this.reporting = null;
    }, 100);
  }

  /** Draw soon, and not more than ten times a second, however fast messages come. */
  changed() {
    this.drawing ??= setTimeout(() => {
      this.drawing = null;
      for (const draw of this.views) draw();
      if (this.socket?.readyState === WebSocket.OPEN && this.socket.bufferedAmount) this.changed();
    }, 100);
  }
}

function show(data) {
  return typeof data === "string" ? printable(data) : `${data.length} ${data.length === 1 ? "byte" : "bytes"}: ${hex(data)}`;
}

// The drawing

function render(client, root) {
  const url = el("input", { value: client.url, spellcheck: "false", size: 40 });
  const routes = { auto: "automatic", direct: "direct", proxy: "through JupyterLab" };
  const route = el("select", {}, ...Object.entries(routes).map(([value, text]) => option(value, text)));
  route.value = client.route;
  const text = el("input", { size: 30 });
  const bytes = el("input", { size: 30, placeholder: "48 65 6c 6c 6f", spellcheck: "false" });
  const code = el("input", { size: 5, value: "1000", inputmode: "numeric" });
  const reason = el("input", { size: 20 });
  const connectButton = el("button", {}, "Connect");
  const state = el("output", { "aria-label": "readyState" });
  const buffered = el("output", { "aria-label": "bufferedAmount" });
  const problem = el("p", { class: "wslab-problem", role: "alert" });
  const [box, log] = logBox("Events, oldest first");
  const earlier = el("p", {});

  function connect() {
    [client.url, client.route] = [url.value.trim(), route.value];
    client.connect();
  }
  function sendBytes() {
    let data;
    try {
      data = parseHex(bytes.value);
    } catch (error) {
      client.problem = error.message;
      return client.changed();
    }
    client.send(data);
  }
  function close() {
    // No code at all is allowed. The browser refuses anything that is not a number.
    client.close(code.value.trim() === "" ? null : Number(code.value), reason.value);
  }

  let shown = 0; // lines of the log, including those that it has forgotten
  function draw() {
    light(state, LOOKS[client.socket?.readyState] ?? "off", client.readyState);
    buffered.textContent = `${client.socket?.bufferedAmount ?? 0} bytes`;
    connectButton.textContent = client.count ? "Reconnect" : "Connect";
    if (problem.textContent !== client.problem) problem.textContent = client.problem;
    const total = client.forgotten + client.log.length;
    const fresh = client.log.slice(Math.max(0, shown - client.forgotten));
    shown = total;
    if (!fresh.length) return;
    log.append(...fresh.map(entry));
    while (log.children.length > LOG_LIMIT) log.firstChild.remove();
    box.scrollTop = box.scrollHeight;
    earlier.textContent = client.forgotten ? `${client.forgotten} earlier lines are not shown.` : "";
  }

  root.append(
    panel(
      `WebSocket in this page: ${client.model.get("state").name}`,
      row(el("span", {}, "readyState ", state), el("span", {}, "bufferedAmount ", buffered)),
      line(connect, labelled("URL", url), labelled("Way", route), connectButton),
      line(() => client.send(text.value), labelled("Text", text), el("button", {}, "Send text")),
      line(sendBytes, labelled("Bytes in hex", bytes), el("button", {}, "Send bytes")),
      line(close, labelled("Close code", code), labelled("Reason", reason), el("button", {}, "Close")),
      problem,
      earlier,
      box,
    ),
  );
  client.views.add(draw);
  draw();
  return () => client.views.delete(draw);
}

function entry({ connection, type, text }) {
  return el("li", {}, connection ? `#${connection} ` : "", el("b", {}, type), type && text ? " " : "", text);
}

/** A line of controls that ends with a button; Enter in any field does the same as the button. */
function line(action, ...children) {
  const onkeydown = (event) => {
    // Not the Enter that ends the input of 你好. A <form> would not hear Enter in a notebook.
    if (event.key !== "Enter" || event.isComposing || event.target.matches("button")) return;
    event.preventDefault();
    action();
  };
  children.at(-1).addEventListener("click", action);
  const controls = row(...children);
  controls.addEventListener("keydown", onkeydown);
  return controls;
}

export default () => {
  let client;
  return {
    initialize({ model }) {
      client = new Client(model);
      return () => client.socket?.close();
    },
    render({ el: root }) {
      return render(client, root);
    },
  };
};
