// Plays twins.json with the modules for a page, whose folder is argv[2]; prints what came out.
import { readFileSync } from "node:fs";

const [folder, table] = process.argv.slice(2);
const load = (name) =>
  import(`data:text/javascript,${encodeURIComponent(readFileSync(`${folder}/${name}`, "utf8"))}`);
const { Inbox, Outbox, SequenceGap } = await load("outbox.js");
const { delay } = await load("policies.js");

/** Empty an object and all that is in it: what was taken from it must not change. */
function spoil(value) {
  for (const key of Object.keys(value)) {
    if (typeof value[key] === "object" && value[key] !== null) spoil(value[key]);
    delete value[key];
  }
}

const makers = {
  outbox: () => new Outbox(),
  inbox: (history) => new Inbox({ history }),
  backoff: () => null,
};
const names = { too_big: "tooBig" };

function step(box, name, args) {
  const one = (options) => JSON.parse(box.take(options));
  if (name === "take_one") return one();
  if (name === "plain") return one({ numbered: false });
  if (name === "take") {
    const taken = [];
    for (let message = one(); message !== null; message = one()) taken.push(message);
    return taken;
  }
  if (name === "nested") {
    let message = {};
    for (let level = 1; level < args[0]; level++) message = { message };
    return box.add(message);
  }
  if (name === "limit") return void ([box.limit] = args) ?? null;
  if (name === "delay") return delay(args[0], { first: 1, factor: 2, limit: 30, quick: 6 }, () => args[1]);
  const found = box[names[name] ?? name];
  const result = typeof found === "function" ? found.apply(box, args) : found;
  if (name === "add" && typeof args[0] === "object") spoil(args[0]);
  if (result?.refused) result.refused = result.refused.map(([key, { error, text }]) => [key, error, text]);
  return result ?? null;
}

const played = Object.entries(JSON.parse(readFileSync(table, "utf8"))).map(([kind, cases]) => [
  kind,
  Object.fromEntries(
    Object.entries(cases).map(([name, steps]) => {
      let box = makers[kind]();
      const results = steps.map(([name, args]) => {
        try {
          if (name === "new") [box, args] = [makers[kind](...args), []];
          return name === "new" ? null : step(box, name, args);
        } catch (error) {
          if (error instanceof TypeError || error instanceof ReferenceError) throw error;
          return error instanceof SequenceGap ? "gap" : "error";
        }
      });
      return [name, results];
    }),
  ),
]);
console.log(JSON.stringify(Object.fromEntries(played)));
