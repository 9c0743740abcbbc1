// The arguments of a tool, as they are: a command as code, an edit as a diff, all else as JSON. What is shown nicely can also be
// seen whole.

import { h } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { codeBlock, diffBlock } from "./rendering.js";
import { visible as clipped } from "../core/text.js";

/** Characters of one argument that are shown; what is longer is said to be, with the rest in the conversation. */
const longest = 200_000;

/** `{element, summary, dispose()}` for a permission's `{tool, args, title}`. */
export function arguments_(request) {
  const { args } = request;
  const parts = [];
  const ends = [];
  let summary = "";
  const command = commandOf(args);
  const edits = editsOf(args);
  if (command !== null) {
    parts.push(h("div", { class: "request-command" }, codeBlock(cut(command), "shell")));
    const folder = text(args, "cwd", "workdir", "working_directory");
    if (folder) parts.push(h("p", { class: "request-fact" }, t("interaction.args.folder"), " ", h("code", null, clipped(folder, 400))));
    const purpose = text(args, "description", "justification");
    if (purpose) parts.push(h("p", { class: "request-fact" }, clipped(purpose, 600)));
    summary = clipped(command, 200);
  } else if (edits.length) {
    for (const edit of edits) {
      const shown = diffBlock({ ...edit, oldText: cut(edit.oldText), newText: cut(edit.newText) });
      if (shown.dispose) ends.push(shown.dispose);
      parts.push(shown.element);
    }
    summary = edits.map((edit) => clipped(edit.path, 200)).join(", ");
  } else {
    const address = text(args, "url", "file_path", "path", "query", "pattern");
    if (address) {
      parts.push(h("p", { class: "request-fact" }, h("code", null, clipped(address, 2000))));
      summary = clipped(address, 200);
    }
  }
  const isPlain = parts.length === 0;
  if (args !== undefined && args !== null && !(isPlain && isEmpty(args))) {
    const whole = codeBlock(cut(typeof args === "string" ? args : JSON.stringify(args, null, 2)), "json");
    // Nothing nicer to show: then this is what is asked about.
    parts.push(isPlain ? whole : h("details", { class: "request-all" }, h("summary", null, t("interaction.args.all")), whole));
  }
  return {
    element: h("div", { class: "request-args" }, parts),
    summary,
    dispose() {
      for (const end of ends) end();
    },
  };
}

function isEmpty(args) {
  return typeof args === "object" && Object.keys(args).length === 0;
}

function cut(value) {
  if (value.length <= longest) return value;
  return `${value.slice(0, longest)}\n… ${t("interaction.args.cut", { count: value.length - longest })}`;
}

function text(args, ...names) {
  for (const name of names) if (typeof args?.[name] === "string" && args[name] !== "") return args[name];
  return null;
}

/** The command of a tool that runs one; several words are put as a shell would read them. */
function commandOf(args) {
  const command = args?.command ?? args?.cmd ?? args?.script;
  if (typeof command === "string") return command;
  if (Array.isArray(command) && command.length && command.every((word) => typeof word === "string")) {
    return command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
  }
  return null;
}

/** The changes that a tool would make to files, `[{path, oldText, newText}]`, as the agents put them. */
function editsOf(args) {
  const path = text(args, "file_path", "path", "filePath", "notebook_path", "abs_path") ?? "";
  const found = [];
  const add = (each, where = path) => {
    const oldText = text(each, "old_string", "oldText", "old_str", "old_text", "old_source");
    const newText = each?.new_string ?? each?.newText ?? each?.new_str ?? each?.new_text ?? each?.new_source;
    if (typeof newText === "string") found.push({ path: text(each, "file_path", "path") ?? where, oldText: oldText ?? "", newText, isPart: true });
  };
  if (typeof args !== "object" || args === null) return found;
  add(args);
  for (const each of Array.isArray(args.edits) ? args.edits : []) add(each);
  if (found.length === 0 && path && typeof args.content === "string") found.push({ path, oldText: "", newText: args.content });
  const changes = args.changes ?? args.fileChanges ?? args.file_changes;
  if (found.length === 0 && changes && typeof changes === "object") {
    for (const [name, change] of Object.entries(changes)) {
      const where = text(change, "path") ?? name;
      const unified = text(change, "unified_diff", "diff", "unified");
      if (unified) found.push({ path: where, oldText: "", newText: "", unified });
      else if (typeof change?.content === "string") found.push({ path: where, oldText: "", newText: change.content });
      else add(change, where);
    }
  }
  return found;
}
