// Run the cells of notebooks in the site's Python, under Node instead of in a page.
//
//     node --experimental-wasm-jspi lite.mjs SITE < {"NAME": ["source of a cell", …], …}
//
// It prints a line for each notebook, {"name": NAME, "cells": [[output, …], …], "asked": [address, …]}.
// The outputs are nbformat's. The callbacks are those that the worker of JupyterLite's kernel sets.
import fs from "node:fs";
import path from "node:path";
import { json } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const site = path.resolve(process.argv[2]);
const folder = path.join(site, "static", "pyodide");
const settings = JSON.parse(fs.readFileSync(path.join(site, "jupyter-lite.json")));
const plugin = "@jupyterlite/pyodide-kernel-extension:kernel";
const options = settings["jupyter-config-data"].litePluginSettings[plugin].loadPyodideOptions;

// Nothing outside can be reached, whatever this machine could reach.
let asked = [];
globalThis.fetch = async (address) => {
  asked.push(String(address));
  throw new TypeError("fetch failed: this page is offline");
};

const { loadPyodide } = await import(pathToFileURL(path.join(folder, "pyodide.mjs")));
const say = (text) => console.error(text);
options.env.WSLAB_PROGRESS = "off";
const pyodide = await loadPyodide({ indexURL: `${folder}/`, stdout: say, stderr: say, ...options });
await pyodide.runPythonAsync("import pyodide_kernel");
const { kernel_instance: kernel, stdout_stream, stderr_stream } =
  pyodide.globals.get("pyodide_kernel");
const shell = kernel.interpreter;
kernel._parent_header = pyodide.toPy({ header: {}, content: {} });
shell.send_comm = () => {};

let outputs = [];
const plain = (value) =>
  value instanceof pyodide.ffi.PyProxy
    ? value.toJs({ dict_converter: Object.fromEntries })
    : value;
const stream = (name, text) => {
  const last = outputs.at(-1);
  if (last?.output_type === "stream" && last.name === name) last.text += text;
  else outputs.push({ output_type: "stream", name, text });
};
stdout_stream.publish_stream_callback = stream;
stderr_stream.publish_stream_callback = stream;
shell.display_pub.clear_output_callback = () => {};
shell.display_pub.update_display_data_callback = () => {};
shell.display_pub.display_data_callback = (data, metadata) =>
  outputs.push({ output_type: "display_data", data: plain(data), metadata: plain(metadata) });
shell.displayhook.publish_execution_result = (count, data, metadata) =>
  outputs.push({ output_type: "execute_result", data: plain(data), metadata: plain(metadata) });

const STOP_ALL = `
from wslab import lab
for listener in list(lab.running().values()):
    await listener.stop()
`;

for (const [name, sources] of Object.entries(await json(process.stdin))) {
  asked = [];
  const cells = [];
  for (const source of sources) {
    outputs = [];
    const { ename, evalue, traceback } = plain(await kernel.run(source));
    if (ename) {
      outputs.push({ output_type: "error", ename, evalue, traceback });
    }
    cells.push(outputs);
  }
  fs.writeSync(1, `${JSON.stringify({ name, cells, asked })}\n`);
  await kernel.run(STOP_ALL);
  shell.reset();
}
process.exit(0);
