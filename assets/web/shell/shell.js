// The frame: sidebar, the top bar, and what the address says should be shown.

import { h, replace } from "../core/dom.js";
import { effect, untracked } from "../core/signal.js";
import { store } from "../core/store.js";
import { sessionHref } from "../core/route.js";

/** Modules that may be missing while the client is being built. */
async function load(path, name) {
  try {
    return (await import(path))[name];
  } catch (error) {
    console.warn(path, error);
    return null;
  }
}

const parts = {
  conversation: await load("../conversation/conversation.js", "conversation"),
  composer: await load("../interaction/composer.js", "composer"),
  sessionHeader: await load("../interaction/header.js", "sessionHeader"),
  requestPanel: await load("../interaction/requests.js", "requestPanel"),
  queuePanel: await load("../interaction/queue.js", "queuePanel"),
  settings: await load("../views/settings.js", "settingsView"),
  usage: await load("../views/usage.js", "usageView"),
  providers: await load("../views/providers.js", "providersView"),
};

/** What one session shows, in its places of the grid. */
function sessionView(id) {
  const views = {
    header: parts.sessionHeader?.(id),
    conversation: parts.conversation?.(id),
    requests: parts.requestPanel?.(id),
    queue: parts.queuePanel?.(id),
    composer: parts.composer?.(id),
  };
  const slot = (name) => h("div", { class: `slot-${name}` }, views[name]?.element);
  return {
    views,
    header: slot("header"),
    element: h("div", { class: "session-view" }, ["conversation", "requests", "queue", "composer"].map(slot)),
    dispose() {
      for (const view of Object.values(views)) view?.dispose?.();
    },
  };
}

/** Mounts all of it. */
export function mount(app) {
  const list = h("ul", { class: "session-list" });
  const sidebar = h("aside", { class: "sidebar" }, list);
  const topbar = h("header", { class: "topbar" });
  const main = h("main", { class: "main" }, topbar);
  replace(app, sidebar, main);
  app.removeAttribute("aria-busy");

  effect(() => {
    replace(list, store.order.value.map((id) => {
      const record = store.sessions.value.get(id);
      return h("li", null, h("a", { href: sessionHref(id) }, record.title ?? id, " ", record.status));
    }));
  });

  let shown = null;
  let key = "";
  effect(() => {
    const route = store.route.value;
    const next = `${route.view} ${route.id}`;
    untracked(() => {
      if (next !== key) {
        key = next;
        shown?.dispose?.();
        shown?.element.remove();
        replace(topbar);
        shown = route.view === "session" ? sessionView(route.id) : parts[route.view]?.() ?? null;
        if (shown) {
          if (shown.header) topbar.append(shown.header);
          else shown.element.classList.add("view");
          main.append(shown.element);
        }
      }
      if (route.seq) shown?.views?.conversation?.scrollToSeq?.(route.seq);
    });
  });
}
