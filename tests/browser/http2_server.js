// An HTTPS server on HTTP/2 that takes WebSocket (RFC 8441). It prints its port, and for each
// WebSocket the headers that asked for it, as a line of JSON.
// node http2_server.js CHAIN KEY

const { readFileSync } = require("node:fs");
const { createSecureServer } = require("node:http2");

const [chain, key] = process.argv.slice(2);
const server = createSecureServer({
  cert: readFileSync(chain),
  key: readFileSync(key),
  settings: { enableConnectProtocol: true },
});
server.on("stream", (stream, headers) => {
  if (headers[":protocol"] === "websocket") {
    console.log(JSON.stringify(headers));
    stream.respond({ ":status": 200 });
  } else {
    stream.respond({ ":status": 200, "content-type": "text/html" });
    stream.end("<!doctype html><title>HTTP/2</title>");
  }
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
