// The frame: sidebar, top bar, and in the middle what the address says.

import { conversation } from "../conversation/conversation.js";
import { connection } from "../core/connection.js";
import { h, replace } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { bindKeys } from "../core/keys.js";
import { navigate, sessionHref, viewHref } from "../core/route.js";
import { effect, flush, signal, untracked } from "../core/signal.js";
import { store } from "../core/store.js";
import { visible } from "../core/text.js";
import { composer } from "../interaction/composer.js";
import { sessionHeader } from "../interaction/header.js";
import { queuePanel } from "../interaction/queue.js";
import { requestPanel } from "../interaction/requests.js";
import { button, iconButton } from "../ui/button.js";
import { icon } from "../ui/icons.js";
import { openMenu } from "../ui/menu.js";
import { toast } from "../ui/toast.js";
import { providersView } from "../views/providers.js";
import { settingsView } from "../views/settings.js";
import { usageView } from "../views/usage.js";
import { redeemTicket, refusedPage } from "./access.js";
import { sessionItems, undelete } from "./actions.js";
import { banner } from "./banner.js";
import { helpDialog } from "./help.js";
import { homeView } from "./home.js";
import { newSessionDialog } from "./new-session.js";
import { notifyEnd, watchNotifications } from "./notifications.js";
import { openPalette } from "./palette.js";
import { titleOf } from "./session-state.js";
import { sidebar } from "./sidebar.js";
import { watchUnread } from "./unread.js";

const views = { home: homeView, settings: settingsView, usage: usageView, providers: providersView };

/** Mounts all of it. */
export function mount(app) {
  const isNarrow = matchMedia("(max-width: 719px)");
  const isDrawerOpen = signal(false);
  const isSidebarClosed = signal(false);

  const shell = {
    closeDrawer: () => { isDrawerOpen.value = false; },
    toggleSidebar() {
      if (isNarrow.matches) isDrawerOpen.value = !isDrawerOpen.peek();
      else isSidebarClosed.value = !isSidebarClosed.peek();
    },
    showSidebar() {
      if (isNarrow.matches) isDrawerOpen.value = true;
      else isSidebarClosed.value = false;
    },
    focusSearch() {
      shell.showSidebar();
      // At once: what is typed next is meant for the field.
      flush();
      side.focusSearch();
    },
    help: helpDialog,
    /** The next session that waits for the person, after the one that is shown. */
    openWaiting() {
      const waiting = [...new Set([...store.pending.peek().values()].map((request) => request.sessionId))];
      if (!waiting.length) return toast(t("shell.noneWaiting"));
      navigate(sessionHref(waiting[(waiting.indexOf(store.selected.peek()) + 1) % waiting.length]));
    },
  };

  const side = sidebar(shell);
  const menuButton = iconButton("menu", () => t("shell.key.sidebar"), () => shell.toggleSidebar(), { kind: "menu-button", shortcut: "Mod+B", props: { "aria-controls": "sidebar" } });
  const title = h("div", { class: "slot-header" });
  const actions = iconButton("more", () => t("shell.sessionActions"), () => {
    const record = store.sessions.peek().get(store.selected.peek());
    if (record) openMenu(actions, sessionItems(record), { label: t("shell.sessionActions") });
  }, { props: { "aria-haspopup": "menu" } });
  const topbar = h("header", { class: "topbar" }, menuButton, title, actions);
  const main = h("main", { class: "main", id: "main", tabIndex: -1 }, banner().element, topbar);
  const scrim = h("div", { class: "scrim", on: { click: shell.closeDrawer } });
  // The address belongs to the routes, so this is a button and no link.
  const skip = h("button", { type: "button", class: "skip", on: { click: () => focusContent() } });
  replace(app, skip, side.element, scrim, main);
  app.removeAttribute("aria-busy");

  let content = null;
  let key = "";
  let reached = null;

  function focusContent() {
    (content?.focus ?? (() => (content?.element ?? main).focus()))();
  }

  effect(() => {
    skip.textContent = t("shell.skip");
    menuButton.setAttribute("aria-label", t("shell.key.sidebar"));
    actions.setAttribute("aria-label", t("shell.sessionActions"));
  });

  // The focus goes into the drawer with the person, and back to what opened it.
  let wasDrawerOpen = false;
  effect(() => {
    const isOpen = isDrawerOpen.value;
    if (isOpen === wasDrawerOpen) return;
    wasDrawerOpen = isOpen;
    requestAnimationFrame(() => {
      const focused = document.activeElement;
      if (isOpen && !side.element.contains(focused)) side.list.focus();
      else if (!isOpen && (focused === document.body || side.element.contains(focused))) menuButton.focus();
    });
  });

  effect(() => {
    app.classList.toggle("drawer-open", isDrawerOpen.value);
    app.classList.toggle("sidebar-closed", isSidebarClosed.value);
    menuButton.setAttribute("aria-expanded", String(isNarrow.matches ? isDrawerOpen.value : !isSidebarClosed.value));
    // Behind the drawer nothing can be reached, by no means.
    main.inert = isDrawerOpen.value && isNarrow.matches;
  });
  isNarrow.addEventListener("change", shell.closeDrawer);

  effect(() => {
    const route = store.route.value;
    const refused = connection.state.value.phase === "refused" ? connection.state.value.error : null;
    const record = route.id ? store.session(route.id).value : null;
    // A session that isn't known here may be an older one; whether it is there at all, the daemon says.
    const isKnown = route.view !== "session" || record !== null;
    const next = refused ? "refused" : !store.isReady.value ? "starting" : isKnown ? `${route.view} ${route.id}` : `unknown ${route.id}`;
    untracked(() => {
      if (next !== key) {
        key = next;
        show(route, { refused, isKnown });
      }
      // Once for each time that somebody goes there, not whenever something happens in the session.
      if (route !== reached && route.seq && content?.views) {
        reached = route;
        jump(route.id, route.seq);
      }
    });
  });

  function show(route, { refused, isKnown }) {
    const hadFocus = content?.element.contains(document.activeElement) ?? false;
    content?.dispose?.();
    content?.element.remove();
    content = null;
    replace(title);
    actions.hidden = route.view !== "session" || !isKnown || refused !== null;
    if (refused) content = { element: refusedPage(refused) };
    else if (!store.isReady.peek()) content = { element: h("div", { class: "view" }) };
    else if (!isKnown) content = missing(route.id);
    else if (route.view === "session") content = sessionView(route.id);
    else {
      content = views[route.view]?.() ?? { element: h("div", { class: "view" }) };
      content.element.classList.add("view");
      if (content.element.tabIndex < 0) content.element.tabIndex = -1;
      const name = h("span", { class: "topbar-title" });
      const stop = effect(() => { name.textContent = route.view === "home" ? "" : t(`shell.view.${route.view}`); });
      const { dispose } = content;
      content.dispose = () => {
        stop();
        dispose?.();
      };
      title.append(name);
    }
    if (content.header) title.append(content.header);
    topbar.classList.toggle("empty", title.childElementCount === 0 || (route.view === "home" && !refused));
    main.append(content.element);
    if (hadFocus && document.activeElement === document.body) main.focus({ preventScroll: true });
  }

  async function jump(id, seq) {
    store.transcript(id);
    await store.loadUntil(id, seq);
    if (store.selected.peek() === id) content?.views?.conversation?.scrollToSeq?.(seq);
  }

  bindKeys(document, unlessInDialog({
    "Mod+K": () => openPalette(shell),
    "?": () => helpDialog(),
    "/": () => shell.focusSearch(),
    "Alt+N": () => void newSessionDialog(),
    "Alt+W": () => shell.openWaiting(),
    "Alt+J": () => side.list.openNext(1),
    "Alt+K": () => side.list.openNext(-1),
    "Mod+B": () => shell.toggleSidebar(),
    "Mod+,": () => navigate(viewHref("settings")),
    F6: () => nextRegion(1),
    "Shift+F6": () => nextRegion(-1),
    F2: () => {
      const record = store.sessions.peek().get(store.selected.peek());
      if (!record) return false;
      shell.showSidebar();
      flush();
      side.list.startRename(record);
      return true;
    },
    Escape: () => {
      if (!isDrawerOpen.peek()) return false;
      shell.closeDrawer();
      return true;
    },
  }));

  /** F6: from the list to the conversation to the composer and round again. */
  function nextRegion(by) {
    const stops = [() => { shell.showSidebar(); flush(); side.list.focus(); }, focusContent];
    const places = [side.element, main];
    if (content?.views?.composer) {
      stops.push(() => content.views.composer.focus());
      places.push(content.views.composer.element);
    }
    let now = places.findLastIndex((place) => place.contains(document.activeElement));
    if (now < 0) now = by > 0 ? -1 : 0;
    stops[(now + by + stops.length) % stops.length]();
  }

  watchUnread(notifyEnd);
  watchNotifications();
  watchDaemon();
  addEventListener("hashchange", redeemTicket);
}

/** A dialog has the keyboard to itself. */
function unlessInDialog(bindings) {
  return Object.fromEntries(Object.entries(bindings).map(([keys, run]) => [
    keys, (event) => (document.querySelector("dialog[open]") ? false : run(event)),
  ]));
}

/** What one session shows, in its places of the grid. */
function sessionView(id) {
  const made = {
    header: sessionHeader(id), conversation: conversation(id), requests: requestPanel(id), queue: queuePanel(id), composer: composer(id),
  };
  const slot = (name) => h("div", { class: `slot-${name}` }, made[name].element);
  return {
    views: made,
    header: made.header.element,
    element: h("div", { class: "session-view" }, ["conversation", "requests", "queue", "composer"].map(slot)),
    focus: () => made.conversation.focus(),
    dispose() {
      for (const view of Object.values(made)) view.dispose();
    },
  };
}

/** A session that is not known here: it is asked for, and when the daemon doesn't know it either, that is said. */
function missing(id) {
  const element = h("div", { class: "notice-page view", tabIndex: -1 });
  const say = (text, ...more) => replace(element,
    h("h1", { class: "notice-title" }, icon("warning", { size: 24 }), t("shell.missing.title")), h("p", null, text),
    h("div", { class: "actions" }, button(t("shell.missing.back"), () => navigate("#/"), { kind: "primary" }), more));
  if (store.deleted.has(id)) {
    say(t("shell.missing.deleted"), button(t("shell.undo"), () => undelete(id)));
    return { element };
  }
  replace(element, h("p", { class: "hint", role: "status" }, t("shell.loading")));
  store.fetchSession(id).catch((error) => {
    say(error.status === 404 || error.status === 400 ? t("shell.missing.text") : visible(error.message, 400));
  });
  return { element };
}

/** Takes away what the page says of versions; there is one such message at a time. */
let closeVersions = () => {};

/** It is said once, so that it stays until it is closed, or there is news. Installing is done in a terminal: a page may not. */
function sayUpdate(components) {
  const core = components.find((entry) => entry.component === "core");
  const names = components.map((entry) => `${entry.component.replace(/^provider:/, "")} ${entry.to}`).join(", ");
  closeVersions();
  closeVersions = toast(core ? t("shell.update.core", { version: visible(core.to, 60) }) : t("shell.update.modules", { names: visible(names, 200) }), { timeout: 0 });
}

/** What the daemon tells everybody. */
function watchDaemon() {
  let own = null;
  let running = null;
  connection.on("core:state", ({ payload: { core: { version } } }) => {
    own ??= running ??= version;
    // A connection that comes back is no news.
    if (version === running) return;
    running = version;
    closeVersions();
    if (version === own) return;
    closeVersions = toast(t("shell.updated", { version: visible(version, 40) }), { action: { label: t("shell.reload"), run: () => location.reload() }, timeout: 0 });
  });
  connection.on("core:notification", ({ payload }) => {
    if (payload.type === "update_available") return sayUpdate(payload.components ?? []);
    toast(visible(payload.message, 600), { kind: payload.level === "error" ? "danger" : payload.level === "warn" ? "warn" : undefined });
  });
  connection.on("error", ({ payload, requestId }) => {
    // One with the number of a request is that request's, and said where it was made.
    if (requestId === undefined) toast(visible(payload.message, 500), { kind: "danger" });
  });
  connection.on("workflow:event", ({ payload }) => {
    if (payload.type !== "budget") return;
    const record = payload.sessionId ? store.sessions.peek().get(payload.sessionId) : null;
    toast(t(`shell.budget.${payload.level === "exceeded" ? "exceeded" : "warning"}.${payload.scope === "day" ? "day" : "session"}`, {
      title: record ? titleOf(record) : "", percent: Math.round(payload.share * 100),
    }), { kind: payload.level === "exceeded" ? "danger" : "warn", action: record ? { label: t("shell.key.open"), run: () => navigate(sessionHref(record.id)) } : undefined });
  });
  connection.on("session:error", ({ payload, sessionId }) => {
    const record = store.sessions.peek().get(sessionId);
    toast(`${record ? `${titleOf(record)}: ` : ""}${visible(payload.message, 500)}`, { kind: "danger" });
  });
}
