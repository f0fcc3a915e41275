// Choose the route for a WebSocket of this page, and give advice when it fails.
//
// A loopback address means the machine that the browser runs on. If the kernel is on a different
// machine (JupyterHub, Binder, ssh), only JupyterLab itself can reach its ports.
// jupyter-server-proxy makes it pass connections on, at {baseUrl}proxy/PORT/.

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** This page's address; baseUrl is null on a page that is not Jupyter's. */
function thisPage() {
  const config = document.getElementById("jupyter-config-data")?.textContent;
  const base = config ? JSON.parse(config).baseUrl : null;
  return { ...pick(location, ["protocol", "hostname", "origin"]), baseUrl: base && new URL(base, location) };
}

function pick(object, names) {
  return Object.fromEntries(names.map((name) => [name, object[name]]));
}

/** The same server through JupyterLab, or null if it is not a port of the kernel's machine. */
function proxied(url, page) {
  if (!URL.canParse(url)) return null;
  const target = new URL(url);
  if (!page.baseUrl || target.protocol !== "ws:" || !LOOPBACK.test(target.hostname)) return null;
  const port = target.port || "80";
  const way = new URL(`proxy/${port}${target.pathname}${target.search}`, page.baseUrl);
  way.protocol = way.protocol.replace("http", "ws");
  return way.href;
}

/** Choose "direct" or "proxy". A loopback address is the browser's own machine. If the page came
 *  from elsewhere, the server is not there. */
function chooseRoute(url, page) {
  const local = LOOPBACK.test(page.hostname);
  return local || !proxied(url, page) ? "direct" : "proxy";
}

/** Make an application, which a page of its own shows (page.js), or a cell, in a frame. Its connection
 *  belongs to this page. show: gets the address of the server as this page reaches it, an element, and
 *  what the page's query or the widget's state says; returns what ends it. */
function application(title, show) {
  return {
    show,
    render({ model, el: root }) {
      const { url, ...state } = model.get("state");
      const page = thisPage();
      const frame = panel(title);
      root.append(frame);
      return show(chooseRoute(url, page) === "direct" ? url : proxied(url, page), frame, state);
    },
  };
}

/** Give advice when a connection never opened. asked: the URL as somebody wrote it; url: as the
 *  browser understood it. */
async function advise(route, asked, url, page) {
  if (!/^(ws|http)s?:/i.test(asked))
    return `${printable(asked)} is not a WebSocket URL: without ws:// the browser took it for ${url}`;
  const loopback = LOOPBACK.test(new URL(url).hostname);
  const running = "Nothing there accepted the connection. Is the server running?";
  if (route === "proxy") {
    const status = await proxyStatus(page);
    if (status === 200) return "JupyterLab's proxy is there, but it lost the server or never reached it. Is the server running?";
    if (status === 404)
      return "JupyterLab has no proxy: where JupyterLab runs, `pip install jupyter-server-proxy`, then restart JupyterLab.";
    return `JupyterLab's proxy did not answer (${status}): reload the page, log in again.`;
  }
  if (loopback && !LOOPBACK.test(page.hostname))
    return `This page came from ${page.hostname}, but 127.0.0.1 is the machine of your browser. ${
      page.baseUrl ? "Choose “through JupyterLab”." : "Open the notebook in JupyterLab with jupyter-server-proxy."
    }`;
  if (page.protocol === "https:" && url.startsWith("ws:"))
    return "This page came over https, so the browser may refuse ws:// (mixed content): use wss://, or go through JupyterLab.";
  const remote = "If the kernel runs on another machine (ssh, Docker), choose “through JupyterLab”.";
  return loopback && page.baseUrl ? `${running} ${remote}` : running;
}

/** Ask whether jupyter-server-proxy is installed; return the HTTP status, 0 without an answer. */
async function proxyStatus(page) {
  try {
    return (await fetch(new URL("server-proxy/servers-info", page.baseUrl))).status;
  } catch {
    return 0;
  }
}

/** Explain the browser's exception in our words; its own words differ from browser to browser. */
function explain(error, what) {
  const rules = {
    "close InvalidAccessError": "A page may close with code 1000 or 3000 to 4999, no other.",
    "close SyntaxError": "A close reason has at most 123 bytes in UTF-8 (125 with the code).",
    "connect SyntaxError": "That is not a WebSocket URL (it begins with ws:// or wss:// and has no #), or a subprotocol is not a token or repeated.",
    "connect SecurityError": "This page came over https: the browser forbids ws:// here (mixed content). Use wss://, or go through JupyterLab.",
    "send InvalidStateError": "The connection is not open yet: send when `open` has happened.",
  };
  const rule = rules[`${what} ${error.name}`];
  return rule ? `${rule} (${error.name})` : `${error.name}: ${error.message}`;
}
