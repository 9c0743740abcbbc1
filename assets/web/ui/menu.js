// Menus: by arrows, Home, End, the first letters, Enter and Escape; or by pointer.

import { h } from "../core/dom.js";
import { keyHint } from "./button.js";
import { icon } from "./icons.js";

let open = null;

/** Opens a menu at an element, or at a point `{x, y}`. Items: `{label, icon?, shortcut?, danger?, disabled?, checked?, hint?, run}`; null
 * draws a line. Returns a function that closes it. */
export function openMenu(anchor, items, { label, onClose } = {}) {
  open?.close();
  const isElement = anchor instanceof Element;
  // Who opened it by a key from elsewhere gets the focus back there.
  const focused = document.activeElement;
  const origin = isElement && (focused === document.body || focused === null) ? anchor : focused;
  const menu = h("div", { class: "menu", role: "menu", popover: "manual", tabIndex: -1, "aria-label": label ?? null });
  for (const item of items.filter((each) => each !== false && each !== undefined)) {
    if (item === null) {
      menu.append(h("div", { class: "menu-line", role: "separator" }));
      continue;
    }
    const isChoice = item.checked !== undefined;
    menu.append(h("button", {
      type: "button", class: `menu-item${item.danger ? " danger" : ""}`, role: isChoice ? "menuitemradio" : "menuitem",
      "aria-checked": isChoice ? item.checked : null, "aria-disabled": item.disabled ? true : null, tabIndex: -1,
      on: {
        click: () => {
          if (item.disabled) return;
          close(true);
          item.run?.();
        },
      },
    },
    isChoice ? (item.checked ? icon("check") : h("span", { class: "icon" })) : item.icon ? icon(item.icon) : null,
    h("span", { class: "menu-label" }, item.label, item.hint ? h("span", { class: "menu-hint" }, item.hint) : null),
    item.shortcut ? keyHint(item.shortcut) : null));
  }

  const buttons = () => [...menu.querySelectorAll(".menu-item")];
  let typed = "";
  let typedAt = 0;

  function move(step, from = buttons().indexOf(document.activeElement)) {
    const all = buttons();
    if (all.length) all[(from + step + all.length) % all.length].focus();
  }

  function seek(letter) {
    const now = Date.now();
    typed = now - typedAt < 700 ? typed + letter : letter;
    typedAt = now;
    const all = buttons();
    const start = all.indexOf(document.activeElement) + (typed.length === 1 ? 1 : 0);
    const found = [...all.slice(start), ...all.slice(0, start)].find((each) => each.textContent.trim().toLowerCase().startsWith(typed.toLowerCase()));
    found?.focus();
  }

  function close(givesBack) {
    if (open?.menu !== menu) return;
    open = null;
    removeEventListener("pointerdown", outside, true);
    removeEventListener("resize", dismiss);
    menu.remove();
    if (isElement) anchor.removeAttribute("aria-expanded");
    if (givesBack && origin instanceof HTMLElement && origin.isConnected) origin.focus();
    onClose?.();
  }

  const dismiss = () => close(false);
  function outside(event) {
    if (menu.contains(event.target)) return;
    // The click on the button that opened it closes it, and must not open it again.
    if (isElement && anchor.contains(event.target)) addEventListener("click", (click) => click.stopPropagation(), { capture: true, once: true });
    close(false);
  }

  menu.addEventListener("keydown", (event) => {
    const { key } = event;
    if (key === "ArrowDown") move(1);
    else if (key === "ArrowUp") move(-1);
    else if (key === "Home") move(1, -1);
    else if (key === "End") move(-1, 0);
    else if (key === "Escape" || key === "Tab") close(true);
    else if (key.length === 1 && key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey) seek(key);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  menu.addEventListener("pointermove", (event) => event.target.closest(".menu-item")?.focus({ preventScroll: true }));

  // Within a dialog that is open everything outside of it is inert.
  (origin?.closest?.("dialog") ?? document.body).append(menu);
  menu.showPopover?.();
  place(menu, isElement ? anchor.getBoundingClientRect() : new DOMRect(anchor.x, anchor.y, 0, 0));
  if (isElement) anchor.setAttribute("aria-expanded", "true");
  open = { menu, close };
  addEventListener("pointerdown", outside, true);
  addEventListener("resize", dismiss);
  (menu.querySelector("[aria-checked=true]") ?? buttons()[0] ?? menu).focus();
  return () => close(true);
}

function place(menu, target) {
  const own = menu.getBoundingClientRect();
  const isBelow = target.bottom + own.height + 8 < innerHeight || target.top < own.height;
  const top = isBelow ? target.bottom + 4 : target.top - own.height - 4;
  const left = target.left + own.width + 8 < innerWidth ? target.left : target.right - own.width;
  menu.style.setProperty("top", `${Math.max(4, Math.min(top, innerHeight - own.height - 4))}px`);
  menu.style.setProperty("left", `${Math.max(4, Math.min(left, innerWidth - own.width - 4))}px`);
}
