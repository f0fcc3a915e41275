// What the dice show, in a page of their own and in a notebook.

import { RepeatedConnection } from "./repeated.js";

class Dice extends RepeatedConnection {
  get address() {
    return `${this.url}dice`;
  }

  opened() {
    super.opened();
    this.socket.send("roll");
  }
}

export default application("Dice", (url, root) => {
  const dice = new Dice(url);
  const number = el("output", { class: "dice-number" }, "?");
  dice.receive = (data) => (number.value = data);
  root.append(row(lampOf(dice), number));
  dice.connect();
  return () => dice.close();
});
