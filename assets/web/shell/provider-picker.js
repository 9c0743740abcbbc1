// Which agent: each with whether it is here, its version and login, and what is to be done about it when something is missing.

import { connection } from "../core/connection.js";
import { h, reconcile, replace } from "../core/dom.js";
import { formatTime } from "../core/format.js";
import { locale, t } from "../core/i18n.js";
import { computed, effect, untracked } from "../core/signal.js";
import { store } from "../core/store.js";
import { visible } from "../core/text.js";
import { button } from "../ui/button.js";
import { icon } from "../ui/icons.js";
import { copyText } from "./actions.js";

/** In what way a provider can be used: ready, install, installing, login, disabled, problem, backoff. */
export function readiness(provider) {
  const phase = provider.operation?.phase;
  if (phase === "installing" || phase === "verifying") return "installing";
  if (!provider.enabled) return "disabled";
  if (!provider.installed) return "install";
  if (provider.problem) return "problem";
  if (provider.authenticated === false) return "login";
  if (provider.health?.state === "open") return "backoff";
  return "ready";
}

/** What is said beside a provider's name. */
export function readinessText(provider) {
  const state = readiness(provider);
  if (state === "backoff" && provider.health.until) return t("shell.provider.backoffUntil", { time: formatTime(provider.health.until) });
  if (state === "ready" && provider.authenticated === true && provider.login) return t("shell.provider.signedIn");
  return t(`shell.provider.${state}`);
}

const rank = { ready: 0, login: 1, backoff: 1, problem: 2, installing: 2, install: 3, disabled: 4 };

/** The providers, those that can be used first; the echo agent, which only plays, after the real ones that are ready. */
export const sortedProviders = computed(() => [...store.providers.value.values()].sort((a, b) =>
  rank[readiness(a)] - rank[readiness(b)] || (a.id === "echo") - (b.id === "echo") || a.name.localeCompare(b.name)));

/** @param chosen a signal of the id */
export function providerPicker(chosen) {
  const name = `provider-${Math.random().toString(36).slice(2)}`;
  const list = h("div", { class: "provider-list", role: "radiogroup" });
  const help = h("div", { class: "provider-help", "aria-live": "polite" });
  const element = h("div", { class: "stack" }, list, help);

  const stop = effect(() => {
    list.setAttribute("aria-label", t("shell.new.agent"));
    reconcile(list, sortedProviders.value, (provider) => provider.id, (provider) => {
      const input = h("input", {
        type: "radio", name, value: provider.id, class: "visually-hidden",
        on: { change: () => { chosen.value = provider.id; } },
      });
      const card = h("label", { class: "provider-card" }, input, h("span", { class: "provider-text" }));
      fillCard(card, provider);
      return card;
    }, fillCard);
    for (const card of list.children) {
      const input = card.firstChild;
      input.checked = input.value === chosen.value;
      card.classList.toggle("chosen", input.checked);
    }
  });

  function fillCard(card, provider) {
    const state = readiness(provider);
    replace(card.querySelector(".provider-text"),
      h("span", { class: "provider-name" }, visible(provider.name, 60), provider.version ? h("span", { class: "muted" }, " ", visible(provider.version, 24)) : null),
      h("span", { class: `provider-state provider-${state}` }, icon({ ready: "check", login: "user", install: "download", installing: "download", disabled: "pause" }[state] ?? "warning", { size: 14 }), readinessText(provider)));
  }

  const stopHelp = effect(() => {
    const id = chosen.value;
    const shown = untracked(() => providerHelp(id));
    replace(help, shown.element);
    return shown.dispose;
  });

  return {
    element,
    dispose() {
      stop();
      stopHelp();
    },
  };
}

/** Commands that sign in, by provider: asked for once. */
const logins = new Map();

/** What is to be done before a provider can be used; empty when there is nothing. It stays in place while an installation says
 * how far it is: buttons that are made anew several times a second can't be pressed. */
export function providerHelp(id) {
  const element = h("div", { class: "help" });
  const progress = h("progress", { max: 100 });
  const line = h("p", { class: "help-line" });
  let drawn = "";
  const dispose = effect(() => {
    const provider = store.provider(id);
    const state = provider ? readiness(provider) : "ready";
    const { percent, line: text } = provider?.operation ?? {};
    if (percent === undefined || percent === null) progress.removeAttribute("value");
    else progress.value = percent;
    line.textContent = text ? visible(text, 160) : "";
    const facts = JSON.stringify([locale.value, state, provider?.problem, provider?.installRecipes, provider?.operation?.error, provider?.health, provider?.name]);
    if (facts === drawn) return;
    drawn = facts;
    untracked(() => replace(element, state === "ready" ? null : helpBox(provider, state, progress, line)));
  });
  return { element, dispose };
}

function helpBox(provider, state, progress, line) {
  const error = h("p", { class: "notice-error", role: "alert", hidden: true });
  const name = visible(provider.name, 60);
  const path = `/providers/${encodeURIComponent(provider.id)}`;
  const act = (label, action, options) => {
    const each = button(label, async () => {
      each.disabled = true;
      error.hidden = true;
      try {
        await action();
      } catch (failure) {
        error.textContent = visible(failure.message, 600);
        error.hidden = false;
      } finally {
        each.disabled = false;
      }
    }, options);
    return each;
  };
  const check = () => act(t("shell.provider.check"), () => connection.api("POST", `${path}/check`), { iconName: "retry" });
  const box = (...content) => h("div", { class: "help-box" }, content, error);
  const actions = (...buttons) => h("div", { class: "actions" }, buttons);

  switch (state) {
    case "disabled":
      return box(h("p", null, t("shell.provider.disabledHelp")),
        actions(act(t("shell.provider.enable"), () => connection.api("PATCH", path, { enabled: true }), { kind: "primary" })));
    case "installing":
      progress.setAttribute("aria-label", t("shell.provider.installing"));
      return box(h("p", null, t("shell.provider.installing")), progress, line,
        actions(act(t("shell.cancel"), () => connection.api("DELETE", `${path}/install`))));
    case "install": {
      const recipes = provider.installRecipes ?? [];
      const failure = provider.operation?.phase === "failed" ? provider.operation.error?.message : null;
      return box(h("p", null, t(recipes.length ? "shell.provider.installHelp" : "shell.provider.installByHand", { name })),
        failure ? h("p", { class: "notice-error" }, visible(failure, 600)) : null,
        actions(recipes.map((recipe, index) => installer(recipe, index === 0)), check()));
    }
    case "login": {
      const place = h("div");
      const show = (login) => replace(place, login?.command ? commandLine(commandText(login.command)) : null, login?.hint ? h("p", { class: "hint" }, visible(login.hint, 400)) : null);
      show(logins.get(provider.id) ?? provider.login);
      if (!logins.has(provider.id)) {
        connection.api("POST", `${path}/login`).then((login) => {
          logins.set(provider.id, login);
          show(login);
        }, () => {});
      }
      return box(h("p", null, t("shell.provider.loginHelp")), place, actions(check()));
    }
    default:
      return box(h("p", null, visible(provider.problem ?? readinessText(provider), 600)), actions(check()));
  }

  function installer(recipe, isFirst) {
    const canRun = recipe.missing.length === 0;
    return h("div", { class: "recipe" },
      act(visible(recipe.label, 60), () => connection.api("POST", `${path}/install`, { recipe: recipe.id }), {
        kind: isFirst && canRun ? "primary" : "", iconName: "download", props: { disabled: !canRun },
      }),
      canRun ? null : h("span", { class: "hint" }, t("shell.provider.missing", { what: visible(recipe.missing.join(", "), 120) })));
  }
}

const commandText = (command) => (Array.isArray(command) ? command.map((part) => (/^[\w@%+=:,./-]+$/.test(part) ? part : `'${part.replaceAll("'", "'\\''")}'`)).join(" ") : String(command));

/** A command to be run in a terminal, with a button that copies it. */
export function commandLine(text) {
  return h("div", { class: "command" }, h("code", null, visible(text, 400)),
    h("button", { type: "button", class: "icon-button small", "aria-label": t("shell.copy"), on: { click: () => copyText(text) } }, icon("copy")));
}
