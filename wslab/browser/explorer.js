// The frame explorer's page draws the kernel's answers, and sends each edit there. wslab.protocol
// decides what a bit means and whether a frame is valid.

const PATIENCE = 1500; // milliseconds without an answer after which we say that we wait

class Explorer {
  constructor(model, root) {
    this.model = model;
    this.number = 0; // of the last edit
    this.make(root);
    this.draw(model.get("state"));
    this.answered = (message) => this.answer(message);
    this.replaced = () => this.number === this.heard && this.draw(model.get("state"));
    this.heard = 0; // the last edit that was answered
    model.on("msg:custom", this.answered);
    model.on("change:state", this.replaced);
  }

  edit(field, value) {
    this.number++;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      this.problem.textContent = "Waiting for the kernel: it is busy, or it was restarted (then run the cell again).";
    }, PATIENCE);
    tellKernel(this.model, { edit: field, value, number: this.number });
  }

  answer(view) {
    if (view.number !== this.number) return; // of an older edit, or of a different view
    this.heard = view.number;
    clearTimeout(this.waiting);
    this.draw(view);
  }

  input(label, field, attributes = {}) {
    const oninput = (event) => this.edit(field, event.target.value);
    this[field] = el("input", { spellcheck: "false", ...attributes, oninput });
    return labelled(label, this[field]);
  }

  make(root) {
    const choose = (field) => ({ onchange: (event) => this.edit(field, event.target.value) });
    this.opcode = el("select", choose("opcode"));
    const senders = [option("", "either side"), option("client", "a client"), option("server", "a server")];
    this.sender = el("select", choose("sender"), ...senders);
    this.masked = el("input", { type: "checkbox", onchange: (event) => this.edit("masked", event.target.checked) });
    this.bits = el("div", { class: "wslab-bits" });
    this.verdict = el("div", { class: "wslab-verdict", role: "status" });
    this.problem = el("p", { class: "wslab-problem", role: "alert" });
    this.rows = el("tbody");
    const heads = ["byte", "field", "bits", "meaning"];
    const caption = el("caption", {}, "The frame, field by field (RFC 6455 §5.2)");
    root.append(
      panel(
        "Frame explorer",
        row(this.input("All bytes of the frame", "raw", { size: 60 })),
        this.bits,
        row(labelled("Opcode", this.opcode), labelled("Judge it as sent by", this.sender)),
        row(this.input("Payload as text", "text", { size: 28 }), this.input("Payload in hex", "payload", { size: 36 })),
        row(labelled("Mask the payload", this.masked), this.input("Masking key", "key", { size: 12 })),
        this.problem,
        this.verdict,
        el("div", { class: "wslab-scroll", tabindex: "0", role: "region", "aria-label": "Fields" },
          tableOf(heads, this.rows, caption)),
      ),
    );
  }

  draw(view) {
    if (!this.opcode.length) this.opcode.append(...view.opcodes.map((name, i) => option(i, name)));
    this.opcode.value = view.opcode ?? "";
    this.opcode.disabled = view.opcode === null;
    this.sender.value = view.sender;
    this.masked.checked = view.masked;
    for (const field of ["key", "text", "payload", "raw"]) this.fill(this[field], view[field]);
    this.key.disabled = !view.masked;
    this.text.placeholder = view.text === null ? "not UTF-8" : "";
    this.drawBits(view.bits);
    const [mark, look] = { true: ["✓ ", "good"], false: ["✗ ", "bad"], null: ["… ", "busy"] }[view.valid];
    this.verdict.dataset.look = look;
    // The last line of a broken frame says what a receiver does; it breaks no rule.
    const rules = view.valid === false ? view.verdict.length - 1 : 1;
    this.verdict.replaceChildren(...view.verdict.map((line, i) => el("div", {}, i < rules ? mark : "→ ", line)));
    this.problem.textContent = view.problem ?? "";
    this.rows.replaceChildren(...view.rows.map(tableRow));
  }

  /** Write into a field, unless somebody is just typing in it. */
  fill(input, value) {
    if (input !== document.activeElement) input.value = value ?? "";
  }

  /** Draw the first two bytes, a button for each bit. Buttons of the same bits are kept, so that the
   *  focus stays where it is. */
  drawBits(bytes) {
    const bits = bytes.flat();
    if (this.bits.querySelectorAll("button").length !== bits.length)
      this.bits.replaceChildren(...bytes.map((names, byte) => this.byteOfBits(names, byte)));
    this.bits.querySelectorAll("button").forEach((button, i) => {
      button.setAttribute("aria-pressed", bits[i][1] === 1); // the style writes 1 or 0
    });
  }

  /** Eight columns: the field's name above its bits, and each bit's own, a weight perhaps. */
  byteOfBits(names, byte) {
    const words = names.map(([name]) => name.split(" "));
    const fields = [...new Set(words.map(([field]) => field))];
    const heads = fields.map((field) => {
      const count = words.filter(([one]) => one === field).length;
      return el("span", { class: `wslab-span-${count}`, "aria-hidden": "true" }, count > 1 ? field : "");
    });
    const buttons = names.map(([name], bit) => {
      const label = el("small", {}, words[bit].at(-1));
      const onclick = () => this.edit("bit", [byte, bit]);
      return el("button", { class: "wslab-part-header", "aria-label": name, onclick }, label);
    });
    return el("div", { role: "group", "aria-label": `byte ${byte}` }, ...heads, ...buttons);
  }

  remove() {
    clearTimeout(this.waiting);
    this.model.off("msg:custom", this.answered);
    this.model.off("change:state", this.replaced);
  }
}

function tableRow([at, name, bits, meaning, part]) {
  const code = el("code", { class: `wslab-part-${part}` }, bits);
  return el("tr", {}, el("td", {}, at), el("td", {}, name), el("td", {}, code), el("td", {}, meaning));
}

export default {
  render({ model, el: root }) {
    const explorer = new Explorer(model, root);
    return () => explorer.remove();
  },
};
