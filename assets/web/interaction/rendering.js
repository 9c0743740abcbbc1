// The conversation's own ways to show code, diffs and Markdown, as requests need them.

import { h } from "../core/dom.js";
import { CodeView } from "../conversation/code-view.js";
import { TextDocument } from "../conversation/document.js";
import { PieceView } from "../conversation/markdown-view.js";
import { diffTexts, markWithin, parseUnified } from "../conversation/diff.js";
import { visible } from "../conversation/text.js";
import { visible as clipped } from "../core/text.js";

/** Code in a language, coloured. */
export function codeBlock(text, language) {
  const view = new CodeView({ info: language, text: () => text });
  view.update(text.split("\n"), false);
  return view.element;
}

/** Markdown of any length. */
export function markdownBlock(text) {
  const document = new TextDocument({});
  document.follow({ pieces: [text], text }, true);
  while (document.isBehind) document.pump(performance.now() + 1000);
  return {
    element: h("div", { class: "markdown" }, document.pieces.map((piece, index) => {
      const view = new PieceView();
      view.update(document, index);
      return view.element;
    })),
  };
}

/** A change of a file: `{path, oldText, newText, unified?, isPart?}`; of a part the line numbers say nothing. */
export function diffBlock({ path, oldText, newText, unified, isPart }) {
  const hunks = unified ? parseUnified(unified).flatMap((file) => file.hunks) : diffTexts(oldText, newText, isPart ? Infinity : 3);
  const body = h("div", { class: "request-diff-lines" });
  hunks.forEach((hunk, index) => {
    if (index > 0) body.append(h("div", { class: "request-diff-gap", "aria-hidden": "true" }, "⋯"));
    markWithin(hunk.lines);
    for (const line of hunk.lines) body.append(diffLine(line, isPart));
  });
  return {
    element: h("figure", { class: "request-diff" },
      path && h("figcaption", null, h("code", null, clipped(path, 1000))),
      h("div", { class: "request-diff-scroll", tabIndex: 0, role: "group", "aria-label": clipped(path, 300) }, body)),
  };
}

const kinds = { "+": ["is-added", "ins"], "-": ["is-removed", "del"], " ": ["", "span"] };

function diffLine(line, isPart) {
  const [name, tag] = kinds[line.op] ?? kinds[" "];
  const text = h(tag, { class: "request-diff-text" });
  let from = 0;
  for (const [start, end] of line.marks ?? []) {
    text.append(visible(line.text.slice(from, start)), h("mark", null, visible(line.text.slice(start, end))));
    from = end;
  }
  text.append(visible(line.text.slice(from)));
  return h("div", { class: `request-diff-line ${name}`.trim() },
    !isPart && h("span", { class: "request-diff-number", "aria-hidden": "true" }, String(line.op === "-" ? line.old ?? "" : line.new ?? "")),
    h("span", { class: "request-diff-sign", "aria-hidden": "true" }, line.op), text);
}
