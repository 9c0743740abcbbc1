// What changed in a file, one column or two.

import { h, replace } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { store } from "../core/store.js";
import { icon } from "../ui/icons.js";
import { appendTokens } from "./code-view.js";
import { copyButton } from "./clipboard.js";
import { countChanges, diffTexts, markWithin, parseUnified, sideBySide } from "./diff.js";
import { languageOfPath, tokenizeLine } from "./highlight.js";
import { oneLine } from "./text.js";

const peekLines = 24;
const linesAtOnce = 150;
const mostUnchanged = 1000; // lines that a gap shows
const mostCharacters = 4_000_000; // of both texts; more is not compared
const models = new WeakMap();

/** [{path, hunks, added, removed, isNew, isDeleted}] of a diff event's data, worked out once. */
export function modelOf(data) {
  let model = models.get(data);
  if (!model) models.set(data, model = build(data));
  return model;
}

function build({ path, oldText, newText, unified }) {
  const both = typeof oldText === "string" || typeof newText === "string";
  if (both && (oldText?.length ?? 0) + (newText?.length ?? 0) <= mostCharacters) {
    const hunks = diffTexts(oldText ?? "", newText ?? "");
    return [{ path, hunks, oldText: oldText ?? "", ...countChanges(hunks), isNew: !oldText, isDeleted: typeof newText !== "string" }];
  }
  if (typeof unified === "string" && unified.length <= mostCharacters) {
    return parseUnified(unified).map((file) => ({
      path: file.newPath ?? file.oldPath ?? path, hunks: file.hunks, ...countChanges(file.hunks),
      isNew: file.oldPath === null, isDeleted: file.newPath === null,
    }));
  }
  return [{ path, hunks: [], added: 0, removed: 0, tooLarge: true }];
}

/** How much all of a tool's diffs change. */
export function changesOf(diffs) {
  const sum = { added: 0, removed: 0 };
  for (const data of diffs) {
    for (const file of modelOf(data)) {
      sum.added += file.added;
      sum.removed += file.removed;
    }
  }
  return sum;
}

/** `+n −m`, in words for who listens. */
export function changesElement({ added, removed }) {
  return h("span", { class: "changes", role: "img", "aria-label": t("conversation.changes", { added, removed }) },
    added > 0 ? h("span", { class: "added" }, `+${added}`) : null, removed > 0 ? h("span", { class: "removed" }, `\u2212${removed}`) : null);
}

/** Changes how all diffs are shown, from now on. */
function modeButton() {
  const isSplit = () => store.preferences.peek().diffMode === "split";
  return h("button", {
    type: "button", class: "icon-button small diff-mode", "aria-label": t("conversation.diffMode"), title: t("conversation.diffMode"),
    on: { click: () => store.setPreference("diffMode", isSplit() ? "unified" : "split") },
  }, icon("split", { size: 14 }));
}

export class DiffView {
  #file;
  #mode;
  #all;
  #body = h("div", { class: "diff-body", tabIndex: 0, role: "group" });
  #foot = h("div", { class: "output-foot" });
  #timer = 0;
  #options;

  /** `mode`: unified or split. `changed()` before the person changes the height; `onToggle(all)` after. */
  constructor(file, { mode = "unified", all = false, changed = () => {}, onToggle = () => {} } = {}) {
    this.#file = file;
    this.#mode = mode;
    this.#all = all;
    this.#options = { changed, onToggle };
    const path = oneLine(file.path ?? "", 400);
    const slash = path.lastIndexOf("/") + 1;
    this.#body.setAttribute("aria-label", t("conversation.diffOf", { path }));
    this.element = h("div", { class: "diff" },
      h("div", { class: "diff-head" },
        h("span", { class: "diff-path", title: path }, slash > 0 ? h("bdi", { class: "diff-folder" }, path.slice(0, slash)) : null, h("bdi", null, path.slice(slash))),
        file.isNew ? h("span", { class: "conv-badge" }, t("conversation.newFile")) : null,
        file.isDeleted ? h("span", { class: "conv-badge" }, t("conversation.deletedFile")) : null,
        changesElement(file), modeButton(), copyButton(() => file.path ?? "", t("conversation.copyPath"))),
      this.#body, this.#foot);
    this.#draw();
  }

  setMode(mode) {
    if (this.#mode === mode) return;
    this.#mode = mode;
    this.#draw();
  }

  dispose() {
    cancelAnimationFrame(this.#timer);
  }

  #draw() {
    cancelAnimationFrame(this.#timer);
    const { hunks, tooLarge } = this.#file;
    const total = hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0);
    const limit = this.#all || total <= peekLines + 6 ? Infinity : peekLines;
    this.element.classList.toggle("split", this.#mode === "split");
    replace(this.#body);
    if (tooLarge || total === 0) {
      this.#body.append(h("p", { class: "diff-none" }, t(tooLarge ? "conversation.diffTooLarge" : "conversation.diffEmpty")));
      this.#foot.hidden = true;
      return;
    }
    const steps = this.#steps(limit);
    const step = () => {
      const deadline = performance.now() + 8;
      do if (steps.next().done) return; while (performance.now() < deadline);
      this.#timer = requestAnimationFrame(step);
    };
    step();
    this.#foot.hidden = total <= peekLines + 6;
    replace(this.#foot, h("button", {
      type: "button", class: "more-button", "aria-expanded": this.#all,
      on: {
        click: () => {
          this.#options.changed();
          this.#all = !this.#all;
          this.#options.onToggle(this.#all);
          this.#draw();
        },
      },
    }, this.#all ? t("conversation.showLess") : t("conversation.showAllLines", { count: total })));
  }

  /** What stands for lines that are the same; it shows them where they are known. */
  #gap(from, count, { oldStart, newStart, section }) {
    const words = count > 0 ? t("conversation.unchangedLines", { count }) : "";
    const { oldText } = this.#file;
    if (count <= 0 || oldText === undefined) {
      return h("div", { class: "diff-gap" }, words, section ? h("span", { class: "diff-section" }, oneLine(section, 200)) : null);
    }
    const button = h("button", { type: "button", class: "diff-gap more-button" }, words);
    button.addEventListener("click", () => {
      this.#options.changed();
      const shown = oldText.split("\n").slice(from - 1, from - 1 + count);
      const language = languageOfPath(this.#file.path);
      const states = { old: null, new: null };
      const block = h("div", { class: "diff-block" });
      shown.slice(0, mostUnchanged).forEach((text, index) => {
        const old = from + index;
        const line = { op: " ", text, old, new: old + newStart - oldStart };
        tokens(line, language, states);
        if (this.#mode === "split") block.append(side(line, "old"), side(line, "new"));
        else block.append(...single(line));
      });
      button.replaceWith(block);
    });
    return button;
  }

  /** Appends a few lines with each step. */
  *#steps(limit) {
    const language = languageOfPath(this.#file.path);
    let left = limit;
    let end = 1; // the line of the old file after the last hunk
    for (const hunk of this.#file.hunks) {
      if (left <= 0) return;
      const skipped = hunk.oldStart - end;
      if (skipped > 0 || hunk.section) this.#body.append(this.#gap(end, skipped, hunk));
      const lines = hunk.lines.slice(0, left);
      left -= lines.length;
      markWithin(lines);
      const states = { old: null, new: null };
      for (let i = 0; i < lines.length; i += linesAtOnce) {
        const part = lines.slice(i, i + linesAtOnce);
        for (const line of part) tokens(line, language, states);
        const block = h("div", { class: "diff-block" });
        if (this.#mode === "split") for (const [before, after] of sideBySide(part)) block.append(side(before, "old"), side(after, "new"));
        else for (const line of part) block.append(...single(line));
        this.#body.append(block);
        yield;
      }
      const last = hunk.lines.findLast((line) => line.old);
      end = last ? last.old + 1 : hunk.oldStart;
    }
  }
}

function tokens(line, language, states) {
  if (line.tokens) return;
  if (!language) {
    line.tokens = [["", line.text]];
    return;
  }
  const side = line.op === "-" ? "old" : "new";
  const { tokens: found, state } = tokenizeLine(language, line.text, states[side]);
  line.tokens = found;
  states[side] = state;
  if (line.op === " ") states.old = state;
}

const classes = { "+": "add", "-": "del", " ": "same" };
const signs = { "+": "+", "-": "\u2212", " ": " " };

function words(line) {
  const code = document.createElement("code");
  code.className = `diff-text ${classes[line.op]}`;
  if (line.marks) {
    // The tokens, cut where marks begin and end.
    let at = 0;
    for (const [kind, text] of line.tokens) {
      let from = 0;
      while (from < text.length) {
        const here = at + from;
        const mark = line.marks.find(([, end]) => end > here);
        const isIn = mark && mark[0] <= here;
        const until = Math.min(text.length, (isIn ? mark[1] : mark ? mark[0] : Infinity) - at);
        const holder = isIn ? document.createElement("mark") : code;
        appendTokens(holder, [[kind, text.slice(from, until)]]);
        if (isIn) code.append(holder);
        from = until;
      }
      at += text.length;
    }
  } else appendTokens(code, line.tokens);
  code.append("\n");
  if (line.noEnd) code.append(h("span", { class: "diff-no-end", title: t("conversation.noEndOfLine") }, "\u2300"));
  return code;
}

function numberCell(number, kind) {
  const cell = document.createElement("span");
  cell.className = `diff-number ${kind}`;
  if (number) cell.textContent = number;
  return cell;
}

function signCell(line) {
  const cell = document.createElement("span");
  cell.className = `diff-sign ${classes[line.op]}`;
  cell.textContent = signs[line.op];
  return cell;
}

function single(line) {
  const kind = classes[line.op];
  return [numberCell(line.old, kind), numberCell(line.new, kind), signCell(line), words(line)];
}

function side(line, which) {
  const cell = document.createElement("div");
  cell.className = `diff-side ${line ? classes[line.op] : "none"}`;
  if (line) cell.append(numberCell(line[which], classes[line.op]), signCell(line), words(line));
  return cell;
}
