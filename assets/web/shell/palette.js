// The command palette: every command and every session by a few letters.

import { h, replace } from "../core/dom.js";
import { languages, locale, t } from "../core/i18n.js";
import { navigate, sessionHref, viewHref } from "../core/route.js";
import { store } from "../core/store.js";
import { baseName, visible } from "../core/text.js";
import { keyHint } from "../ui/button.js";
import { openDialog } from "../ui/dialog.js";
import { icon } from "../ui/icons.js";
import { sessionItems } from "./actions.js";
import { importDialog } from "./import.js";
import { newSessionDialog } from "./new-session.js";
import { areNotificationsOn, setNotifications } from "./notifications.js";
import { stateOf, stateSign, stateText, titleOf } from "./session-state.js";

const most = 60;

/** The themes there are, with their icons. */
export const themes = { system: "contrast", light: "sun", dark: "moon", contrast: "contrast" };

/** Commands that don't belong to one session: `{label, icon, keys?, run}`. `shell` has what only the frame can do. */
export function commands(shell) {
  const theme = store.preferences.value.theme;
  return [
    { label: t("shell.new.title"), icon: "plus", keys: "Alt+N", run: () => newSessionDialog() },
    { label: t("shell.import.title"), icon: "import", run: importDialog },
    { label: t("shell.search.label"), icon: "search", keys: "/", run: shell.focusSearch },
    { label: t("shell.key.nextWaiting"), icon: "question", keys: "Alt+W", run: shell.openWaiting },
    { label: t("shell.view.usage"), icon: "chart", run: () => navigate(viewHref("usage")) },
    { label: t("shell.view.providers"), icon: "plug", run: () => navigate(viewHref("providers")) },
    { label: t("shell.view.settings"), icon: "settings", keys: "Mod+,", run: () => navigate(viewHref("settings")) },
    { label: t(areNotificationsOn() ? "shell.notifications.turnOff" : "shell.notifications.turnOn"), icon: "bell", run: () => setNotifications(!areNotificationsOn()) },
    ...Object.entries(themes).filter(([name]) => name !== theme).map(([name, sign]) => (
      { label: `${t("shell.theme")}: ${t(`shell.theme.${name}`)}`, icon: sign, run: () => store.setPreference("theme", name) })),
    ...Object.entries(languages).filter(([tag]) => tag !== locale.value).map(([tag, name]) => (
      { label: `${t("shell.language")}: ${name}`, icon: "globe", run: () => store.setPreference("locale", tag) })),
    { label: t("shell.key.sidebar"), icon: "sidebar", keys: "Mod+B", run: shell.toggleSidebar },
    { label: t("shell.help.title"), icon: "help", keys: "?", run: shell.help },
  ];
}

/** How well `query` fits: letters in their order, better at the beginnings of words and together; null when it doesn't. */
export function fit(text, query) {
  if (query === "") return 0;
  const lower = text.toLowerCase();
  const whole = lower.indexOf(query);
  if (whole >= 0) return 1000 - whole - (whole > 0 && /\p{L}|\p{N}/u.test(lower[whole - 1]) ? 100 : 0);
  let score = 0;
  let place = -1;
  for (const letter of query) {
    if (letter === " ") continue;
    const next = lower.indexOf(letter, place + 1);
    if (next < 0) return null;
    score += next === place + 1 ? 8 : /[\p{L}\p{N}]/u.test(lower[next - 1] ?? " ") ? 1 : 5;
    place = next;
  }
  return score - lower.length / 50;
}

export function openPalette(shell) {
  const input = h("input", {
    class: "palette-input", type: "text", role: "combobox", "aria-expanded": true, "aria-controls": "palette-list", "aria-autocomplete": "list",
    "aria-label": t("shell.palette.label"), placeholder: t("shell.palette.label"), spellcheck: false, autocomplete: "off",
  });
  const list = h("div", { class: "palette-list", role: "listbox", id: "palette-list", "aria-label": t("shell.palette.label") });
  const current = store.selected.peek() ? store.sessions.peek().get(store.selected.peek()) : null;
  const actions = current ? sessionItems(current).filter(Boolean).map((item) => (
    { label: item.label, hint: titleOf(current), icon: item.icon, run: item.run })) : [];
  const general = commands(shell);
  let shown = [];
  let active = 0;

  const dialog = openDialog({ title: t("shell.palette.title"), body: h("div", null, input, list), class: "palette", initialFocus: input });

  function draw() {
    const query = input.value.trim().toLowerCase();
    const found = [];
    const add = (item, text, bonus) => {
      const score = fit(text, query);
      if (score !== null) found.push({ ...item, score: score + bonus });
    };
    for (const item of actions) add(item, `${item.label}`, query ? 3 : 20);
    for (const item of general) add(item, item.label, query ? 4 : 10);
    let sessions = 0;
    for (const id of store.order.peek()) {
      const record = store.sessions.peek().get(id);
      const isWaiting = stateOf(record) === "waiting";
      if (query === "" && ++sessions > 8 && !isWaiting) break;
      add({ record, run: () => navigate(sessionHref(id)) }, `${titleOf(record)} ${baseName(record.workspace)}`, isWaiting ? 30 : 0);
    }
    found.sort((a, b) => b.score - a.score);
    shown = found.slice(0, most);
    active = 0;
    replace(list, shown.map((item, index) => {
      const { record } = item;
      return h("div", { class: "palette-item", role: "option", id: `palette-${index}`, dataset: { index }, on: { click: () => run(item) } },
        record ? stateSign(stateOf(record)) : icon(item.icon ?? "command"),
        h("span", { class: "palette-label", dir: "auto" }, record ? titleOf(record) : item.label),
        h("span", { class: "palette-hint" }, record ? `${stateOf(record) === "idle" ? "" : `${stateText(record)} · `}${visible(baseName(record.workspace), 40)}` : item.hint ? visible(item.hint, 40) : null),
        item.keys ? keyHint(item.keys) : null);
    }));
    if (!shown.length) replace(list, h("p", { class: "list-note" }, t("shell.search.nothing", { query: visible(input.value, 60) })));
    mark(0);
  }

  function mark(index) {
    list.children[active]?.removeAttribute("aria-selected");
    if (!shown.length) return input.removeAttribute("aria-activedescendant");
    active = (index + shown.length) % shown.length;
    const element = list.children[active];
    element.setAttribute("aria-selected", "true");
    element.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", element.id);
  }

  function run(item) {
    dialog.close();
    item?.run();
  }

  input.addEventListener("input", draw);
  list.addEventListener("pointermove", (event) => {
    const element = event.target.closest("[data-index]");
    if (element && Number(element.dataset.index) !== active) mark(Number(element.dataset.index));
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown") mark(active + 1);
    else if (event.key === "ArrowUp") mark(active - 1);
    else if (event.key === "PageDown") mark(Math.min(shown.length - 1, active + 8));
    else if (event.key === "PageUp") mark(Math.max(0, active - 8));
    else if (event.key === "Enter") run(shown[active]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  draw();
}
