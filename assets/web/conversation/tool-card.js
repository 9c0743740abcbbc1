// What a tool was called with, what it says while it runs, what came of it.

import { h, replace } from "../core/dom.js";
import { formatDuration } from "../core/format.js";
import { effect, untracked } from "../core/signal.js";
import { t } from "../core/i18n.js";
import { store } from "../core/store.js";
import { icon } from "../ui/icons.js";
import { changesElement, changesOf, DiffView, modelOf } from "./diff-view.js";
import { CodeView } from "./code-view.js";
import { OutputView } from "./output-view.js";
import { oneLine } from "./text.js";
import { outputOf } from "./transcript.js";

const icons = {
  read: "file", edit: "edit", delete: "trash", move: "folder", search: "search", execute: "terminal", think: "think", fetch: "globe",
  agent: "robot", other: "bolt",
};
const longestArguments = 20_000;

export function toolCard(item, context) {
  const { key } = item.row;
  const kind = h("span", { class: "tool-kind" });
  const name = h("span", { class: "tool-name" });
  const title = h("bdi", { class: "tool-title" });
  const facts = h("span", { class: "tool-facts" });
  const state = h("span", { class: "tool-state" });
  const head = h("button", {
    type: "button", class: "tool-head", on: {
      click: () => {
        context.hold();
        context.setOpen(key, !context.isOpen(key));
      },
    },
  }, kind, name, title, facts, state, icon("chevron", { size: 12 }));
  const body = h("div", { class: "tool-body" });
  const element = h("section", { class: "tool conv-card" }, head, body);
  const parts = { args: null, output: null, diffs: [], child: null };
  let drawnKind = null;
  let row = item.row;
  let stopMode = null;

  function update(next) {
    row = next.row;
    const isOpen = context.isOpen(key);
    const isRunning = !row.result && !row.left && row.status !== "failed";
    if (drawnKind !== row.toolKind) replace(kind, icon(Object.hasOwn(icons, drawnKind = row.toolKind) ? icons[drawnKind] : "bolt", { size: 14 }));
    const words = oneLine(row.title || "", 400);
    const label = oneLine(row.name || row.toolKind, 60);
    // A command, and a title that begins with the tool's name, need no name before them.
    const isTold = words !== "" && (row.toolKind === "execute" || words.toLowerCase().startsWith(label.toLowerCase()));
    name.textContent = isTold ? "" : label;
    title.textContent = words;
    title.title = words;
    title.classList.toggle("mono", row.toolKind === "execute" || /^[\w./~-]+\/[\w./-]+$/.test(words));
    drawFacts(isRunning);
    const status = isRunning ? "running" : row.status === "failed" ? "failed" : row.status === "cancelled" || row.left ? "cancelled" : "completed";
    element.dataset.status = status;
    replace(state, status === "running" ? h("span", { class: "spinner", role: "img", "aria-label": t("conversation.running") })
      : h("span", { role: "img", "aria-label": t(`conversation.tool.${status}`) }, icon({ failed: "error", cancelled: "stop", completed: "check" }[status], { size: 14 })));
    head.setAttribute("aria-expanded", String(isOpen));
    drawBody(isOpen, isRunning, status);
  }

  function drawFacts() {
    const all = [];
    if (row.diffs.length > 0) all.push(changesElement(changesOf(row.diffs)));
    if (typeof row.result?.exitCode === "number" && row.result.exitCode !== 0) all.push(h("span", { class: "conv-badge danger" }, t("conversation.exit", { code: String(row.result.exitCode) })));
    const took = row.endedAt ? new Date(row.endedAt) - new Date(row.ts) : 0;
    if (took >= 1000) all.push(h("span", { class: "muted" }, formatDuration(took)));
    replace(facts, all);
  }

  function drawBody(isOpen, isRunning, status) {
    const output = outputOf(row);
    const wantsArguments = isOpen && row.args != null && argumentsOf(row) !== "";
    if (wantsArguments && !parts.args) {
      const text = argumentsOf(row);
      parts.args = new CodeView({ info: row.toolKind === "execute" && typeof row.args?.command === "string" ? "sh" : "json", text: () => argumentsOf(row) });
      parts.args.update(text.slice(0, longestArguments).split("\n"), false);
      parts.args.element.classList.add("tool-args");
    } else if (!wantsArguments) parts.args = null;

    // Of what runs commands, and of what failed, the last lines are always seen; all else only on demand.
    const wantsOutput = output !== "" && (isOpen || status === "failed" || (row.toolKind === "execute") || (isRunning && row.output));
    if (wantsOutput && (!parts.output || parts.wasOpen !== isOpen)) {
      parts.output?.dispose();
      parts.output = new OutputView({ label: t("conversation.output"), changed: context.hold, all: context.isOpen(`${key} output`), onToggle: (all) => context.keepOpen(`${key} output`, all) });
    } else if (!wantsOutput) {
      parts.output?.dispose();
      parts.output = null;
    }
    parts.wasOpen = isOpen;
    parts.output?.update(output);

    if (row.diffs.length > 0 && parts.drawn !== row.diffs.length) {
      for (const each of parts.diffs) each.dispose();
      parts.drawn = row.diffs.length;
      parts.diffs = row.diffs.slice(0, 100).flatMap((data, index) => modelOf(data).map((file, part) => {
        const own = `${key} diff ${index} ${part}`;
        return new DiffView(file, { mode: context.diffMode(), all: context.isOpen(own), changed: context.hold, onToggle: (all) => context.keepOpen(own, all) });
      }));
      stopMode ??= untracked(() => effect(() => {
        void store.preferences.value;
        void context.width.value;
        for (const each of parts.diffs) each.setMode(context.diffMode());
      }));
    }
    const children = row.children.length > 0 ? childLine(isOpen) : null;
    const shown = [children, parts.args?.element, ...parts.diffs.map((each) => each.element), parts.output?.element].filter(Boolean);
    body.hidden = shown.length === 0;
    const isSame = shown.length === body.childNodes.length && shown.every((each, index) => body.childNodes[index] === each);
    if (!isSame) replace(body, shown);
  }

  /** A subagent: how many steps it took, and what it is at. Its rows stand below the card when it is open. */
  function childLine(isOpen) {
    parts.child ??= h("div", { class: "tool-children" });
    const last = row.children.findLast((each) => each.kind === "tool" || each.kind === "message");
    const doing = last ? oneLine(last.kind === "tool" ? last.title || last.name : last.text.text.slice(-400), 160) : "";
    replace(parts.child, icon("robot", { size: 13 }), h("span", null, t("conversation.steps", { count: row.children.length })),
      isOpen ? null : h("span", { class: "muted tool-doing", dir: "auto" }, doing));
    return parts.child;
  }

  return {
    element, update,
    isWide: () => row.diffs.length > 0 && context.diffMode() === "split",
    dispose() {
      stopMode?.();
      parts.output?.dispose();
      for (const each of parts.diffs) each.dispose();
    },
  };
}

function argumentsOf({ args, toolKind, diffs }) {
  if (args == null) return "";
  if (typeof args === "string") return args;
  if (toolKind === "execute" && typeof args.command === "string") return args.command;
  if (toolKind === "execute" && Array.isArray(args.command)) return args.command.join(" ");
  // What a diff shows needn't be said twice.
  const shown = diffs.length > 0
    ? Object.fromEntries(Object.entries(args).filter(([name]) => !/^(?:old|new)_?(?:string|text|str)$|^content$|^changes$|^edits$/i.test(name)))
    : args;
  return Object.keys(shown).length > 0 ? JSON.stringify(shown, null, 2) : "";
}
