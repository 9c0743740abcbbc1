// Which agent: each with whether it is here, its version and login, and what is to be done about it when something is missing.

import { connection } from "../core/connection.js";
import { h, reconcile, replace } from "../core/dom.js";
import { formatTime } from "../core/format.js";
import { t } from "../core/i18n.js";
import { computed, effect, signal } from "../core/signal.js";
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
    const provider = store.provider(chosen.value);
    replace(help, provider ? providerHelp(provider) : null);
  });

  return {
    element,
    dispose() {
      stop();
      stopHelp();
    },
  };
}

/** Ways of the command that signs in, by provider: asked for once. */
const logins = new Map();

/** What is to be done before the provider can be used; null when there is nothing. */
export function providerHelp(provider) {
  const state = readiness(provider);
  const problem = signal(null);
  const error = h("p", { class: "notice-error", role: "alert", hidden: true });
  effect(() => {
    error.hidden = problem.value === null;
    error.textContent = problem.value ?? "";
  });
  const run = (action) => async (event) => {
    const target = event?.currentTarget;
    if (target) target.disabled = true;
    problem.value = null;
    try {
      await action();
    } catch (failure) {
      problem.value = visible(failure.message, 600);
    } finally {
      if (target) target.disabled = false;
    }
  };
  const path = `/providers/${encodeURIComponent(provider.id)}`;
  const check = button(t("shell.provider.check"), run(() => connection.api("POST", `${path}/check`)), { iconName: "retry" });

  switch (state) {
    case "ready":
      return null;
    case "disabled":
      return h("div", { class: "help-box" }, h("p", null, t("shell.provider.disabledHelp")),
        h("div", { class: "actions" }, button(t("shell.provider.enable"), run(() => connection.api("PATCH", path, { enabled: true })), { kind: "primary" })), error);
    case "installing": {
      const { line, percent } = provider.operation;
      return h("div", { class: "help-box" },
        h("p", null, t("shell.provider.installing")),
        h("progress", { value: percent ?? null, max: 100, "aria-label": t("shell.provider.installing") }),
        line ? h("p", { class: "help-line" }, visible(line, 160)) : null,
        h("div", { class: "actions" }, button(t("shell.cancel"), run(() => connection.api("DELETE", `${path}/install`)))), error);
    }
    case "install": {
      const recipes = provider.installRecipes ?? [];
      const failure = provider.operation?.phase === "failed" ? provider.operation.error?.message : null;
      return h("div", { class: "help-box" },
        h("p", null, recipes.length ? t("shell.provider.installHelp", { name: visible(provider.name, 60) }) : t("shell.provider.installByHand", { name: visible(provider.name, 60) })),
        failure ? h("p", { class: "notice-error" }, visible(failure, 600)) : null,
        h("div", { class: "actions" },
          recipes.map((recipe, index) => h("div", { class: "recipe" },
            button(visible(recipe.label, 60), run(() => connection.api("POST", `${path}/install`, { recipe: recipe.id })),
              { kind: index === 0 && !recipe.missing.length ? "primary" : "", iconName: "download", props: { disabled: recipe.missing.length > 0 } }),
            recipe.missing.length ? h("span", { class: "hint" }, t("shell.provider.missing", { what: visible(recipe.missing.join(", "), 120) })) : null)),
          check), error);
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
      return h("div", { class: "help-box" }, h("p", null, t("shell.provider.loginHelp")), place, h("div", { class: "actions" }, check), error);
    }
    default:
      return h("div", { class: "help-box" }, h("p", null, visible(provider.problem ?? readinessText(provider), 600)), h("div", { class: "actions" }, check), error);
  }
}

const commandText = (command) => (Array.isArray(command) ? command.map((part) => (/^[\w@%+=:,./-]+$/.test(part) ? part : `'${part.replaceAll("'", "'\\''")}'`)).join(" ") : String(command));

/** A command to be run in a terminal, with a button that copies it. */
export function commandLine(text) {
  return h("div", { class: "command" }, h("code", null, visible(text, 400)),
    h("button", { type: "button", class: "icon-button small", "aria-label": t("shell.copy"), on: { click: () => copyText(text) } }, icon("copy")));
}
