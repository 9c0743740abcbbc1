// What is shown while no session is: the first steps on a new machine; later, what waits for the person and what happened last.

import { h, reconcile, replace } from "../core/dom.js";
import { formatRelative } from "../core/format.js";
import { locale, t } from "../core/i18n.js";
import { sessionHref, viewHref } from "../core/route.js";
import { effect, frameEffect, untracked } from "../core/signal.js";
import { store } from "../core/store.js";
import { baseName, visible } from "../core/text.js";
import { button, keyHint } from "../ui/button.js";
import { icon } from "../ui/icons.js";
import { importDialog } from "./import.js";
import { newSessionDialog, startEcho } from "./new-session.js";
import { providerHelp, readiness, readinessText, sortedProviders } from "./provider-picker.js";
import { askedBy, stateOf, stateSign, stateText, titleOf } from "./session-state.js";

const recent = 6;

export function homeView() {
  const element = h("div", { class: "home view", tabIndex: -1 });
  let drawn = null;
  let first = null;
  const stop = frameEffect(() => {
    if (!store.isReady.value) return void replace(element);
    if (store.sessionsTotal.value === 0) {
      showFirst();
      return;
    }
    first?.dispose();
    first = null;
    const sessions = store.sessions.value;
    const waiting = [...new Set([...store.pending.value.values()].map((request) => request.sessionId))].map((id) => sessions.get(id)).filter(Boolean);
    const last = [];
    for (const id of store.order.value) {
      const record = sessions.get(id);
      if (!["waiting", "archived"].includes(stateOf(record))) last.push(record);
      if (last.length === recent) break;
    }
    // The same again is not drawn again: what has the focus keeps it.
    const facts = [locale.value, ...waiting, ...last].map((each) => (typeof each === "string" ? each : `${each.id} ${each.title} ${stateText(each)} ${askedBy(each)} ${each.updatedAt.slice(0, 16)}`)).join("\n");
    if (facts === drawn) return;
    drawn = facts;
    replace(element, overview({ waiting, last }));
  });

  /** The first steps stay in place: somebody may be in the middle of one. */
  function showFirst() {
    const facts = `${locale.value} ${hasReadyAgent()}`;
    if (first?.facts === facts) return;
    first?.dispose();
    first = { facts, ...untracked(firstRun) };
    drawn = null;
    replace(element, first.content);
  }

  return {
    element,
    dispose() {
      stop();
      first?.dispose();
    },
  };
}

function overview({ waiting, last }) {
  return [
    h("div", { class: "home-head" },
      h("h1", null, waiting.length ? t("shell.home.waiting", { count: waiting.length }) : t("shell.home.title")),
      h("div", { class: "actions" },
        button(t("shell.new.title"), () => newSessionDialog(), { kind: "primary", iconName: "plus" }),
        button(t("shell.import.short"), importDialog, { iconName: "import" }))),
    waiting.length ? cards(waiting) : null,
    last.length ? [h("h2", { class: "home-label" }, t("shell.home.recent")), cards(last)] : null,
    h("p", { class: "home-hint hint" }, keyHint("Mod+K"), " ", t("shell.home.palette"), "  ", keyHint("?"), " ", t("shell.home.keys")),
  ];
}

function cards(records) {
  return h("ul", { class: "home-cards" }, records.map((record) => {
    const state = stateOf(record);
    return h("li", null, h("a", { class: `home-card card-${state}`, href: sessionHref(record.id) },
      stateSign(state),
      h("span", { class: "home-card-title", dir: "auto" }, titleOf(record)),
      askedBy(record) ? h("span", { class: "home-card-asked", dir: "auto" }, askedBy(record)) : null,
      h("span", { class: "row-meta" }, state === "idle" ? null : h("span", { class: `row-state text-${state}` }, stateText(record)),
        h("span", null, visible(store.provider(record.providerId)?.name ?? record.providerId, 40), " · ", visible(baseName(record.workspace), 40), " · ", formatRelative(record.updatedAt)))));
  }));
}

const realAgents = () => sortedProviders.value.filter((provider) => provider.id !== "echo");
const hasReadyAgent = () => realAgents().some((provider) => readiness(provider) === "ready");

/** The first start on a machine. */
function firstRun() {
  const hasReady = hasReadyAgent();
  const list = h("ul", { class: "first-agents" });
  const rows = new Map();
  const stop = effect(() => {
    reconcile(list, realAgents(), (provider) => provider.id, (provider) => {
      const row = agentRow(provider.id);
      rows.set(provider.id, row);
      row.update(provider);
      return row.element;
    }, (_, provider) => rows.get(provider.id).update(provider));
  });
  const step = (number, title, ...content) => h("li", { class: "first-step" },
    h("span", { class: "first-number", "aria-hidden": "true" }, number), h("div", { class: "stack" }, h("h2", null, title), content));
  const agents = step(hasReady ? 1 : 2, t(hasReady ? "shell.first.start" : "shell.first.install"),
    h("p", null, t(hasReady ? "shell.first.startText" : "shell.first.installText")),
    hasReady ? h("div", { class: "actions" }, button(t("shell.new.title"), () => newSessionDialog(), { kind: "primary", iconName: "plus" })) : null,
    list);
  const echo = step(hasReady ? 2 : 1, t("shell.first.echo"), h("p", null, t("shell.first.echoText")),
    h("div", { class: "actions" }, button(t("shell.first.echoStart"), startEcho, { kind: hasReady ? "" : "primary", iconName: "play" })));
  return {
    content: [
      h("div", { class: "home-head" }, h("h1", null, t("shell.first.title"))),
      h("p", { class: "first-lead" }, t("shell.first.lead")),
      h("ol", { class: "first-steps" },
        hasReady ? [agents, echo] : [echo, agents],
        step(3, t("shell.first.import"), h("p", null, t("shell.first.importText")),
          h("div", { class: "actions" }, button(t("shell.import.title"), importDialog, { iconName: "import" }), h("a", { class: "button quiet", href: viewHref("providers") }, t("shell.view.providers"))))),
    ],
    dispose() {
      stop();
      for (const row of rows.values()) row.dispose();
    },
  };
}

/** An agent with its state, and behind it what is to be done: made when it is opened, for it may ask the daemon. */
function agentRow(id) {
  const name = h("span", { class: "provider-name" });
  const state = h("span");
  const details = h("details", { class: "first-agent" }, h("summary", null, name, state));
  const element = h("li", null, details);
  let help = null;
  const open = () => {
    if (!details.open || help) return;
    help = untracked(() => providerHelp(id));
    details.append(help.element);
  };
  details.addEventListener("toggle", open);
  return {
    element,
    update(provider) {
      const now = readiness(provider);
      name.textContent = visible(provider.name, 60);
      state.textContent = readinessText(provider);
      state.className = `provider-state provider-${now}`;
      details.classList.toggle("is-ready", now === "ready");
      if (now === "installing") details.open = true;
    },
    dispose: () => help?.dispose(),
  };
}
