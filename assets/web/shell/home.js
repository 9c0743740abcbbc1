// What is shown while no session is: the first steps on a new machine; later, what waits for the person and what happened last.

import { h, replace } from "../core/dom.js";
import { formatRelative } from "../core/format.js";
import { locale, t } from "../core/i18n.js";
import { sessionHref, viewHref } from "../core/route.js";
import { frameEffect } from "../core/signal.js";
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
  const stop = frameEffect(() => {
    if (!store.isReady.value) return void replace(element);
    if (store.sessionsTotal.value === 0) return void replace(element, firstRun());
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
  return { element, dispose: stop };
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

/** The first start on a machine. */
function firstRun() {
  const providers = sortedProviders.value.filter((provider) => provider.id !== "echo");
  const hasReady = providers.some((provider) => readiness(provider) === "ready");
  const step = (number, title, ...content) => h("li", { class: "first-step" },
    h("span", { class: "first-number", "aria-hidden": "true" }, number), h("div", { class: "stack" }, h("h2", null, title), content));
  const agents = step(hasReady ? 1 : 2, t(hasReady ? "shell.first.start" : "shell.first.install"),
    h("p", null, t(hasReady ? "shell.first.startText" : "shell.first.installText")),
    hasReady ? h("div", { class: "actions" }, button(t("shell.new.title"), () => newSessionDialog(), { kind: "primary", iconName: "plus" })) : null,
    h("ul", { class: "first-agents" }, providers.map((provider) => {
      const state = readiness(provider);
      const needsHelp = state !== "ready";
      const head = [h("span", { class: "provider-name" }, visible(provider.name, 60)), h("span", { class: `provider-state provider-${state}` }, readinessText(provider))];
      return h("li", null, needsHelp
        ? lazyDetails(head, () => providerHelp(provider), state === "installing")
        : h("div", { class: "first-agent" }, head));
    })));
  const echo = step(hasReady ? 2 : 1, t("shell.first.echo"), h("p", null, t("shell.first.echoText")),
    h("div", { class: "actions" }, button(t("shell.first.echoStart"), startEcho, { kind: hasReady ? "" : "primary", iconName: "play" })));
  return [
    h("div", { class: "home-head" }, h("h1", null, t("shell.first.title"))),
    h("p", { class: "first-lead" }, t("shell.first.lead")),
    h("ol", { class: "first-steps" },
      hasReady ? [agents, echo] : [echo, agents],
      step(3, t("shell.first.import"), h("p", null, t("shell.first.importText")),
        h("div", { class: "actions" }, button(t("shell.import.title"), importDialog, { iconName: "import" }), h("a", { class: "button quiet", href: viewHref("providers") }, t("shell.view.providers"))))),
  ];
}

/** Details whose content is made when they are opened: it may ask the daemon. */
function lazyDetails(summary, make, isOpen) {
  const details = h("details", { class: "first-agent" }, h("summary", null, summary));
  const fill = () => {
    if (details.open && details.children.length === 1) details.append(make() ?? "");
  };
  details.addEventListener("toggle", fill);
  if (isOpen) {
    details.open = true;
    fill();
  }
  return details;
}
