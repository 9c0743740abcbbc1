// Short notices at the edge. They are read out; one that offers to do something stays longer, and while one points at it.

import { h } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { icon } from "./icons.js";

const most = 4;
let region = null;

function place() {
  if (!region) {
    region = h("div", { class: "toasts", role: "region", "aria-label": t("shell.notices") });
    document.body.append(region);
  }
  return region;
}

const icons = { ok: "check", warn: "warning", danger: "error" };

/** Shows a notice. `kind`: ok, warn, danger or nothing; `timeout` in milliseconds, 0 for until it is closed. Returns a function that
 * takes it away. */
export function toast(text, { action, kind, timeout = action ? 10_000 : kind === "danger" ? 12_000 : 5_000 } = {}) {
  const element = h("div", { class: `toast ${kind ?? ""}`.trim(), role: kind === "danger" ? "alert" : "status" });
  let timer = null;
  const close = () => {
    clearTimeout(timer);
    element.remove();
  };
  const start = () => {
    clearTimeout(timer);
    if (timeout > 0) timer = setTimeout(close, timeout);
  };
  place().append(element);
  while (region.children.length > most) region.firstChild.remove();
  // What is put into a live region after it is there is read out.
  if (icons[kind]) element.append(icon(icons[kind]));
  element.append(h("span", { class: "toast-text" }, text));
  if (action) {
    element.append(h("button", {
      type: "button", class: "button quiet", on: { click: () => { close(); action.run(); } },
    }, action.label));
  }
  element.append(h("button", { type: "button", class: "icon-button", "aria-label": t("shell.close"), on: { click: close } }, icon("close")));
  element.addEventListener("pointerenter", () => clearTimeout(timer));
  element.addEventListener("pointerleave", start);
  element.addEventListener("focusin", () => clearTimeout(timer));
  element.addEventListener("focusout", start);
  start();
  return close;
}
