// A word beside what one points at or has focused by keyboard. Escape takes it away.

import { h } from "../core/dom.js";

const delay = 450;
let shown = null;
let timer = null;
let bubble = null;

/** Shows `text` (or what the function returns) beside `element`. The text is no one's label: elements need one of their own. */
export function tooltip(element, text) {
  const content = typeof text === "function" ? text : () => text;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(() => show(element, content()), shown ? 0 : delay);
  };
  element.addEventListener("pointerenter", (event) => {
    if (event.pointerType === "mouse") later();
  });
  element.addEventListener("pointerleave", hide);
  element.addEventListener("pointerdown", hide);
  element.addEventListener("focus", () => {
    if (element.matches(":focus-visible")) later();
  });
  element.addEventListener("blur", hide);
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && shown) hide();
  });
}

function show(element, text) {
  if (!text || !element.isConnected) return;
  hide();
  bubble ??= h("div", { class: "tooltip", popover: "manual", "aria-hidden": "true" });
  bubble.textContent = text;
  document.body.append(bubble);
  bubble.showPopover?.();
  shown = element;
  const target = element.getBoundingClientRect();
  const own = bubble.getBoundingClientRect();
  const above = target.top - own.height - 6;
  const top = target.bottom + 6 + own.height < innerHeight ? target.bottom + 6 : Math.max(4, above);
  const left = Math.min(Math.max(4, target.left + target.width / 2 - own.width / 2), innerWidth - own.width - 4);
  bubble.style.setProperty("top", `${top}px`);
  bubble.style.setProperty("left", `${left}px`);
}

function hide() {
  clearTimeout(timer);
  timer = null;
  if (!shown) return;
  shown = null;
  bubble.remove();
}
