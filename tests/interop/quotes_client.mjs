// A client on npm's node-binance-api, for tests/interop: it keeps a local order book by itself.
//
//     node quotes_client.mjs '{"url": "http://127.0.0.1:PORT/", "symbol": "ACMEUSD"}'
//
// Prints one line of JSON whenever its book has changed: the number of the last update, and both
// sides, {price: quantity}. It goes on until it is ended.

import Binance from 'node-binance-api';

const { url, symbol } = JSON.parse(process.argv[2]);
const urls = { base: `${url}api/`, stream: `${url.replace('http', 'ws')}ws/` };
const binance = new Binance().options({ urls, reconnect: true, log: () => {} });

binance.websockets.depthCache(symbol, (_symbol, { bids, asks }, context) => {
  if (context) console.log(JSON.stringify({ last: context.lastEventUpdateId, bids, asks }));
});
