// Trees of Markdown as elements: text nodes and a fixed set of elements, nothing that the text could choose.

import { h } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { CodeView } from "./code-view.js";
import { plainText } from "./inline.js";
import { parseSegment } from "./markdown.js";
import { imageAddress, oneLine, safeAddress, visible } from "./text.js";

function appendInline(parent, nodes) {
  for (const node of nodes) {
    if (typeof node === "string") parent.append(visible(node));
    else if (node.t === "code") parent.append(h("code", { class: "md-code" }, visible(node.s)));
    else if (node.t === "br") parent.append(h("br"));
    else if (node.t === "link") parent.append(linkElement(node));
    else if (node.t === "image") parent.append(imageElement(node));
    else {
      const element = h(node.t);
      appendInline(element, node.c);
      parent.append(element);
    }
  }
  return parent;
}

/** A link goes where it says: the target's host stands beside words that don't say it. Only http, https and mailto can
 * be followed, by a click; everything else is text with its target. */
function linkElement({ href, c }) {
  const address = safeAddress(href);
  if (!address) {
    const element = h("span", { class: "md-path", title: visible(href) });
    appendInline(element, c);
    if (href !== "" && plainText(c) !== href) element.append(h("span", { class: "md-target" }, ` (${oneLine(href, 200)})`));
    return element;
  }
  const element = h("a", { class: "md-link", href: address.href, rel: "noopener noreferrer", target: "_blank", title: visible(address.href) });
  appendInline(element, c);
  const words = plainText(c).trim().toLowerCase().replace(/\/$/, "");
  const target = address.href.toLowerCase().replace(/\/$/, "");
  const tells = words === target || words === address.host || target === `https://${words}` || target === `mailto:${words}`;
  return tells ? element : h("span", { class: "md-linked" }, element, h("span", { class: "md-target" }, ` (${visible(address.host)})`));
}

/** A picture is only loaded when it is within the text itself. */
function imageElement({ src, alt }) {
  const inside = /^data:([a-z]+\/[a-z+.-]+);base64,(.*)$/s.exec(src);
  const own = inside && imageAddress(inside[1], inside[2]);
  if (own) return h("img", { class: "md-image", src: own, alt: oneLine(alt, 300), loading: "lazy" });
  const words = oneLine(alt || t("conversation.image"), 200);
  return h("span", { class: "md-picture" }, linkElement({ href: inside ? "" : src, c: [`\u{1f5bc} ${words}`] }));
}

function blockElement(block, context) {
  switch (block.type) {
    case "heading": {
      const element = h(`h${Math.min(6, block.level + 2)}`, { class: `md-h${block.level}`, dir: "auto" });
      return appendInline(element, block.c);
    }
    case "paragraph":
      return appendInline(h("p", { dir: "auto", class: context.plain ? "md-plain" : null }), block.c);
    case "code": {
      const view = new CodeView({ info: block.info, continued: block.continued, text: context.codeText ?? (() => block.lines.join("\n")) });
      view.update(block.lines, block.continues);
      return view.element;
    }
    case "table":
      return tableElement(block);
    case "quote": {
      const element = h("blockquote");
      appendBlocks(element, block.blocks, context);
      return element;
    }
    case "item":
      return itemElement(block, context);
    default:
      return h("hr");
  }
}

function tableElement({ head, align, rows }) {
  const cell = (tag, nodes, i) => appendInline(h(tag, { dir: "auto", class: align[i] ? `md-${align[i]}` : null, scope: tag === "th" ? "col" : null }), nodes);
  return h("div", { class: "md-table", tabIndex: 0, role: "group", "aria-label": t("conversation.table") },
    h("table", null,
      h("thead", null, h("tr", null, head.map((nodes, i) => cell("th", nodes, i)))),
      h("tbody", null, rows.map((row) => h("tr", null, row.map((nodes, i) => cell("td", nodes, i)))))));
}

function itemElement(block, context) {
  const classes = [block.spaced ? "spaced" : "", block.continued ? "continued" : "", block.task !== null ? "task" : ""].filter(Boolean);
  const element = h("li", { class: classes.join(" ") || null, value: block.ordered && !block.continued ? block.number : null });
  if (block.task !== null) {
    element.append(h("span", { class: `md-box${block.task ? " done" : ""}`, role: "img", "aria-label": t(block.task ? "conversation.done" : "conversation.toDo") }));
  }
  // One paragraph alone needs none of its own.
  const [first, ...rest] = block.blocks;
  if (first?.type === "paragraph") {
    const words = h("span", { dir: "auto", class: "md-item" });
    element.append(appendInline(words, first.c));
    appendBlocks(element, rest, context);
  } else appendBlocks(element, block.blocks, context);
  return element;
}

function appendBlocks(parent, blocks, context) {
  for (const block of blocks) place(parent, blockElement(block, { ...context, codeText: null }), block);
}

/** Puts a block's element behind the others: list items into the list they belong to. */
function place(parent, element, block) {
  if (block.type !== "item") {
    parent.append(element);
    return;
  }
  let list = parent.lastElementChild;
  if (list?.dataset.list !== String(block.list)) {
    list = h(block.ordered ? "ol" : "ul", { dataset: { list: block.list } });
    parent.append(list);
  }
  list.append(element);
}

/** One piece of a text document. What was closed before stays as it is; what is open is made anew, code aside, which grows. */
export class PieceView {
  element = h("div", { class: "md" });
  #shown = []; // {segment, element, code?}

  update(document, index) {
    const segments = document.segmentsOf(index);
    let same = 0;
    while (same < this.#shown.length && same < segments.length && this.#shown[same].segment === segments[same]) same++;
    // A code block that has grown, or was closed, goes on in its element.
    const next = segments[same];
    const growing = this.#shown[same];
    let kept = null;
    if (growing?.code && next && next.at === growing.segment.at && (next.type === "code" || next.type === "indented")) {
      growing.code.update(next.lines, next.continues);
      growing.segment = next;
      kept = growing;
    }
    const from = kept ? same + 1 : same;
    for (const { element } of this.#shown.splice(from)) {
      const list = element.parentElement;
      element.remove();
      if (list && list !== this.element && list.childElementCount === 0) list.remove();
    }
    for (let i = from; i < segments.length; i++) this.#show(document, segments[i]);
  }

  #show(document, segment) {
    if (segment.type === "code" || segment.type === "indented") {
      const code = new CodeView({ info: segment.info, continued: segment.continued, text: () => document.codeFrom(segment.at) });
      code.update(segment.lines, segment.continues);
      this.element.append(code.element);
      this.#shown.push({ segment, element: code.element, code });
      return;
    }
    const block = parseSegment(segment, document.options);
    const element = blockElement(block, { plain: document.options.plain });
    place(this.element, element, block);
    this.#shown.push({ segment, element });
  }
}
