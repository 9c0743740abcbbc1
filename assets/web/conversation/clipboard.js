// The clipboard, and a button that copies.

import { h, replace } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { icon } from "../ui/icons.js";

/** Whether the text is on the clipboard now. Where the page may not write there (a frame, plain HTTP), a field that is
 * copied from by the browser's own command does. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = h("textarea", { class: "visually-hidden", value: text, "aria-hidden": "true" });
    const focused = document.activeElement;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    focused?.focus?.({ preventScroll: true });
    return done;
  }
}

/** A button that copies what `text()` says, and shows for a moment that it has. */
export function copyButton(text, label = t("conversation.copy")) {
  const button = h("button", { type: "button", class: "icon-button small", "aria-label": label, title: label }, icon("copy", { size: 14 }));
  let timer = 0;
  button.addEventListener("click", async (event) => {
    event.stopPropagation();
    const done = await copyText(text());
    clearTimeout(timer);
    replace(button, icon(done ? "check" : "error", { size: 14 }));
    button.setAttribute("aria-label", t(done ? "conversation.copied" : "conversation.copyFailed"));
    timer = setTimeout(() => {
      replace(button, icon("copy", { size: 14 }));
      button.setAttribute("aria-label", label);
    }, 1500);
  });
  return button;
}
