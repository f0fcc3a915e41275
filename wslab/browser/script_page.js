// A learner's script in a hidden frame, with its output below the cell.

const LINES = 200; // lines of output that are kept

/** Make the frame's page, with `url` and `show`, then the script in a second element, as it may not parse. */
function pageOf(script, url) {
  const prelude = `
    const url = ${JSON.stringify(url).replaceAll("<", "\\u003c")};
    const show = (...what) => parent.postMessage({ shown: what.map(String).join(" ") }, "*");
    onerror = (message) => show(message);
    onunhandledrejection = (event) => show("Uncaught " + event.reason);`;
  const body = script.replace(/<\/(?=script)/gi, "<\\/").replaceAll("<!--", "<\\!--");
  return `<!doctype html><meta charset="utf-8"><script>${prelude}</script><script>${body}</script>`;
}

export default {
  render({ model, el: root }) {
    const { script, url } = model.get("state");
    const page = thisPage();
    const direct = chooseRoute(url, page) === "direct";
    // JupyterLab's proxy demands a login, and only JupyterLab's own origin is logged in.
    const sandbox = direct ? "allow-scripts" : "allow-scripts allow-same-origin";
    const [box, log] = logBox("What the script shows");
    const frame = el("iframe", { sandbox, hidden: "", title: "The script's page" });
    const onmessage = ({ source, data }) => {
      if (source !== frame.contentWindow || typeof data?.shown !== "string") return;
      log.append(el("li", {}, data.shown.slice(0, 1000)));
      while (log.children.length > LINES) log.firstChild.remove();
      box.scrollTop = box.scrollHeight;
    };
    addEventListener("message", onmessage);
    frame.srcdoc = pageOf(script, direct ? url : proxied(url, page));
    root.append(panel("A page with your script", box, frame));
    return () => removeEventListener("message", onmessage);
  },
};
