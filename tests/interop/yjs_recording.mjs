// Makes a recording of an editing session with npm's yjs, and compares documents, for tests/interop.
//
//     node yjs_recording.mjs make SEED COUNT     prints the updates, one a line, in Base64, and then
//                                                what the document holds, as a line of JSON
//     node yjs_recording.mjs read < UPDATES      prints what a document holds with these updates
//
// Three people edit all kinds of types: text with formats and embeds, maps, arrays, XML,
// subdocuments, bytes, and characters outside the Basic Multilingual Plane. Some edits are undone.

import { createInterface } from 'node:readline';
import * as Y from 'yjs';

function content(doc) {
  const shown = (value) =>
    value instanceof Y.Doc ? { doc: value.guid }
    : value instanceof Uint8Array ? { bytes: [...value] }
    : value instanceof Y.XmlFragment ? value.toString()
    : value instanceof Y.Text ? value.toDelta().map((d) => ({ ...d, insert: shown(d.insert) }))
    : value instanceof Y.Map ? Object.fromEntries([...value.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, shown(v)]))
    : value instanceof Y.Array ? value.toArray().map(shown)
    : value === undefined ? 'undefined' : value;
  const state = [...Y.decodeStateVector(Y.encodeStateVector(doc))].sort(([a], [b]) => a - b);
  return JSON.stringify({
    text: shown(doc.getText('text')), map: shown(doc.getMap('map')), list: shown(doc.getArray('list')),
    xml: shown(doc.getXmlFragment('xml')), state, pending: doc.store.pendingStructs !== null,
  }, (_key, value) => (typeof value === 'bigint' ? `${value}n` : value));
}

function random(seed) { // mulberry32
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function edit(doc, undo, chance) {
  const below = (n) => Math.floor(chance() * n);
  const pick = (...values) => values[below(values.length)];
  const value = () => pick(1, -7, 2.5, 2 ** 40, true, null, undefined, 'x', '你好😀',
    [1, [2, { deep: [] }]], { k: 'v' }, new Uint8Array([0, 255, 7]));
  const type = () => pick(() => new Y.Map([['a', value()]]), () => Y.Array.from([[value()]]), () => new Y.Text('inner'),
    () => new Y.Doc({ guid: `sub-${below(1e9)}` }))();
  const text = doc.getText('text'), map = doc.getMap('map'), list = doc.getArray('list'), xml = doc.getXmlFragment('xml');
  const span = (length) => { const at = below(length + 1); return [at, below(Math.min(5, length - at) + 1)]; };
  const edits = [
    () => text.insert(below(text.length + 1), pick('word ', '字', '😀', 'a😀b')),
    () => text.delete(...span(text.length)),
    () => text.format(...span(text.length), { [pick('bold', 'link')]: pick(true, null, { href: '#' }) }),
    () => text.insertEmbed(below(text.length + 1), chance() < 0.5 ? { image: 'x.png' } : new Y.Map([['a', value()]]), { width: 1 }),
    () => map.set(pick('a', 'b', '键'), chance() < 0.4 ? type() : value()),
    () => map.delete(pick('a', 'b', '键')),
    () => list.insert(below(list.length + 1), [[value()], { k: value() }, below(9)]),
    () => list.insert(below(list.length + 1), [type()]),
    () => list.delete(...span(list.length)),
    () => { const node = new Y.XmlElement(pick('p', 'h1')); node.setAttribute('class', 'c'); xml.insert(below(xml.length + 1), [node]); },
    () => { const node = xml.length && xml.get(below(xml.length)); if (node instanceof Y.XmlElement) node.insert(0, [new Y.XmlText('inside')]); },
    () => xml.delete(...span(xml.length)),
    () => list.forEach((each) => { if (each instanceof Y.Map) each.set('k', value()); else if (each instanceof Y.Text) each.insert(0, '·'); }),
    () => undo.undo(),
    () => undo.redo(),
  ];
  doc.transact(() => { for (let n = 0; n <= below(3); n += 1) pick(...edits)(); });
}

if (process.argv[2] === 'make') {
  const chance = random(Number(process.argv[3]));
  const docs = [1, 2, 3].map((id) => { const doc = new Y.Doc({ gc: true }); doc.clientID = id * 1000003; return doc; });
  const undos = docs.map((doc) => new Y.UndoManager([doc.getText('text'), doc.getMap('map'), doc.getArray('list')], { captureTimeout: 0 }));
  docs.forEach((doc) => doc.on('update', (update, origin) => {
    if (origin !== 'others') console.log(Buffer.from(update).toString('base64'));
  }));
  const sync = (from, to) => Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)), 'others');
  for (let n = 0; n < Number(process.argv[4]); n += 1) {
    const mine = Math.floor(chance() * 3);
    edit(docs[mine], undos[mine], chance);
    if (chance() < 0.4) sync(docs[mine], docs[Math.floor(chance() * 3)]);
  }
  for (const from of docs) for (const to of docs) sync(from, to);
  for (const from of docs) for (const to of docs) sync(from, to);
  console.log(content(docs[0]));
} else {
  const doc = new Y.Doc();
  for await (const line of createInterface({ input: process.stdin })) Y.applyUpdate(doc, Buffer.from(line, 'base64'));
  console.log(content(doc));
}
