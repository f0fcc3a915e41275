// A client on npm's yjs and y-websocket, for tests/interop. Commands come as lines of JSON on stdin.
//
//     node yjs_client.mjs '{"url": "ws://127.0.0.1:PORT", "room": "poem", "name": "Ada"}'
//
// Each line that it prints is JSON: {"text", "names", "status", "denied"} after each change of one
// of these. Commands: {"insert": [at, text]}, {"delete": [at, length]}, {"end": true}.

import { createInterface } from 'node:readline';
import WebSocket from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';

const { url, room, name, params } = JSON.parse(process.argv[2]);
const doc = new Y.Doc();
const text = doc.getText('text');
let denied = 0;
console.warn = () => { denied += 1; show(); }; // so says the provider
const provider = new WebsocketProvider(url, room, doc, {
  WebSocketPolyfill: WebSocket, disableBc: true, maxBackoffTime: 200, params: params ?? {},
});
provider.awareness.setLocalStateField('user', { name });

let shown = '';
function show() {
  const names = [...provider.awareness.getStates().values()].map((state) => state.user?.name ?? '');
  const status = provider.synced ? 'synced' : provider.wsconnected ? 'connected' : 'away';
  const line = JSON.stringify({ text: text.toString(), names: names.sort(), status, denied });
  if (line !== shown) console.log((shown = line));
}
doc.on('update', show);
provider.on('sync', show);
provider.on('status', show);
provider.awareness.on('change', show);

createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line);
  if (command.insert) text.insert(...command.insert);
  if (command.delete) text.delete(...command.delete);
  if (command.end) process.exit(0);
}).on('close', () => process.exit(0));
