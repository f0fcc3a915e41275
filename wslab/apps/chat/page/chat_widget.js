// The chat in a notebook cell. `Chat` and `renderChat` are the page's own; here is the way to the
// server (route.js), and what the kernel is told: where this page came from, so that it is let in.

import { Chat } from "./chat.js";
import { renderChat } from "./chat_view.js";

const PATIENCE = 3000; // milliseconds for the kernel to answer; it may be busy, or gone

class ChatWidget {
  constructor(model) {
    this.model = model;
    this.page = thisPage();
    const { url, route, language } = model.get("state");
    const chosen = route === "auto" ? chooseRoute(url, this.page) : route;
    this.isDirect = chosen === "direct";
    this.proxied = proxied(url, this.page);
    this.isAuto = route === "auto";
    this.advice = "";
    this.chat = new Chat(this.isDirect ? url : (this.proxied ?? url), { language });
    this.chat.views.add(() => this.watch());
    model.on("msg:custom", (message) => this.obey(message));
    model.on("change:state", () => this.retire());
    if (this.retire()) return;
    tellKernel(this.model, { origin: this.page.origin });
    // Pages of this machine are welcome anyway; others when the kernel has said so to the room.
    if (LOOPBACK.test(this.page.hostname)) this.connect();
    else this.waiting = setTimeout(() => this.connect(), PATIENCE);
  }

  connect() {
    clearTimeout(this.waiting);
    this.chat.connection.connect();
  }

  obey({ do: what }) {
    if (this.replaced) return;
    if (what === "connect") this.connect();
    if (what === "proxy" && this.proxied) {
      this.isDirect = false;
      this.chat.connection.url = this.proxied;
      this.connect();
    }
  }

  /** The first attempt has failed: say what to do; the kernel may know that it is the wrong way. */
  async watch() {
    const { state, url, inbox } = this.chat.connection;
    if (state !== "waiting" || inbox.epoch !== null || this.advice) return;
    this.advice = "sought";
    if (this.isAuto && this.isDirect && this.proxied) tellKernel(this.model, { unreached: true });
    this.advice = await advise(this.isDirect ? "direct" : "proxy", url, url, this.page);
    if (this.chat.connection.state === "waiting") this.chat.complain(this.advice);
  }

  /** Another widget has taken this one's place: its cell ran again. */
  retire() {
    this.replaced = this.model.get("state").replaced;
    if (!this.replaced) return false;
    clearTimeout(this.waiting);
    this.chat.connection.close();
    this.chat.complain("Another widget of the same name has taken over. Give each a name of its own to have both.");
    return true;
  }
}

export default () => {
  let widget;
  return {
    initialize({ model }) {
      widget = new ChatWidget(model);
      return () => widget.chat.connection.close();
    },
    render({ model, el: root }) {
      const frame = panel(`Chat: ${model.get("state").name}`);
      root.append(frame);
      return renderChat(widget.chat, frame);
    },
  };
};
