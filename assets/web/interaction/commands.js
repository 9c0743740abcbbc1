// The composer's own commands. What isn't one of them, such as an agent's own `/compact`, is sent as a message.

import { t } from "../core/i18n.js";
import { navigate, viewHref } from "../core/route.js";
import { store } from "../core/store.js";
import { toast } from "../ui/toast.js";
import { choices } from "./choices.js";
import * as operations from "./operations.js";

/** What providers are called for short. */
const aliases = { claude: "claudeCodeCli", codex: "codexCli", gemini: "geminiCli" };

/** The provider that a word names: an identifier or a short name; null when there is none. */
export function providerNamed(word) {
  const providers = store.providers.peek();
  const wanted = word.toLowerCase();
  if (providers.has(aliases[wanted])) return aliases[wanted];
  for (const id of providers.keys()) if (id.toLowerCase() === wanted) return id;
  return null;
}

/** The shortest name by which a provider can be addressed. */
export function shortName(id) {
  return Object.keys(aliases).find((alias) => aliases[alias] === id) ?? id;
}

const values = (name) => (sessionId) => choices(sessionId)[name].map(({ id, label }) => ({ value: id, label }));

function providerValues() {
  return [...store.providers.value.values()].filter((each) => each.enabled)
    .map((each) => ({ value: shortName(each.id), label: each.name }));
}

/** `{name, argument?: key of what it takes, values?(sessionId), needsRunning?, run(sessionId, rest, context)}`. A `run` that
 * returns a text refuses the command for that reason. `context` is the composer's: `attach()`, `post(mode, text)`. */
export const commands = [
  { name: "model", argument: "model", values: values("models"), run: (id, rest) => change(id, "model", rest) },
  { name: "mode", argument: "mode", values: values("modes"), run: (id, rest) => change(id, "mode", rest) },
  { name: "effort", argument: "effort", values: values("efforts"), run: (id, rest) => change(id, "effort", rest) },
  { name: "provider", argument: "provider", values: providerValues, run: switchTo },
  { name: "rename", argument: "title", run: (id, rest) => (rest ? void operations.rename(id, rest) : t("interaction.command.needs.title")) },
  { name: "retry", run: (id) => void operations.retry(id) },
  { name: "later", argument: "seconds", run: later },
  { name: "steer", argument: "text", run: (id, rest, context) => (rest ? void context.post("steer", rest) : t("interaction.command.needs.text")) },
  { name: "interrupt", run: (id) => void operations.interrupt(id) },
  { name: "stop", run: (id) => void operations.stop(id) },
  { name: "pause", run: (id) => void operations.pause(id) },
  { name: "resume", run: (id) => void operations.resume(id) },
  { name: "withdraw", run: withdrawLast },
  { name: "budget", argument: "dollars", run: setBudget },
  { name: "fork", run: (id) => void operations.fork(id) },
  { name: "export", argument: "format", values: () => [{ value: "markdown", label: "Markdown" }, { value: "jsonl", label: "JSON Lines" }], run: exportAs },
  { name: "attach", run: (id, rest, context) => context.attach() },
  { name: "settings", run: () => show("settings") },
  { name: "usage", run: () => show("usage") },
  { name: "providers", run: () => show("providers") },
];

/** `{command, rest}` of a text that is one of the commands; null for any other. */
export function parseCommand(text) {
  const match = /^\/([a-z]+)(?:\s+([^]*))?$/.exec(text.trimEnd());
  const command = match && commands.find((each) => each.name === match[1]);
  return command ? { command, rest: (match[2] ?? "").trim() } : null;
}

function change(sessionId, name, value) {
  if (!value) return t("interaction.command.needs.value");
  operations.patch(sessionId, { [name]: value }, t(`interaction.changed.${name}`, { value }));
}

function switchTo(sessionId, rest) {
  const id = rest && providerNamed(rest);
  if (!id) return t("interaction.command.needs.provider");
  operations.switchProvider(sessionId, id);
}

function later(sessionId, rest) {
  const seconds = Number(rest);
  if (rest && !(seconds > 0)) return t("interaction.command.needs.seconds");
  operations.retry(sessionId, rest ? { after: seconds } : { later: true });
}

function setBudget(sessionId, rest) {
  const dollars = Number(rest.replace(/^\$/, "").replace(",", "."));
  if (!rest || !(dollars >= 0)) return t("interaction.command.needs.dollars");
  operations.patch(sessionId, { budgetUsd: dollars }, t("interaction.changed.budget"));
}

async function withdrawLast(sessionId, rest, context) {
  const last = store.session(sessionId).peek()?.queue.at(-1);
  if (!last) return void toast(t("interaction.queue.empty"));
  const message = await operations.withdraw(sessionId, last);
  if (message) context.restore(message);
}

function exportAs(sessionId, rest) {
  const format = rest || "markdown";
  if (format !== "markdown" && format !== "jsonl") return t("interaction.command.needs.format");
  operations.exportSession(sessionId, format);
}

function show(view) {
  navigate(viewHref(view));
}
