// The settings: a form made from the daemon's own table of them, and those of this browser. Changes are collected and saved
// together, all or none, as the daemon takes them.

import { h, replace } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { effect, signal } from "../core/signal.js";
import { connection } from "../core/connection.js";
import { store } from "../core/store.js";
import { button } from "../ui/button.js";
import { confirmDialog } from "../ui/dialog.js";
import { icon } from "../ui/icons.js";
import { toast } from "../ui/toast.js";
import { browserSection } from "./browser-settings.js";
import { errorText } from "../interaction/operations.js";
import { settingField } from "./setting-field.js";
import { labelOf, sectionOf } from "./setting-texts.js";

/** `{element, dispose}`. */
export function settingsView() {
  const search = h("input", { class: "input", type: "search", autocomplete: "off", spellcheck: false, on: { input: () => { query.value = search.value.trim().toLowerCase(); } } });
  const query = signal("");
  const nav = h("nav", { class: "settings-nav" });
  const notices = h("div", { class: "settings-notices" });
  const sections = h("div", { class: "settings-sections" });
  const nothing = h("p", { class: "empty", role: "status", hidden: true });
  // Its parts stay: a field that is left by pressing a button of it changes what it says under the pointer.
  const barText = h("span", { class: "save-text", role: "status" });
  const discardButton = h("button", { type: "button", class: "button", on: { click: discard } });
  const saveButton = h("button", { type: "button", class: "button primary", on: { click: save } });
  const bar = h("div", { class: "save-bar", role: "region", hidden: true }, barText, discardButton, saveButton);
  const heading = h("h1", { class: "view-title visually-hidden", tabIndex: -1 });
  const element = h("div", { class: "view-page settings-view" },
    h("header", { class: "view-head" }, heading, search),
    h("div", { class: "settings-body" }, nav, h("div", { class: "settings-main" }, notices, sections, nothing)), bar);

  /** The settings with their schema; null until they have come. */
  const table = signal(null);
  const failure = signal(null);
  const status = signal(null);
  /** By key: what the person has put in its place, `{value}` or `{isReset}`, with `problem` when it is not allowed. */
  const changes = signal(new Map());
  const isSaving = signal(false);
  let fields = [];

  async function load() {
    try {
      const [settings, now] = await Promise.all([connection.api("GET", "/settings?schema=1"), connection.api("GET", "/status")]);
      table.value = settings;
      status.value = now.configuration ?? null;
      failure.value = null;
    } catch (error) {
      failure.value = error;
    }
  }

  function changed(key, change) {
    const next = new Map(changes.peek());
    if (change) next.set(key, change);
    else next.delete(key);
    changes.value = next;
  }

  function discard() {
    changes.value = new Map();
    for (const field of fields) field.reset();
  }

  async function save() {
    const wrong = fields.find((field) => changes.peek().get(field.key)?.problem);
    if (wrong) return wrong.focus();
    const patch = {};
    for (const [key, change] of changes.peek()) put(patch, key.split("."), change.isReset ? null : change.value);
    isSaving.value = true;
    try {
      const settings = await connection.api("PATCH", "/settings", patch);
      changes.value = new Map();
      table.value = { ...settings, schema: table.peek().schema };
      for (const field of fields) field.reset();
      toast(settings.needsRestart?.length ? t("views.settings.savedRestart") : t("views.settings.saved"), { kind: "ok" });
    } catch (error) {
      const problems = error.details?.problems ?? (error.details?.field ? [{ key: error.details.field, reason: error.message }] : []);
      for (const problem of problems) fields.find((field) => field.key === (problem.key ?? problem.field))?.refuse(problem.reason ?? problem.message ?? error.message);
      fields.find((field) => problems.some((problem) => field.key === (problem.key ?? problem.field)))?.focus();
      toast(errorText(error), { kind: "danger" });
    } finally {
      isSaving.value = false;
    }
  }

  function put(object, path, value) {
    for (const name of path.slice(0, -1)) object = object[name] ??= {};
    object[path.at(-1)] = value;
  }

  async function restart() {
    const isMeant = await confirmDialog({ title: t("views.restart.title"), text: t("views.restart.text"), label: t("views.restart.do"), kind: "primary" });
    if (!isMeant) return;
    try {
      await connection.api("POST", "/core/restart", {});
    } catch (error) {
      toast(errorText(error), { kind: "danger" });
    }
  }

  // The form, made anew when the language changes: its schema comes once.
  const drawForm = effect(() => {
    const now = table.value;
    if (!now) return;
    const writing = document.activeElement;
    const writingIn = sections.contains(writing) ? fields.find((field) => field.element.contains(writing)) : null;
    for (const field of fields) field.dispose?.();
    fields = [];
    const bySection = new Map();
    for (const entry of expanded(now.schema)) {
      const section = entry.key.split(".")[0];
      if (!bySection.has(section)) bySection.set(section, []);
      const field = settingField(entry, { settings: now, change: changes.peek().get(entry.key), changed });
      fields.push(field);
      bySection.get(section).push(field);
    }
    const browser = browserSection();
    replace(sections, section("browser", browser.fields), [...bySection].map(([name, list]) => section(name, list)));
    replace(nav, h("ul", null, ["browser", ...bySection.keys()].map((name) =>
      h("li", null, h("a", { href: "#/settings", dataset: { section: name }, on: { click: (event) => { event.preventDefault(); show(name); } } }, sectionOf(name).title)))));
    fields.push(...browser.fields);
    filter();
    // Whoever is writing goes on writing.
    const same = writingIn && fields.find((field) => field.key === writingIn.key);
    if (same) {
      same.focus();
      const { activeElement } = document;
      if (typeof writing.selectionStart === "number" && activeElement.setSelectionRange) activeElement.setSelectionRange(writing.selectionStart, writing.selectionEnd);
    }
  });

  function section(name, list) {
    const { title, summary } = sectionOf(name);
    return h("section", { class: "settings-section", id: `settings-${name}`, "aria-labelledby": `settings-${name}-title` },
      h("h2", { id: `settings-${name}-title`, tabIndex: -1 }, title), summary && h("p", { class: "settings-summary" }, summary), list.map((field) => field.element));
  }

  function show(name) {
    search.value = "";
    query.value = "";
    filter();
    const target = sections.querySelector(`#settings-${CSS.escape(name)}`);
    target?.scrollIntoView({ block: "start" });
    target?.querySelector("h2").focus({ preventScroll: true });
  }

  function filter() {
    const words = query.value.split(/\s+/).filter(Boolean);
    let found = 0;
    for (const each of sections.querySelectorAll(".settings-section")) {
      let own = 0;
      for (const row of each.querySelectorAll(".setting")) {
        const text = row.dataset.text ?? "";
        row.hidden = !words.every((word) => text.includes(word));
        if (!row.hidden) own += 1;
      }
      each.hidden = own === 0;
      found += own;
    }
    nothing.hidden = found > 0 || !table.peek();
    nothing.textContent = t("views.settings.nothing", { query: query.value });
  }

  const effects = [
    drawForm,
    effect(filter),
    effect(() => {
      heading.textContent = t("views.settings.title");
      search.placeholder = t("views.settings.search");
      search.setAttribute("aria-label", t("views.settings.search"));
      nav.setAttribute("aria-label", t("views.settings.sections"));
      bar.setAttribute("aria-label", t("views.settings.unsaved"));
    }),
    effect(() => {
      const now = [];
      if (failure.value && !table.value) {
        now.push(notice("danger", "warning", errorText(failure.value), button(t("views.again"), load)));
      }
      for (const problem of status.value?.problems ?? []) {
        now.push(notice("danger", "warning", `${problem.source}${problem.line ? `:${problem.line}` : ""} ${problem.key ?? ""} ${problem.reason}`));
      }
      const waiting = table.value?.needsRestart ?? [];
      if (waiting.length) {
        now.push(notice("warn", "retry", t("views.settings.needsRestart", { count: waiting.length, keys: waiting.map((key) => labelOf(key)).join(", ") }),
          button(t("views.restart.do"), restart)));
      }
      replace(notices, now);
    }),
    effect(() => {
      const all = changes.value;
      const wrong = [...all.values()].filter((change) => change.problem).length;
      bar.hidden = all.size === 0;
      barText.textContent = wrong ? t("views.settings.wrong", { count: wrong }) : t("views.settings.changes", { count: all.size });
      discardButton.textContent = t("views.settings.discard");
      saveButton.textContent = t("views.settings.save");
      saveButton.disabled = isSaving.value;
    }),
  ];

  // What others change shows at once; what is being edited here stays.
  const ends = [
    connection.on("settings:update", (frame) => {
      const before = table.peek();
      if (!before) return;
      const { changed: keys, ...settings } = frame.payload;
      table.value = { ...settings, schema: before.schema };
    }),
    effect(() => {
      if (connection.state.value.phase === "open") load();
    }),
  ];

  function notice(kind, name, text, ...more) {
    return h("div", { class: `notice ${kind}` }, icon(name), h("span", { class: "notice-text" }, text), ...more);
  }

  function leaving(event) {
    if (changes.peek().size) event.preventDefault();
  }
  addEventListener("beforeunload", leaving);

  return {
    element,
    focus: () => heading.focus(),
    dispose() {
      removeEventListener("beforeunload", leaving);
      for (const field of fields) field.dispose?.();
      for (const end of [...effects, ...ends]) end();
    },
  };
}

/** What may be said for each agent; the daemon's schema has those that its file names. */
const ofProviders = {
  model: "The model of a new session that names none.",
  mode: "The permission mode of a new session that names none; the provider's own names.",
  effort: "How hard the model thinks in a new session that doesn't say; the provider's own names.",
};

/** The entries of the schema, and those of each provider. */
function expanded(schema) {
  const entries = schema.filter((entry) => !entry.key.includes("<id>"));
  const known = new Set(entries.map((entry) => entry.key));
  const added = [...store.providers.peek().keys()].flatMap((id) => Object.entries(ofProviders).map(([name, summary]) => ({
    key: `providers.${id}.${name}`, type: "string", minLength: 1, live: true, effect: "now", privileged: false, summary,
  }))).filter((entry) => !known.has(entry.key));
  const all = [...entries, ...added];
  return [...all.filter((entry) => !entry.key.startsWith("providers.")), ...all.filter((entry) => entry.key.startsWith("providers.")).sort((a, b) => a.key.localeCompare(b.key))];
}
