// A program's output: its last lines, or all of it on demand, with the colours it asked for.

import { h, replace } from "../core/dom.js";
import { formatNumber } from "../core/format.js";
import { t } from "../core/i18n.js";
import { parseAnsi } from "./ansi.js";
import { copyButton } from "./clipboard.js";
import { safeCut, visible } from "./text.js";

const peekLines = 8;
const peekCharacters = 6000;
const mostLines = 5000; // that are shown; the clipboard gets all
const longestLine = 4000;
const linesAtOnce = 200;

function lineElement(spans) {
  const line = document.createElement("span");
  let left = longestLine;
  for (const { text, fg, bg, bold, dim, italic, underline, inverse } of spans) {
    if (left <= 0) {
      line.append("\u2026");
      break;
    }
    const shown = visible(text.length > left ? text.slice(0, safeCut(text, left)) : text);
    left -= text.length;
    if (!fg && !bg && !bold && !dim && !italic && !underline && !inverse) {
      line.append(shown);
      continue;
    }
    const span = document.createElement("span");
    const classes = [];
    if (bold) classes.push("ansi-bold");
    if (dim) classes.push("ansi-dim");
    if (italic) classes.push("ansi-italic");
    if (underline) classes.push("ansi-underline");
    if (inverse) classes.push("ansi-inverse");
    // The program's own colours only where they are the palette's: others may not be legible on this page's ground.
    if (fg) classes.push(fg.startsWith("#") ? "ansi-own" : `ansi-${fg}`);
    if (bg && !bg.startsWith("#")) classes.push(`ansi-bg-${bg}`);
    span.className = classes.join(" ");
    if (fg?.startsWith("#")) span.style.setProperty("--ansi", fg);
    span.textContent = shown;
    line.append(span);
  }
  line.append("\n");
  return line;
}

function countLines(text) {
  let lines = 1;
  for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) lines++;
  return text.endsWith("\n") ? lines - 1 : lines;
}

export class OutputView {
  #code = h("code");
  #pre;
  #foot = h("div", { class: "output-foot" });
  #text = "";
  #all = false;
  #timer = 0;
  #changed;

  /** `changed()` is called before the person changes its height. */
  constructor({ label, all = false, changed = () => {}, onToggle = () => {} }) {
    this.#all = all;
    this.#changed = changed;
    this.onToggle = onToggle;
    this.#pre = h("pre", { tabIndex: 0, role: "group", "aria-label": label }, this.#code);
    this.element = h("div", { class: "output" }, h("div", { class: "output-copy" }, copyButton(() => this.#text)), this.#pre, this.#foot);
  }

  update(text) {
    if (text === this.#text && this.#code.childNodes.length > 0) return;
    this.#text = text;
    this.#draw();
  }

  #draw() {
    cancelAnimationFrame(this.#timer);
    const text = this.#text.endsWith("\n") ? this.#text.slice(0, -1) : this.#text;
    const count = countLines(text);
    this.#pre.classList.toggle("peek", !this.#all);
    if (!this.#all) {
      const tail = text.length > peekCharacters ? text.slice(safeCut(text, text.length - peekCharacters)) : text;
      const lines = parseAnsi(tail).slice(-peekLines);
      replace(this.#code, lines.map(lineElement));
    } else this.#drawAll(text);
    const hidden = count - peekLines;
    const isCut = hidden > 0 || text.length > peekCharacters;
    replace(this.#foot, isCut ? h("button", {
      type: "button", class: "more-button", "aria-expanded": this.#all,
      on: {
        click: () => {
          this.#changed();
          this.#all = !this.#all;
          this.onToggle(this.#all);
          this.#draw();
        },
      },
    }, this.#all ? t("conversation.showLess") : t("conversation.showAllLines", { count, number: formatNumber(count) })) : null);
    this.#foot.hidden = !isCut;
  }

  // In slices: thousands of lines would hold the page up.
  #drawAll(text) {
    let cut = text;
    let omitted = 0;
    const count = countLines(text);
    if (count > mostLines || text.length > mostLines * 200) {
      cut = text.slice(safeCut(text, Math.max(0, text.length - mostLines * 200)));
      const lines = cut.split("\n");
      cut = lines.slice(-mostLines).join("\n");
      omitted = count - countLines(cut);
    }
    const lines = parseAnsi(cut);
    replace(this.#code, omitted > 0 ? h("span", { class: "output-omitted" }, t("conversation.linesOmitted", { count: omitted }) + "\n") : null);
    let at = 0;
    const step = () => {
      const block = h("span", { class: "output-block" });
      for (const end = Math.min(lines.length, at + linesAtOnce); at < end; at++) block.append(lineElement(lines[at]));
      this.#code.append(block);
      if (at < lines.length) this.#timer = requestAnimationFrame(step);
    };
    step();
  }

  dispose() {
    cancelAnimationFrame(this.#timer);
  }
}
