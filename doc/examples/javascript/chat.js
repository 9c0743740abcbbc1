// node chat.js PROVIDER TEXT...
// What comes from the log goes to standard error as `SEQ KIND`: each number once, whatever happens to the connection.

import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { Hub, converse } from "./hub.js";

const home = process.env.CODEAI_HUB_HOME || `${homedir()}/.codeai-hub`;

async function locate() {
  const { host, port } = JSON.parse(await readFile(`${home}/core/endpoint.json`, "utf8"));
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

const [providerId, ...words] = process.argv.slice(2);
if (words.length === 0) {
  console.error("usage: node chat.js PROVIDER TEXT...");
  process.exit(2);
}
const status = await converse(new Hub({ locate }), {
  providerId,
  workspace: process.cwd(),
  text: words.join(" "),
  onText: (text) => process.stdout.write(text),
  onEvent: (seq, kind) => console.error(seq, kind),
  onSession: (session) => console.error("session", session),
});
console.log();
process.exit(status === "completed" ? 0 : 1);
