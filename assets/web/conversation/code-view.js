// A block of code: coloured line by line, so that a line that is added costs that line.

import { h } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { languageOf, tokenizeLine } from "./highlight.js";
import { copyButton } from "./clipboard.js";
import { oneLine, visible } from "./text.js";

let wraps = false; // as the person chose last

/** Token elements of one line appended to `parent`. */
export function appendTokens(parent, tokens) {
  for (const [kind, text] of tokens) {
    if (kind === "") parent.append(visible(text));
    else {
      const span = document.createElement("span");
      span.className = `tk-${kind}`;
      span.textContent = visible(text);
      parent.append(span);
    }
  }
}

export class CodeView {
  #code = h("code");
  #lines = [];
  #states = [];
  #language;

  /** `info`: what stands behind the fence. `text()`: all of the code, for the clipboard. */
  constructor({ info = "", continued = false, text }) {
    const name = info.split(/[\s{,]/, 1)[0];
    this.#language = languageOf(name);
    const pre = h("pre", { tabIndex: 0, "aria-label": name ? t("conversation.codeIn", { language: oneLine(name, 40) }) : t("conversation.code"), role: "group" }, this.#code);
    this.element = h("div", { class: `code${continued ? " continued" : ""}${wraps ? " wrapped" : ""}` });
    if (!continued) {
      const wrap = h("button", {
        type: "button", class: "icon-button small code-wrap", "aria-pressed": wraps, "aria-label": t("conversation.wrap"), title: t("conversation.wrap"),
        on: {
          click: () => {
            wraps = !this.element.classList.contains("wrapped");
            wrap.setAttribute("aria-pressed", String(wraps));
            // The parts of one block go on in the elements that follow.
            for (let part = this.element; part?.classList.contains("code"); part = part.nextElementSibling) {
              part.classList.toggle("wrapped", wraps);
              if (!part.classList.contains("continues")) break;
            }
          },
        },
      }, "↩");
      this.element.append(h("div", { class: "code-head" }, h("span", { class: "code-name" }, oneLine(name, 40)), wrap, copyButton(text)));
    }
    this.element.append(pre);
  }

  update(lines, continues) {
    this.element.classList.toggle("continues", continues);
    let same = 0;
    while (same < this.#lines.length && same < lines.length && this.#lines[same] === lines[same]) same++;
    while (this.#code.childNodes.length > same) this.#code.lastChild.remove();
    this.#lines.length = same;
    for (let i = same; i < lines.length; i++) {
      const { tokens, state } = tokenizeLine(this.#language, lines[i], i > 0 ? this.#states[i - 1] : null);
      const line = document.createElement("span");
      appendTokens(line, tokens);
      line.append("\n");
      this.#code.append(line);
      this.#lines.push(lines[i]);
      this.#states[i] = state;
    }
  }
}
