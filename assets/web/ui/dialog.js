// Dialogs on the browser's own <dialog>: it keeps the focus inside, ends with Escape and gives the focus back.

import { h, replace } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { icon } from "./icons.js";

let count = 0;

/** Opens a dialog.
 * @param actions `{label, kind?: primary|danger, run, disabled?}`: the dialog ends after `run` unless it returns false; one that returns a promise is
 *   waited for, and what it is rejected with is shown in the dialog.
 * @param options `class` for the dialog's size or look, `onClose`, `wide`.
 * @returns `{element, close(), fail(error), setActions(actions)}` */
export function openDialog({ title, body, actions = [], onClose, class: extra = "", initialFocus }) {
  const id = `dialog-${++count}`;
  const failure = h("p", { class: "dialog-error", role: "alert", hidden: true });
  const foot = h("footer", { class: "dialog-actions" });
  const content = h("div", { class: "dialog-body" }, body);
  // What is only text and longer than the screen is scrolled by keyboard, too.
  if (!content.querySelector("a[href], button, input, select, textarea, summary, [tabindex]")) content.tabIndex = 0;
  const element = h("dialog", { class: `dialog ${extra}`.trim(), "aria-labelledby": id },
    h("header", { class: "dialog-head" },
      h("h2", { id, class: "dialog-title" }, title),
      h("button", { type: "button", class: "icon-button", "aria-label": t("shell.close"), on: { click: () => close() } }, icon("close"))),
    content,
    failure, foot);
  let isClosed = false;

  function close() {
    if (isClosed) return;
    isClosed = true;
    element.close();
    element.remove();
    onClose?.();
  }

  function fail(error) {
    failure.textContent = typeof error === "string" ? error : error?.message ?? String(error);
    failure.hidden = false;
  }

  async function act(action, button) {
    failure.hidden = true;
    try {
      const outcome = action.run?.();
      if (outcome instanceof Promise) {
        button.disabled = true;
        button.setAttribute("aria-busy", "true");
        if (await outcome === false) return;
      } else if (outcome === false) return;
      close();
    } catch (error) {
      fail(error);
    } finally {
      button.disabled = false;
      button.removeAttribute("aria-busy");
    }
  }

  function setActions(next) {
    foot.hidden = next.length === 0;
    replace(foot, next.map((action) => {
      const button = h("button", { type: "button", class: `button ${action.kind ?? ""}`.trim(), disabled: action.disabled ?? false }, action.label);
      button.addEventListener("click", () => act(action, button));
      if (action.kind) button.dataset.kind = action.kind;
      return button;
    }));
  }

  element.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  element.addEventListener("close", close);
  // A click beside it, begun there and ended there.
  element.addEventListener("pointerdown", (event) => {
    if (event.target !== element) return;
    element.addEventListener("pointerup", (end) => {
      if (end.target === element) close();
    }, { once: true });
  });
  // Enter in a field does what the main button does.
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.defaultPrevented || event.isComposing) return;
    const isField = event.target instanceof HTMLInputElement && !["checkbox", "radio", "button", "file"].includes(event.target.type);
    const isForced = event.ctrlKey || event.metaKey;
    if (!isField && !isForced) return;
    const main = foot.querySelector(".primary:not(:disabled), .danger:not(:disabled)");
    if (!main) return;
    event.preventDefault();
    main.click();
  });

  setActions(actions);
  document.body.append(element);
  element.showModal();
  const first = initialFocus ?? element.querySelector("[autofocus]") ?? element.querySelector(".dialog-body :is(input, textarea, select, button, [tabindex='0']):not(:disabled)") ?? foot.querySelector("button:not(:disabled)");
  first?.focus();
  return { element, close, fail, setActions };
}

/** Asks before something is done; the promise says whether. */
export function confirmDialog({ title, text, label, kind = "danger" }) {
  return new Promise((resolve) => {
    let isMeant = false;
    const dialog = openDialog({
      title,
      body: h("p", null, text),
      class: "dialog-small",
      actions: [
        { label: t("shell.cancel"), run: () => undefined },
        { label, kind, run: () => { isMeant = true; } },
      ],
      onClose: () => resolve(isMeant),
    });
    dialog.element.querySelector(`.dialog-actions .${kind}`)?.focus();
  });
}
