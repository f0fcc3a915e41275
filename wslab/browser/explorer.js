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
    try {
      this.model.send({ edit: field, value, number: this.number });
    } catch {
      // There is no kernel any more. After a while we say so.
    }
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

  checkbox(label, field, onchange) {
    this[field] = el("input", { type: "checkbox", onchange });
    return labelled(label, this[field]);
  }

  make(root) {
    const rsv = () => this.edit("rsv", 4 * this.rsv1.checked + 2 * this.rsv2.checked + this.rsv3.checked);
    const flag = (field) => (event) => this.edit(field, event.target.checked);
    const choose = (field) => ({ onchange: (event) => this.edit(field, event.target.value) });
    this.opcode = el("select", choose("opcode"));
    const senders = [option("", "either"), option("client"), option("server")];
    this.sender = el("select", choose("sender"), ...senders);
    this.bits = el("div", { class: "wslab-bits" });
    this.verdict = el("p", { class: "wslab-verdict", role: "status" });
    this.problem = el("p", { class: "wslab-problem", role: "alert" });
    this.rows = el("tbody");
    const heads = ["byte", "field", "bits", "meaning"].map((name) => el("th", { scope: "col" }, name));
    root.append(
      panel(
        "Frame explorer",
        row(
          labelled("Opcode", this.opcode),
          this.checkbox("FIN", "fin", flag("fin")),
          this.checkbox("RSV1", "rsv1", rsv),
          this.checkbox("RSV2", "rsv2", rsv),
          this.checkbox("RSV3", "rsv3", rsv),
          this.checkbox("MASK", "masked", flag("masked")),
          this.input("Masking key", "key", { size: 12 }),
          labelled("Sent by", this.sender),
        ),
        row(this.input("Payload as text", "text", { size: 28 }), this.input("in hex", "payload", { size: 36 })),
        row(this.input("The frame's bytes", "raw", { size: 60 })),
        this.bits,
        this.verdict,
        this.problem,
        el("table", {}, el("caption", {}, "The frame, field by field (RFC 6455 §5.2)"), el("thead", {}, el("tr", {}, ...heads)), this.rows),
      ),
    );
  }

  draw(view) {
    if (!this.opcode.length) this.opcode.append(...view.opcodes.map((name, i) => option(i, name)));
    this.opcode.value = view.opcode;
    this.sender.value = view.sender;
    this.fin.checked = view.fin;
    this.masked.checked = view.masked;
    this.rsv1.checked = view.rsv & 4;
    this.rsv2.checked = view.rsv & 2;
    this.rsv3.checked = view.rsv & 1;
    for (const field of ["key", "text", "payload", "raw"]) this.fill(this[field], view[field]);
    this.key.disabled = !view.masked;
    this.text.placeholder = view.text === null ? "not UTF-8" : "";
    this.drawBits(view.bits);
    const mark = { true: "✓ ", false: "✗ ", null: "… " }[view.valid];
    this.verdict.textContent = mark + view.verdict;
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
      button.lastChild.textContent = bits[i][1];
      button.setAttribute("aria-pressed", bits[i][1] === 1);
    });
  }

  byteOfBits(names, byte) {
    const buttons = names.map(([name], bit) =>
      el("button", { onclick: () => this.edit("bit", [byte, bit]) }, el("small", {}, name), el("b", {})),
    );
    return el("div", { role: "group", "aria-label": `byte ${byte}` }, ...buttons);
  }

  remove() {
    clearTimeout(this.waiting);
    this.model.off("msg:custom", this.answered);
    this.model.off("change:state", this.replaced);
  }
}

function row(...children) {
  return el("div", { class: "wslab-row" }, ...children);
}

function tableRow([at, name, bits, meaning]) {
  return el("tr", {}, el("td", {}, at), el("td", {}, name), el("td", {}, el("code", {}, bits)), el("td", {}, meaning));
}

export default {
  render({ model, el: root }) {
    const explorer = new Explorer(model, root);
    return () => explorer.remove();
  },
};
