// One provider: its state in a word, what can be done about it, its quota, and its details.

import { h, replace } from "../core/dom.js";
import { formatDuration, formatPercent, formatRelative, formatTime, formatTokens } from "../core/format.js";
import { has, t } from "../core/i18n.js";
import { computed, effect, signal } from "../core/signal.js";
import { connection } from "../core/connection.js";
import { store } from "../core/store.js";
import { button } from "../ui/button.js";
import { confirmDialog, openDialog } from "../ui/dialog.js";
import { icon } from "../ui/icons.js";
import { toast } from "../ui/toast.js";
import { field } from "../interaction/dialogs.js";
import { now } from "../interaction/clock.js";
import { attempt, errorText } from "../interaction/operations.js";
import { visible as clipped } from "../core/text.js";

/** `{element, dispose}`. */
export function providerCard(id) {
  const record = computed(() => store.providers.value.get(id) ?? null);
  const isChecking = signal(false);
  const titleId = `provider-${id}`;
  const head = h("header", { class: "agent-head" });
  const state = h("div", { class: "agent-state" });
  const operation = h("div", { class: "agent-operation" });
  const quota = h("div", { class: "agent-quota" });
  const actions = h("div", { class: "agent-actions" });
  const facts = h("dl", { class: "facts" });
  const details = h("details", { class: "agent-details" }, h("summary"), facts);
  const toggle = h("input", { type: "checkbox", class: "switch", role: "switch", id: `provider-enabled-${id}`, on: { change: enable } });
  const toggleLabel = h("label", { htmlFor: toggle.id, class: "visually-hidden" });
  const element = h("article", { class: "card agent", "aria-labelledby": titleId, dataset: { provider: id } }, head, state, operation, quota, actions, details);

  const path = `/providers/${encodeURIComponent(id)}`;

  async function enable() {
    const isOn = toggle.checked;
    const done = await attempt(() => connection.send("provider:update", { providerId: id, enabled: isOn }));
    if (done === undefined) toggle.checked = !isOn;
  }

  async function check() {
    isChecking.value = true;
    await attempt(() => connection.api("POST", `${path}/check`), (result) => t(result.problem ? "views.provider.checkedProblem" : "views.provider.checked", { name: result.name }));
    isChecking.value = false;
  }

  function install() {
    installDialog(record.peek());
  }

  const cancel = () => attempt(() => connection.api("DELETE", `${path}/install`));

  async function uninstall() {
    const { name } = record.peek();
    if (await confirmDialog({ title: t("views.provider.uninstallTitle", { name }), text: t("views.provider.uninstallText"), label: t("views.provider.uninstall") })) {
      await attempt(() => connection.api("POST", `${path}/uninstall`), t("views.provider.uninstalled", { name }));
    }
  }

  async function login() {
    const answer = await attempt(() => connection.api("POST", `${path}/login`));
    if (answer) loginDialog(record.peek(), answer);
  }

  const effects = [
    effect(() => {
      const now = record.value;
      if (!now) return;
      toggle.checked = now.enabled;
      toggleLabel.textContent = t("views.provider.enabled", { name: now.name });
      replace(head,
        h("span", { class: "agent-sign", "aria-hidden": "true" }, now.name.slice(0, 1).toUpperCase()),
        h("div", { class: "agent-names" }, h("h2", { id: titleId }, clipped(now.name, 80)), h("p", { class: "settings-summary" }, clipped(now.description, 300))),
        badge(now), h("span", { class: "agent-toggle" }, toggleLabel, toggle));
    }),
    effect(() => {
      replace(state, notices(record.value));
    }),
    effect(() => drawOperation(record.value?.operation)),
    effect(() => drawQuota(record.value)),
    effect(() => {
      const now = record.value;
      if (!now) return;
      const isInstalling = isRunning(now.operation);
      const recipes = now.installRecipes ?? [];
      replace(actions,
        recipes.length > 0 && !isInstalling && button(t(now.install ? "views.provider.update" : now.installed ? "views.provider.installOwn" : "views.provider.install"), install, { kind: now.installed ? "" : "primary", iconName: "download" }),
        now.login && now.installed && button(t(now.authenticated === false ? "views.provider.login" : "views.provider.loginAgain"), login, { kind: now.authenticated === false ? "primary" : "", iconName: "user" }),
        button(t(isChecking.value ? "views.provider.checking" : "views.provider.check"), check, { iconName: "retry", props: { disabled: isChecking.value } }),
        now.install && !isInstalling && button(t("views.provider.uninstall"), uninstall, { kind: "quiet", iconName: "trash" }));
    }),
    effect(() => drawFacts(record.value)),
  ];

  function notices(now) {
    if (!now) return [];
    const found = [];
    const add = (kind, text, ...more) => found.push(h("div", { class: `notice ${kind}` }, icon(kind === "danger" ? "error" : "warning"), h("span", { class: "notice-text" }, text), ...more));
    if (now.manifestProblem) add("danger", `${clipped(now.manifestProblem.path, 300)} ${clipped(now.manifestProblem.key, 100)}: ${clipped(now.manifestProblem.reason, 500)}`);
    if (now.module?.problem) add("danger", t("views.module.problem", { reason: clipped(`${now.module.problem.path} ${now.module.problem.key}: ${now.module.problem.reason}`, 800) }));
    const known = !now.enabled || !now.installed || now.authenticated === false;
    if (now.enabled && !now.installed && now.installRecipes.length && now.installRecipes.every((recipe) => recipe.missing.length)) {
      add("warn", t("views.provider.requirements", { list: [...new Set(now.installRecipes.flatMap((recipe) => recipe.missing))].join(", ") }));
    }
    // What a badge says already isn't said again.
    if (now.problem && !known) add("danger", clipped(now.problem, 600));
    else if (now.problem && now.enabled && now.installed && now.authenticated === false && now.login?.hint) add("warn", clipped(now.login.hint, 400));
    if (now.health?.state && now.health.state !== "ok") {
      const until = now.health.until ? formatDuration(Math.max(0, new Date(now.health.until) - now_())) : "";
      add(now.health.state === "open" ? "danger" : "warn", t(`views.provider.health.${now.health.state}`, { count: now.health.failures, time: until }));
    }
    return found;
  }

  const now_ = () => now();

  function drawOperation(current) {
    operation.hidden = !current || (current.phase === "completed" && !isRecent(current));
    if (operation.hidden) return void replace(operation);
    const running = isRunning(current);
    const percent = running && current.percent !== undefined ? current.percent : null;
    replace(operation,
      h("div", { class: "operation-head" },
        icon(running ? "download" : current.phase === "completed" ? "check" : "warning"),
        h("strong", { role: "status" }, t(`views.operation.${current.phase}`)),
        percent !== null && h("span", { class: "number" }, formatPercent(percent / 100)),
        running && button(t("views.operation.cancel"), cancel, { kind: "small" })),
      running && h("div", { class: "meter", role: "progressbar", "aria-label": t(`views.operation.${current.phase}`), "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": percent === null ? null : String(percent) },
        h("span", { class: `meter-fill ${percent === null ? "is-indeterminate" : ""}`, style: percent === null ? {} : { width: `${percent}%` } })),
      current.line && running && h("code", { class: "operation-line" }, clipped(current.line, 300)),
      current.error && h("p", { class: "operation-error" }, clipped(errorText(current.error), 600)),
      current.error?.details && outputOf(current.error.details));
  }

  function outputOf(details) {
    const output = details.output ?? details.tail;
    const log = details.log ?? details.path;
    return h("div", null,
      typeof output === "string" && h("details", { class: "request-all" }, h("summary", null, t("views.operation.output")), h("pre", { class: "code", tabIndex: 0 }, output.slice(-8000))),
      typeof log === "string" && h("p", { class: "settings-summary" }, t("views.operation.log"), " ", h("code", null, clipped(log, 400))));
  }

  function drawQuota(current) {
    const windows = current?.quota ?? [];
    quota.hidden = windows.length === 0;
    replace(quota, windows.length > 0 && h("h3", null, t("views.provider.quota")), windows.map((each) => {
      const share = each.status === "rejected" ? 1 : each.utilization;
      const level = each.status === "rejected" ? "is-over" : each.status === "warning" || share >= 0.8 ? "is-high" : "";
      const key = `views.quota.${each.window}`;
      const name = each.window ? (has(key) ? t(key) : clipped(each.window.replaceAll("_", " "), 60)) : t("views.quota.unnamed");
      const resets = each.resetsAt ? t("views.quota.resets", { time: formatTime(each.resetsAt * 1000), relative: formatRelative(each.resetsAt * 1000, now()) }) : "";
      const value = each.status === "rejected" ? t("views.quota.rejected") : share !== undefined ? t("views.quota.used", { share: formatPercent(share) }) : t(`views.quota.${each.status === "warning" ? "warning" : "allowed"}`);
      return h("div", { class: "quota-row" },
        h("span", { class: "quota-name" }, name), h("span", { class: `quota-value ${level}` }, value),
        share !== undefined && h("div", { class: `meter ${level}`, role: "meter", "aria-label": name, "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": String(Math.round(share * 100)), "aria-valuetext": `${value} ${resets}` },
          h("span", { class: "meter-fill", style: { width: `${Math.min(100, share * 100)}%` } })),
        h("span", { class: "quota-resets" }, resets));
    }));
  }

  function drawFacts(current) {
    if (!current) return;
    details.querySelector("summary").textContent = t("views.provider.details");
    const fact = (name, value) => value && [h("dt", null, t(`views.fact.${name}`)), h("dd", null, value)];
    const code = (value) => value && h("code", null, clipped(value, 400));
    const window = current.limits?.contextWindow;
    const can = Object.entries(current.capabilities ?? {}).filter(([, isThere]) => isThere === true).map(([name]) => (has(`views.can.${name}`) ? t(`views.can.${name}`) : name));
    replace(facts,
      fact("id", code(current.id)), fact("version", current.version && clipped(current.version, 80)),
      fact("module", current.module && moduleText(current.module)),
      fact("tested", current.testedVersion && t("views.fact.testedText", { tested: current.testedVersion, minimum: current.minimumVersion ?? "—" })),
      fact("program", code(current.executable)),
      fact("install", current.install && t("views.fact.installText", { recipe: current.install.recipe, time: formatTime(current.install.installedAt) })),
      fact("models", current.models?.length > 0 && clipped(current.models.join(", "), 600)), fact("modes", current.modes?.length > 0 && clipped(current.modes.join(", "), 600)),
      fact("window", window && Object.entries(window).map(([name, tokens]) => (name === "default" ? formatTokens(tokens) : `${clipped(name, 60)}: ${formatTokens(tokens)}`)).join(", ")),
      fact("can", can.join(", ")));
  }

  return {
    element,
    dispose() {
      for (const end of effects) end();
    },
  };
}

/** Which manifest is in force. */
function moduleText(module) {
  const name = module.over ? "personOver" : module.source;
  return t(`views.module.${name}`, { version: clipped(module.version ?? "—", 40) });
}

function isRunning(operation) {
  return operation?.phase === "installing" || operation?.phase === "verifying";
}

/** What ended well is worth a line for a minute. */
function isRecent(operation) {
  return operation.finishedAt && now() - new Date(operation.finishedAt) < 60_000;
}

/** The state in a word. */
function badge(record) {
  const [kind, name] = !record.enabled ? ["", "disabled"]
    : isRunning(record.operation) ? ["info", "installing"]
      : !record.installed ? ["warn", "missing"]
        : record.authenticated === false ? ["warn", "loggedOut"]
          : record.health?.state === "open" || record.problem ? ["danger", "problem"] : ["ok", "ready"];
  return h("span", { class: `badge ${kind}` }, t(`views.provider.${name}`));
}

function installDialog(record) {
  const usable = record.installRecipes.find((recipe) => recipe.missing.length === 0) ?? record.installRecipes[0];
  const version = h("input", { class: "input", type: "text", maxLength: 64, spellcheck: false, autocomplete: "off", placeholder: t("views.install.newest") });
  const versionField = field(t("views.install.version"), version);
  let chosen = usable;
  const recipes = h("div", { class: "question-options", role: "radiogroup", "aria-label": t("views.install.recipe") }, record.installRecipes.map((recipe) =>
    h("label", { class: "question-option" },
      h("input", { type: "radio", name: "recipe", checked: recipe === usable, disabled: recipe.missing.length > 0, on: { change: () => { chosen = recipe; versionField.hidden = !recipe.versions; } } }),
      h("span", { class: "question-words" }, h("span", { class: "question-label" }, clipped(recipe.label || recipe.id, 120)),
        h("span", { class: "question-description" }, recipe.missing.length ? t("views.install.missing", { list: recipe.missing.join(", ") }) : t("views.install.requires", { list: recipe.requires.join(", ") || "—" }))))));
  versionField.hidden = !usable.versions;
  openDialog({
    title: t(record.install ? "views.install.updateTitle" : "views.install.title", { name: record.name }), class: "dialog-small",
    body: h("div", { class: "form" }, h("p", null, t("views.install.text")), recipes, versionField),
    actions: [{ label: t("shell.cancel") }, {
      label: t(record.install ? "views.provider.update" : "views.provider.install"), kind: "primary", disabled: usable.missing.length > 0,
      run: async () => {
        try {
          await connection.api("POST", `/providers/${encodeURIComponent(record.id)}/install`, { recipe: chosen.id, ...(version.value.trim() && chosen.versions ? { version: version.value.trim() } : {}) });
        } catch (error) {
          throw new Error(errorText(error));
        }
      },
    }],
  });
}

function loginDialog(record, { command, hint }) {
  const line = `codeai-hub providers login ${record.id}`;
  openDialog({
    title: t("views.login.title", { name: record.name }), class: "dialog-small",
    body: h("div", { class: "form" },
      h("p", null, t("views.login.text")), copyable(line),
      hint && h("p", { class: "settings-summary" }, clipped(hint, 500)),
      command && h("details", { class: "request-all" }, h("summary", null, t("views.login.command")), copyable(Array.isArray(command) ? command.join(" ") : String(command)))),
    actions: [{ label: t("shell.close") }, {
      label: t("views.login.done"), kind: "primary",
      run: async () => {
        const now = await connection.api("POST", `/providers/${encodeURIComponent(record.id)}/check`);
        if (now.authenticated === false) throw new Error(t("views.login.notYet"));
        toast(t("views.login.isIn", { name: record.name }), { kind: "ok" });
      },
    }],
  });
}

/** A command with a button that copies it. */
function copyable(text) {
  const said = h("span", { class: "visually-hidden", role: "status" });
  const copy = h("button", { type: "button", class: "button small", on: {
    click: async () => {
      try {
        await navigator.clipboard.writeText(text);
        said.textContent = t("views.copied");
        replace(copy, icon("check"), h("span", null, t("views.copied")));
      } catch {
        // Without a clipboard (an origin that isn't secure) it is marked to be copied by hand.
        getSelection().selectAllChildren(code);
      }
    },
  } }, icon("copy"), h("span", null, t("views.copy")));
  const code = h("code", null, text);
  return h("div", { class: "copyable" }, code, copy, said);
}
