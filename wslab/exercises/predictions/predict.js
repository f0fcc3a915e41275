// A question with its choices. The kernel says what was chosen, and the answer when it is time.

class Prediction {
  constructor(model, root) {
    this.model = model;
    const view = model.get("state");
    this.note = el("p", { class: "wslab-note", role: "status" });
    this.items = view.choices.map((text, i) => this.item(view.id, text, i));
    const legend = el("legend", {}, el("b", {}, "Predict: "), ...marked(view.question));
    root.append(panel("Prediction", el("fieldset", { class: "wslab-predict" }, legend, ...this.items.map((one) => one.label)), this.note));
    this.draw(view);
    this.heard = (message) => this.draw(message);
    model.on("msg:custom", this.heard);
  }

  item(id, text, i) {
    // The name groups the buttons, so that arrow keys move within this question only.
    const name = `wslab-${id}-${++Prediction.count}`;
    const input = el("input", { type: "radio", onchange: () => this.choose(i) });
    const mark = el("b", { class: "wslab-mark" });
    const reason = el("span", { class: "wslab-reason" });
    const label = el("label", {}, input, mark, el("span", {}, ...marked(text)), reason);
    return { input, mark, reason, label, name };
  }

  choose(choice) {
    try {
      this.model.send({ choice });
    } catch {
      this.note.textContent = "There is no kernel: run the cell again.";
    }
  }

  draw(view) {
    const isRevealed = view.right !== undefined;
    this.items.forEach(({ input, mark, reason, label }, i) => {
      input.name = this.items[0].name;
      input.checked = i === view.choice;
      input.disabled = isRevealed;
      label.classList.toggle("wslab-right", isRevealed && i === view.right);
      if (!isRevealed) return;
      mark.textContent = i === view.right ? "✓ " : "✗ ";
      reason.replaceChildren(...marked(view.reasons[i]));
    });
    if (isRevealed) this.note.textContent = view.choice === view.right ? "✓ As you said." : "✗ It came out differently. Read why your choice is tempting.";
    else this.note.textContent = view.choice === null ? "Choose, then run the next cell." : "Noted. Run the next cell.";
  }

  remove() {
    this.model.off("msg:custom", this.heard);
  }
}
Prediction.count = 0;

/** Text with `code` in it, as nodes. */
function marked(text) {
  return text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));
}

export default {
  render({ model, el: root }) {
    const prediction = new Prediction(model, root);
    return () => prediction.remove();
  },
};
