// The head of a session: its name and state, who answers and how, what it has used, and what can be done with it.

import { h, replace } from "../core/dom.js";
import { formatCost, formatDuration, formatPercent, formatRelative, formatTime, formatTokens } from "../core/format.js";
import { t } from "../core/i18n.js";
import { bindKeys } from "../core/keys.js";
import { effect, signal } from "../core/signal.js";
import { navigate, sessionHref } from "../core/route.js";
import { store } from "../core/store.js";
import { iconButton } from "../ui/button.js";
import { icon } from "../ui/icons.js";
import { openMenu } from "../ui/menu.js";
import { tooltip } from "../ui/tooltip.js";
import { choices, learnOffers } from "./choices.js";
import { now, watchClock } from "./clock.js";
import { otherDialog, switchDialog, usageDialog } from "./dialogs.js";
import * as operations from "./operations.js";
import { visible as clipped } from "../core/text.js";

/** The header of a session: `{element, dispose}`. */
export function sessionHeader(sessionId) {
  const record = store.session(sessionId);
  const isRenaming = signal(false);
  const titleText = h("span", { class: "session-title-text" });
  const titleButton = h("button", { type: "button", class: "session-title", on: { click: startRenaming } }, titleText, icon("edit"));
  const titleField = h("input", { class: "input session-title-field", type: "text", maxLength: 200, hidden: true, on: { keydown: titleKey, blur: () => finishRenaming(true) } });
  const heading = h("h1", { class: "session-heading" }, titleButton, titleField);
  const folder = h("span", { class: "session-folder" });
  const status = h("span", { class: "session-status" });
  const elsewhere = h("button", { type: "button", class: "button small elsewhere", "aria-haspopup": "menu", hidden: true, on: { click: showElsewhere } });
  const pickers = h("div", { class: "session-pickers", role: "group" });
  const used = h("button", { type: "button", class: "picker used", on: { click: () => usageDialog(sessionId) } });
  const quota = h("a", { class: "session-quota", href: "#/providers", hidden: true });
  const stopButton = iconButton("stop", () => t("interaction.interrupt"), () => operations.interrupt(sessionId), { kind: "stop" });
  const pauseButton = iconButton("pause", () => t("interaction.pause"), togglePause);
  const element = h("div", { class: "session-header" },
    h("div", { class: "session-line" }, heading, status, folder,
      h("span", { class: "session-actions" }, elsewhere, stopButton, pauseButton)),
    h("div", { class: "session-line second" }, pickers, h("span", { class: "session-facts" }, quota, used)));

  // MARK: Name

  function startRenaming() {
    isRenaming.value = true;
    titleField.value = record.peek()?.title ?? "";
    titleField.hidden = false;
    titleButton.hidden = true;
    titleField.select();
    titleField.focus();
  }

  function finishRenaming(isMeant) {
    if (!isRenaming.peek()) return;
    isRenaming.value = false;
    titleField.hidden = true;
    titleButton.hidden = false;
    const title = titleField.value.trim();
    if (isMeant && title && title !== record.peek()?.title) operations.rename(sessionId, title);
  }

  function titleKey(event) {
    if (event.isComposing) return;
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    finishRenaming(event.key === "Enter");
    titleButton.focus();
  }

  // MARK: Pickers

  const picks = {
    provider: picker("plug", showProviders),
    models: picker("robot", () => showChoices("models", "model")),
    modes: picker("shield", () => showChoices("modes", "mode")),
    efforts: picker("think", () => showChoices("efforts", "effort")),
  };
  pickers.append(...Object.values(picks).map((each) => each.button));

  function picker(name, show) {
    const label = h("span", { class: "picker-value" });
    const button = h("button", { type: "button", class: "picker", "aria-haspopup": "menu", on: { click: show } }, icon(name), label, icon("down", { size: 12 }));
    tooltip(button, () => button.dataset.tip);
    return { button, set(kind, value, isKnown) {
      button.hidden = !isKnown;
      label.textContent = value;
      button.dataset.tip = kind;
      button.setAttribute("aria-label", `${kind}: ${value}`);
    } };
  }

  function showProviders() {
    const session = record.peek();
    const items = [...store.providers.peek().values()].map((each) => ({
      label: each.name,
      hint: each.id === session.providerId ? t("interaction.provider.present") : providerHint(each, session),
      checked: each.id === session.providerId,
      disabled: !each.enabled || !each.installed,
      run: () => each.id !== session.providerId && switchDialog(sessionId, each.id),
    }));
    items.push(null, { label: t("interaction.provider.all"), icon: "settings", run: () => navigate("#/providers") });
    openMenu(picks.provider.button, items, { label: t("interaction.provider.label") });
  }

  function providerHint(provider, session) {
    if (!provider.enabled) return t("interaction.provider.isDisabled");
    if (!provider.installed) return t("interaction.provider.isMissing");
    if (provider.authenticated === false) return t("interaction.provider.isLoggedOut");
    if (provider.health?.state === "open") return t("interaction.provider.isOpen");
    return session.providerIds.includes(provider.id) ? t("interaction.provider.takesPart") : t("interaction.provider.isCarried");
  }

  function showChoices(kind, name) {
    const session = record.peek();
    const own = choices(sessionId)[kind];
    const items = own.map(({ id, label, description }) => ({
      label: clipped(label, 80), hint: description ? clipped(description, 160) : id !== label ? id : undefined, checked: session[name] === id,
      run: () => session[name] !== id && operations.patch(sessionId, { [name]: id }),
    }));
    // What the agent itself chose and doesn't list.
    if (session[name] && !own.some(({ id }) => id === session[name])) items.unshift({ label: clipped(session[name], 80), checked: true });
    if (kind !== "efforts" || own.length === 0) items.push(items.length ? null : undefined, { label: t("interaction.otherValue"), icon: "edit", run: () => otherDialog(sessionId, name) });
    openMenu(picks[kind].button, items, { label: t(`interaction.${name}.label`) });
  }

  // MARK: Actions

  function togglePause() {
    if (record.peek()?.paused) operations.resume(sessionId);
    else operations.pause(sessionId);
  }

  /** Sessions other than this that wait for an answer. */
  function waiting() {
    const found = new Map();
    for (const request of store.pending.value.values()) {
      if (request.sessionId === sessionId) continue;
      found.set(request.sessionId, [...(found.get(request.sessionId) ?? []), request]);
    }
    return found;
  }

  function showElsewhere() {
    openMenu(elsewhere, [...waiting()].map(([id, requests]) => ({
      label: clipped(store.session(id).peek()?.title ?? t("interaction.untitled"), 80), icon: requests[0].type === "permission" ? "shield" : "question",
      hint: clipped(requests[0].title ?? requests[0].questions?.[0]?.text, 100), run: () => navigate(sessionHref(id)),
    })), { label: t("interaction.elsewhere.label") });
  }

  // MARK: What is shown

  const effects = [
    effect(() => {
      const session = record.value;
      const title = session?.title ? clipped(session.title, 200) : t("interaction.untitled");
      titleText.textContent = title;
      titleButton.setAttribute("aria-label", t("interaction.renameLabel", { title }));
      titleField.setAttribute("aria-label", t("interaction.rename"));
      const path = session?.workspace ?? "";
      // The end of a path tells more than its beginning.
      folder.textContent = clipped(path.split("/").slice(-2).join("/"), 60);
      folder.title = clipped(path, 1000);
    }),
    effect(() => drawStatus(record.value)),
    effect(() => {
      if (record.value?.turn || record.value?.parked) return watchClock();
      return undefined;
    }),
    effect(() => {
      const session = record.value;
      if (!session) return;
      const { models, modes, efforts } = choices(sessionId);
      const provider = store.providers.value.get(session.providerId);
      const others = session.providerIds.length - 1;
      const name = (list, id) => clipped(list.find((each) => each.id === id)?.label ?? id ?? t("interaction.standard"), 40);
      picks.provider.set(t("interaction.provider.label"), operations.providerName(session.providerId) + (others > 0 ? ` +${others}` : ""), true);
      const can = provider?.capabilities ?? {};
      picks.models.set(t("interaction.model.label"), name(models, session.model), can.models !== false || Boolean(session.model));
      picks.modes.set(t("interaction.mode.label"), name(modes, session.mode), modes.length > 0 || Boolean(session.mode));
      picks.efforts.set(t("interaction.effort.label"), name(efforts, session.effort), efforts.length > 0 || Boolean(session.effort));
      picks.modes.button.dataset.mode = session.mode ?? "";
      pickers.setAttribute("aria-label", t("interaction.pickers"));
    }),
    effect(() => drawUsed(record.value)),
    effect(() => drawQuota(record.value)),
    effect(() => {
      const session = record.value;
      stopButton.hidden = !session?.turn;
      const text = t(session?.paused ? "interaction.resume" : "interaction.pause");
      pauseButton.setAttribute("aria-label", text);
      pauseButton.setAttribute("aria-pressed", String(session?.paused === true));
      replace(pauseButton, icon(session?.paused ? "play" : "pause"));
    }),
    effect(() => {
      const others = waiting();
      elsewhere.hidden = others.size === 0;
      replace(elsewhere, icon("bell"), h("span", { class: "elsewhere-count", "aria-hidden": "true" }, String(others.size)));
      elsewhere.setAttribute("aria-label", t("interaction.elsewhere.count", { count: others.size }));
      elsewhere.title = t("interaction.elsewhere.count", { count: others.size });
    }),
  ];

  function drawStatus(session) {
    if (!session) return void replace(status);
    const kind = session.paused && !session.turn ? "paused" : session.status;
    let text = t(`interaction.status.${kind}`);
    if (session.turn) text += ` ${formatDuration(Math.floor(Math.max(0, now() - new Date(session.turn.startedAt)) / 1000) * 1000)}`;
    else if (session.parked) text = t("interaction.status.parkedUntil", { time: formatTime(session.parked.until) });
    status.dataset.status = kind;
    replace(status, h("span", { class: "status-dot", "aria-hidden": "true" }), h("span", { class: "status-text" }, text));
    status.title = text;
  }

  function drawUsed(session) {
    if (!session) return;
    const { input = 0, output = 0, contextUsed, contextWindow } = session.usage ?? {};
    const limit = session.budgetUsd ?? store.settings.value?.budget?.perSessionUsd ?? 0;
    const window = contextWindow ?? windowOf(session);
    const share = contextUsed && window ? Math.min(1, contextUsed / window) : null;
    const parts = [];
    const words = [];
    if (share !== null) {
      parts.push(h("span", { class: `context-meter ${share > 0.85 ? "is-high" : ""}`, "aria-hidden": "true" }, h("span", { class: "context-fill", style: { width: `${Math.round(share * 100)}%` } })),
        h("span", { class: "used-context" }, formatPercent(share)));
      words.push(t("interaction.used.context", { share: formatPercent(share) }));
    }
    parts.push(h("span", { class: "used-tokens" }, t("interaction.used.tokensShort", { tokens: formatTokens(input + output) })));
    words.push(t("interaction.used.tokens", { input: formatTokens(input), output: formatTokens(output) }));
    const cost = formatCost(session.costUsd, session.costEstimated);
    parts.push(h("span", { class: `used-cost ${limit > 0 && session.costUsd >= limit ? "is-over" : limit > 0 && session.costUsd >= limit * 0.8 ? "is-high" : ""}` },
      limit > 0 ? `${cost} / ${formatCost(limit)}` : cost));
    words.push(limit > 0 ? t("interaction.used.costOf", { cost, limit: formatCost(limit) }) : t("interaction.used.cost", { cost }));
    replace(used, parts);
    used.setAttribute("aria-label", `${words.join(", ")}. ${t("interaction.used.open")}`);
    used.title = words.join("\n");
  }

  /** The window of the session's model, as its provider says. */
  function windowOf(session) {
    const windows = store.providers.value.get(session.providerId)?.limits?.contextWindow ?? {};
    return windows[session.model] ?? windows.default ?? null;
  }

  /** The window of a quota that is nearest to its end, when it is worth a word. */
  function drawQuota(session) {
    const windows = store.providers.value.get(session?.providerId)?.quota ?? [];
    const worst = windows.filter((each) => each.status !== "allowed" || each.utilization >= 0.75)
      .sort((a, b) => rank(b) - rank(a))[0];
    quota.hidden = !worst;
    if (!worst) return;
    quota.dataset.status = worst.status;
    const resets = worst.resetsAt ? formatRelative(worst.resetsAt * 1000) : "";
    const text = worst.status === "rejected" ? t("interaction.quota.used") : worst.utilization !== undefined ? t("interaction.quota.share", { share: formatPercent(worst.utilization) }) : t("interaction.quota.low");
    replace(quota, icon("bolt"), text, resets && h("span", { class: "quota-resets" }, t("interaction.quota.resets", { relative: resets })));
  }

  const unbind = bindKeys(element, { F2: startRenaming });
  learnOffers(sessionId);

  return {
    element,
    rename: startRenaming,
    dispose() {
      unbind();
      for (const end of effects) end();
    },
  };
}

function rank({ status, utilization = 0 }) {
  return (status === "rejected" ? 2 : status === "warning" ? 1 : 0) + utilization;
}
