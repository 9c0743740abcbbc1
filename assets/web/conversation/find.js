// Finding words in the conversation: the browser's own search sees only what is in the page at the moment.

import { h } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { iconButton } from "../ui/button.js";
import { textOf } from "./transcript.js";

const mostMarked = 500;
const slice = 10; // milliseconds of searching at a time

/** Where a word, in lower case, is in an element; at most `most` places. */
export function rangesOf(root, word, most) {
  const ranges = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (ranges.length < most && walker.nextNode()) {
    const node = walker.currentNode;
    const text = node.data.toLowerCase();
    for (let i = text.indexOf(word); i >= 0 && ranges.length < most && i + word.length <= node.length; i = text.indexOf(word, i + word.length)) {
      const range = new Range();
      range.setStart(node, i);
      range.setEnd(node, i + word.length);
      ranges.push(range);
    }
  }
  return ranges;
}

/** `goTo(row, word)` shows a row and returns the range of the word in it, or null; `rows()` are all of them, nested ones too; `loadAll()` brings what is older. */
export function findBar({ rows, goTo, loadAll, hasOlder, onClose }) {
  let word = "";
  let matches = [];
  let at = -1;
  let now = null; // the range that was gone to
  const input = h("input", { type: "search", class: "find-input", placeholder: t("conversation.find"), "aria-label": t("conversation.find"), spellcheck: false, autocomplete: "off" });
  const count = h("span", { class: "find-count", role: "status" });
  const older = h("button", { type: "button", class: "button small quiet", hidden: true, on: { click: everything } }, t("conversation.findOlder"));
  const element = h("div", { class: "find-bar", role: "search", hidden: true }, input, count, older,
    iconButton("up", () => t("conversation.findPrevious"), () => step(-1), { kind: "small" }),
    iconButton("down", () => t("conversation.findNext"), () => step(1), { kind: "small" }),
    iconButton("close", () => t("shell.close"), close, { kind: "small" }));

  let timer = 0;
  let turn = 0; // of searching: a newer one ends the one before
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      if (!await search()) return;
      // The newest first: that is where one is.
      at = matches.length;
      step(-1);
    }, 120);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") step(event.shiftKey ? 1 : -1);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  /** Looks through all rows, in slices: there may be megabytes. False when another search has begun meanwhile. */
  async function search() {
    const mine = ++turn;
    word = input.value.trim().toLowerCase();
    older.hidden = word === "" || !hasOlder();
    const found = [];
    let deadline = performance.now() + slice;
    for (const row of word === "" ? [] : rows()) {
      if (textOf(row).toLowerCase().includes(word)) found.push(row);
      if (performance.now() < deadline) continue;
      await new Promise((resume) => setTimeout(resume, 0));
      if (mine !== turn) return false;
      deadline = performance.now() + slice;
    }
    matches = found;
    return true;
  }

  function step(by) {
    if (matches.length > 0) {
      at = (at + by + matches.length) % matches.length;
      now = goTo(matches[at], word);
    }
    count.textContent = word === "" ? "" : matches.length === 0 ? t("conversation.findNone") : t("conversation.findCount", { at: at + 1, of: matches.length });
    mark();
  }

  async function everything() {
    older.disabled = true;
    try {
      await loadAll();
      const before = matches.length;
      if (!await search()) return;
      // The one that is shown stays; those before it are new.
      at = Math.max(at, 0) + matches.length - before;
      step(before === 0 ? 0 : -1);
    } finally {
      older.disabled = false;
    }
  }

  /** Marks the word wherever it is in the page. Ranges, not elements: nothing is changed. */
  function mark() {
    const highlights = CSS.highlights;
    if (!highlights) return;
    highlights.delete("find");
    highlights.delete("find-now");
    if (word === "" || element.hidden) return;
    const root = element.parentElement?.querySelector(".feed");
    const ranges = root ? rangesOf(root, word, mostMarked) : [];
    highlights.set("find", new Highlight(...ranges));
    if (!now) return;
    const current = new Highlight(now);
    current.priority = 1;
    highlights.set("find-now", current);
  }

  function close() {
    if (element.hidden) return;
    element.hidden = true;
    mark();
    onClose();
  }

  return {
    element, close,
    get isOpen() {
      return !element.hidden;
    },
    open() {
      element.hidden = false;
      input.focus();
      input.select();
      if (input.value) input.dispatchEvent(new Event("input"));
    },
    refresh: () => {
      if (!element.hidden) mark();
    },
  };
}
