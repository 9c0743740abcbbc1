// The sidebar: what is there, how to find it, and the way to everything else.

import { connection } from "../core/connection.js";
import { h, replace } from "../core/dom.js";
import { languages, locale, t } from "../core/i18n.js";
import { bindKeys } from "../core/keys.js";
import { viewHref } from "../core/route.js";
import { effect } from "../core/signal.js";
import { store } from "../core/store.js";
import { visible } from "../core/text.js";
import { iconButton } from "../ui/button.js";
import { icon } from "../ui/icons.js";
import { openMenu } from "../ui/menu.js";
import { importDialog } from "./import.js";
import { newSessionDialog } from "./new-session.js";
import { areNotificationsOn, setNotifications } from "./notifications.js";
import { themes } from "./palette.js";
import { sessionList } from "./session-list.js";
import { filter, onlyProvider, onlyTag, watchQuery, words } from "./session-query.js";

const widths = { least: 220, most: 520 };

export function sidebar(shell) {
  const list = sessionList({ onOpen: () => shell.closeDrawer() });
  const search = h("input", { class: "search-input", type: "search", spellcheck: false, autocomplete: "off", "aria-controls": "sessions" });
  const filterButton = iconButton("filter", () => t("shell.filter"), openFilter, { props: { "aria-haspopup": "menu" } });
  const chips = h("div", { class: "filter-chips" });
  const create = iconButton("plus", () => t("shell.new.title"), () => newSessionDialog(), { kind: "accent", shortcut: "Alt+N" });
  const add = iconButton("import", () => t("shell.import.title"), importDialog);
  const brand = h("a", { class: "brand", href: "#/" }, h("img", { src: "/web/icon.svg", alt: "", width: 22, height: 22 }), h("span", null, "CodeAI Hub"));
  const nav = h("nav", { class: "sidebar-nav" });
  const status = h("span", { class: "core-status" });
  const look = iconButton("sun", () => t("shell.look"), openLook, { props: { "aria-haspopup": "menu" } });
  const help = iconButton("help", () => t("shell.help.title"), () => shell.help(), { shortcut: "?" });
  const resizer = h("div", { class: "resizer", role: "separator", tabIndex: 0, "aria-orientation": "vertical", "aria-valuemin": widths.least, "aria-valuemax": widths.most });
  const sessions = h("nav", { class: "sidebar-sessions" }, list.element);
  const element = h("aside", { class: "sidebar", id: "sidebar" },
    h("header", { class: "sidebar-head" }, brand, add, create),
    h("div", { class: "search", role: "search" }, icon("search"), search, filterButton),
    chips, sessions,
    h("footer", { class: "sidebar-foot" }, nav, h("div", { class: "sidebar-tools" }, status, look, help)),
    resizer);

  watchQuery();

  effect(() => {
    const label = t("shell.search.placeholder");
    search.placeholder = label;
    search.setAttribute("aria-label", t("shell.search.label"));
    element.setAttribute("aria-label", t("shell.sidebar"));
    sessions.setAttribute("aria-label", t("shell.sessions"));
    nav.setAttribute("aria-label", t("shell.views"));
    resizer.setAttribute("aria-label", t("shell.sidebarWidth"));
    for (const [button, key] of [[filterButton, "shell.filter"], [create, "shell.new.title"], [add, "shell.import.title"], [look, "shell.look"], [help, "shell.help.title"]]) {
      button.setAttribute("aria-label", t(key));
    }
  });

  effect(() => {
    const { view } = store.route.value;
    const link = (name, sign) => h("a", { class: "nav-link", href: viewHref(name), "aria-current": view === name ? "page" : null, on: { click: () => shell.closeDrawer() } }, icon(sign), h("span", null, t(`shell.view.${name}`)));
    replace(nav, link("usage", "chart"), link("providers", "plug"), link("settings", "settings"));
  });

  effect(() => {
    const { phase } = connection.state.value;
    const version = store.core.value?.version;
    const name = phase === "open" ? "open" : phase === "connecting" || phase === "restarting" ? "busy" : "lost";
    status.className = `core-status core-${name}`;
    replace(status, h("span", { class: "core-dot", "aria-hidden": "true" }), t(`shell.connection.${phase}`), phase === "open" && version ? h("span", { class: "muted" }, ` ${visible(version, 24)}`) : null);
  });

  effect(() => {
    const shown = [];
    if (filter.value !== "all") shown.push([t(`shell.filter.${filter.value}`), () => { filter.value = "all"; }]);
    if (onlyTag.value) shown.push([`#${visible(onlyTag.value, 30)}`, () => { onlyTag.value = null; }]);
    if (onlyProvider.value) shown.push([visible(store.provider(onlyProvider.value)?.name ?? onlyProvider.value, 30), () => { onlyProvider.value = null; }]);
    filterButton.classList.toggle("on", shown.length > 0);
    replace(chips, shown.map(([label, clear]) => h("button", { type: "button", class: "chip on", "aria-label": t("shell.filter.clear", { name: label }), on: { click: clear } }, label, icon("close", { size: 12 }))));
    chips.hidden = shown.length === 0;
  });

  function openFilter() {
    const records = [...store.sessions.peek().values()];
    const tags = [...new Set(records.flatMap((record) => record.tags ?? []))].sort().slice(0, 20);
    const providers = [...new Set(records.flatMap((record) => record.providerIds ?? []))].sort();
    openMenu(filterButton, [
      ...["all", "waiting", "running", "failed", "archived"].map((name) => ({
        label: t(`shell.filter.${name}`), checked: filter.peek() === name, run: () => { filter.value = name; },
      })),
      ...(providers.length > 1 ? [null, ...providers.map((id) => ({
        label: visible(store.provider(id)?.name ?? id, 40), checked: onlyProvider.peek() === id,
        run: () => { onlyProvider.value = onlyProvider.peek() === id ? null : id; },
      }))] : []),
      ...(tags.length ? [null, ...tags.map((tag) => ({
        label: `#${visible(tag, 40)}`, checked: onlyTag.peek() === tag, run: () => { onlyTag.value = onlyTag.peek() === tag ? null : tag; },
      }))] : []),
    ], { label: t("shell.filter") });
  }

  function openLook() {
    const { theme, locale: chosen } = store.preferences.peek();
    openMenu(look, [
      ...Object.keys(themes).map((name) => ({ label: t(`shell.theme.${name}`), checked: theme === name, run: () => store.setPreference("theme", name) })),
      null,
      ...Object.entries(languages).map(([tag, name]) => ({ label: name, checked: (chosen ?? locale.peek()) === tag, run: () => store.setPreference("locale", tag) })),
      null,
      { label: t(areNotificationsOn() ? "shell.notifications.turnOff" : "shell.notifications.turnOn"), icon: "bell", run: () => setNotifications(!areNotificationsOn()) },
    ], { label: t("shell.look") });
  }

  search.addEventListener("input", () => { words.value = search.value; });
  bindKeys(search, {
    ArrowDown: () => list.focus(),
    Enter: () => list.focus(),
    Escape: () => {
      if (search.value === "") return search.blur();
      search.value = "";
      words.value = "";
    },
  });

  // The width, by pointer and by arrows.
  effect(() => {
    const width = Math.min(widths.most, Math.max(widths.least, store.preferences.value.sidebarWidth));
    document.documentElement.style.setProperty("--sidebar-width", `${width}px`);
    resizer.setAttribute("aria-valuenow", String(width));
  });
  const setWidth = (width) => store.setPreference("sidebarWidth", Math.round(Math.min(widths.most, Math.max(widths.least, width))));
  resizer.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    resizer.setPointerCapture(event.pointerId);
    const move = (step) => setWidth(step.clientX);
    resizer.addEventListener("pointermove", move);
    resizer.addEventListener("lostpointercapture", () => resizer.removeEventListener("pointermove", move), { once: true });
  });
  bindKeys(resizer, {
    ArrowLeft: () => setWidth(store.preferences.peek().sidebarWidth - 16),
    ArrowRight: () => setWidth(store.preferences.peek().sidebarWidth + 16),
  });

  return {
    element,
    list,
    focusSearch() {
      search.focus();
      search.select();
    },
  };
}
