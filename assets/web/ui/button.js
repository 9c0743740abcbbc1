// Buttons.

import { h } from "../core/dom.js";
import { keyCaps } from "../core/keys.js";
import { icon } from "./icons.js";
import { tooltip } from "./tooltip.js";

/** A button that shows an icon alone. Its label is read out, and shown beside it on hover and focus.
 * @param label a text, or a function that returns one in the language of the moment */
export function iconButton(name, label, run, { kind = "", shortcut, props = {} } = {}) {
  const text = typeof label === "function" ? label : () => label;
  const button = h("button", {
    type: "button", class: `icon-button ${kind}`.trim(), "aria-label": text(), ...props, on: { ...props.on, click: run },
  }, icon(name));
  tooltip(button, () => {
    button.setAttribute("aria-label", text());
    return shortcut ? `${text()}  ${keyCaps(shortcut).join(" ")}` : text();
  });
  return button;
}

/** A button with words and perhaps an icon. `kind`: primary, danger, quiet or nothing. */
export function button(label, run, { kind = "", iconName, props = {} } = {}) {
  return h("button", { type: "button", class: `button ${kind}`.trim(), ...props, on: { ...props.on, click: run } },
    iconName ? icon(iconName) : null, h("span", null, label));
}

/** The caps of a key, as in `Ctrl` `K`. */
export function keyHint(keys) {
  return h("span", { class: "keys" }, keyCaps(keys).map((cap) => h("kbd", null, cap)));
}
