// Run the cells of notebooks in the site's Python, under Node instead of in a page.
//
//     node --experimental-wasm-jspi run.mjs SITE < {"NAME": ["source of a cell", …], …}
//
// It prints {"asked": [addresses], "outputs": {NAME: [[output, …], …]}}. The outputs are nbformat's.
// The callbacks are those that the worker of JupyterLite's kernel gives to `pyodide_kernel`.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const site = path.resolve(process.argv[2]);
const folder = path.join(site, "static", "pyodide");
const settings = JSON.parse(fs.readFileSync(path.join(site, "jupyter-lite.json")));
const plugin = "@jupyterlite/pyodide-kernel-extension:kernel";
const options = settings["jupyter-config-data"].litePluginSettings[plugin].loadPyodideOptions;

// Nothing outside can be reached, whatever this machine could reach.
const asked = [];
globalThis.fetch = async (address) => {
  asked.push(String(address));
  throw new TypeError("fetch failed: this page is offline");
};

const { loadPyodide } = await import(pathToFileURL(path.join(folder, "pyodide.mjs")));
const say = (text) => console.error(text);
const pyodide = await loadPyodide({ indexURL: `${folder}/`, stdout: say, stderr: say, ...options });
await pyodide.runPythonAsync("import pyodide_kernel");
const { kernel_instance: kernel, stdout_stream, stderr_stream } = {
  kernel_instance: pyodide.globals.get("pyodide_kernel").kernel_instance,
  stdout_stream: pyodide.globals.get("pyodide_kernel").stdout_stream,
  stderr_stream: pyodide.globals.get("pyodide_kernel").stderr_stream,
};
const shell = kernel.interpreter;
kernel._parent_header = pyodide.toPy({ header: {} });
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

// Each notebook begins as in a new kernel, as far as it can tell.
const AFRESH = `
import sys
for name in [name for name in sys.modules if name.partition(".")[0] == "wslab"]:
    del sys.modules[name]
`;

const found = {};
for (const [name, cells] of Object.entries(JSON.parse(fs.readFileSync(0)))) {
  const start = performance.now();
  shell.reset();
  pyodide.runPython(AFRESH);
  found[name] = [];
  for (const source of cells) {
    outputs = [];
    const reply = plain(await kernel.run(source));
    if (reply.status === "error") {
      const { ename, evalue, traceback } = reply;
      outputs.push({ output_type: "error", ename, evalue, traceback });
    }
    found[name].push(outputs);
  }
  say(`${name}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
}
fs.writeSync(1, JSON.stringify({ asked, outputs: found }));
process.exit(0);
