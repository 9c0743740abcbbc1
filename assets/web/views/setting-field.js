// One setting: its label, what it does, a control of its kind, and whatever keeps it from being changed or felt.

import { h, replace } from "../core/dom.js";
import { formatBytes, formatDuration, formatNumber } from "../core/format.js";
import { t } from "../core/i18n.js";
import { store } from "../core/store.js";
import { iconButton } from "../ui/button.js";
import { labelOf, summaryOf } from "./setting-texts.js";

let count = 0;

/** @param entry an entry of the schema
 * @param settings what is in force
 * @param change what the person has put in its place so far
 * @param changed called with the key and the change, or null
 * @returns `{key, element, reset(), refuse(reason), focus()}` */
export function settingField(entry, { settings, change, changed }) {
  count += 1;
  const { key } = entry;
  const id = `setting-${count}`;
  const inForce = entry.key.split(".").reduce((value, name) => value?.[name], settings);
  const isLocked = entry.privileged;
  const overriddenBy = settings.overridden?.[key];
  const control = isLocked ? null : makeControl(entry, id);
  const problem = h("p", { class: "setting-problem", id: `${id}-problem`, role: "alert", hidden: true });
  const reading = h("span", { class: "setting-reading" });
  const marks = h("span", { class: "setting-marks" });
  const resetButton = control && iconButton("retry", () => t("views.settings.reset", { label: labelOf(key) }), () => set({ isReset: true }), { kind: "small setting-reset" });
  const label = h(control && entry.type !== "boolean" ? "label" : "span", { class: "setting-label", id: `${id}-label` }, labelOf(key));
  if (label.localName === "label") label.htmlFor = id;
  const element = h("div", {
    class: `setting${isLocked ? " is-locked" : ""}`,
    dataset: { key, text: [key, labelOf(key), summaryOf(entry), entry.environment ?? ""].join(" ").toLowerCase() },
  },
  h("div", { class: "setting-words" },
    h("div", { class: "setting-head" }, label, h("code", { class: "setting-key" }, key), marks),
    h("p", { class: "setting-summary", id: `${id}-summary` }, summaryOf(entry)),
    problem),
  h("div", { class: "setting-control" }, control ? [control.element, resetButton] : lockedValue(entry, inForce), reading));

  if (control) {
    control.input.setAttribute("aria-describedby", `${id}-summary ${id}-problem`);
    control.input.addEventListener("input", () => set(control.read()));
    control.input.addEventListener("change", () => set(control.read()));
  }

  function set(next) {
    problem.hidden = true;
    const value = next.isReset ? entry.default : next.value;
    if (next.isReset) control.write(entry.default);
    const isSame = !next.problem && !next.isReset && same(value, inForce);
    const isNothing = next.isReset && inForce === undefined;
    change = isSame || isNothing ? null : next;
    if (change?.problem) refuse(change.problem);
    else control.input.removeAttribute("aria-invalid");
    changed(key, change);
    draw();
  }

  function refuse(reason) {
    problem.textContent = reason;
    problem.hidden = false;
    control?.input.setAttribute("aria-invalid", "true");
  }

  function reset() {
    change = null;
    control?.write(inForce);
    problem.hidden = true;
    control?.input.removeAttribute("aria-invalid");
    draw();
  }

  function draw() {
    element.classList.toggle("is-changed", Boolean(change));
    const value = change ? (change.isReset ? entry.default : change.value) : inForce;
    reading.textContent = change?.problem ? "" : readable(entry, value);
    if (resetButton) resetButton.hidden = same(value, entry.default) || value === undefined;
    replace(marks,
      change && mark("changed", t("views.settings.mark.changed")),
      settings.needsRestart?.includes(key) && mark("warn", t("views.settings.mark.waiting")),
      overriddenBy && mark("warn", t("views.settings.mark.overridden", { source: overriddenBy }), t("views.settings.overriddenHelp", { source: overriddenBy })),
      entry.effect === "restart" && mark("", t("views.settings.mark.restart")),
      entry.effect === "newConnections" && mark("", t("views.settings.mark.newConnections")),
      isLocked && mark("", t("views.settings.mark.locked"), t("views.settings.lockedHelp")));
  }

  if (control) {
    if (change) {
      control.write(change.isReset ? entry.default : change.problem ? change.written : change.value);
      if (change.problem) refuse(change.problem);
    } else control.write(inForce);
  }
  draw();
  return { key, element, reset, refuse, focus: () => control?.input.focus() };
}

function mark(kind, text, title) {
  return h("span", { class: `mark ${kind}`.trim(), title: title ?? null }, text);
}

function same(a, b) {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** What only the file can set: its value where clients may see it, and where to set it. */
function lockedValue(entry, inForce) {
  return h("div", { class: "setting-locked" },
    h("code", null, inForce === undefined ? t("views.settings.lockedUnknown") : JSON.stringify(inForce)),
    h("p", { class: "setting-summary" }, entry.environment ? t("views.settings.lockedWhereVariable", { variable: entry.environment }) : t("views.settings.lockedWhere")));
}

/** What a number of bytes or seconds amounts to; and the range. */
function readable(entry, value) {
  const parts = [];
  if (typeof value === "number" && value > 0) {
    if (/Bytes$/.test(entry.key) && value >= 1024) parts.push(formatBytes(value));
    else if (/(Seconds|After|Longest|First|Shutdown)$/.test(entry.key) && value >= 60) parts.push(formatDuration(value * 1000));
    else if (/Ms$/.test(entry.key) && value >= 1000) parts.push(formatDuration(value));
  }
  if (entry.minimum !== undefined && entry.maximum !== undefined) parts.push(t("views.settings.range", { from: formatNumber(entry.minimum), to: formatNumber(entry.maximum) }));
  return parts.join(" · ");
}

/** `{element, input, read() → {value} or {problem, written}, write(value)}` */
function makeControl(entry, id) {
  if (entry.type === "boolean") {
    const input = h("input", { type: "checkbox", class: "switch", role: "switch", id, "aria-labelledby": `${id}-label` });
    return { element: input, input, read: () => ({ value: input.checked }), write: (value) => { input.checked = value === true; } };
  }
  if (entry.enum) {
    const input = h("select", { class: "select", id }, entry.enum.map((value) => h("option", { value }, value)));
    return { element: input, input, read: () => ({ value: input.value }), write: (value) => { input.value = value ?? entry.default ?? ""; } };
  }
  if (entry.type === "integer" || entry.type === "number") {
    const input = h("input", { class: "input number", type: "text", inputmode: entry.type === "integer" ? "numeric" : "decimal", autocomplete: "off", id });
    return { element: input, input, read: () => readNumber(entry, input.value), write: (value) => { input.value = value ?? ""; } };
  }
  if (entry.type === "array") {
    const input = h("textarea", { class: "textarea", rows: 2, spellcheck: false, id, placeholder: t("views.settings.onePerLine") });
    return {
      element: input, input,
      read: () => ({ value: input.value.split("\n").map((line) => line.trim()).filter(Boolean) }),
      write: (value) => { input.value = Array.isArray(value) ? value.join("\n") : value ?? ""; },
    };
  }
  const known = knownValues(entry.key);
  const values = known.length > 0 && h("datalist", { id: `${id}-values` }, known.map((value) => h("option", { value })));
  const input = h("input", { class: "input", type: "text", spellcheck: false, autocomplete: "off", id, list: values ? values.id : null, placeholder: entry.key.startsWith("providers.") ? t("views.settings.asManifest") : "" });
  return { element: values ? [input, values] : input, input, read: () => readText(entry, input.value), write: (value) => { input.value = value ?? ""; } };
}

/** What the agent is known to offer for its model or mode. */
function knownValues(key) {
  const [section, id, name] = key.split(".");
  const provider = section === "providers" ? store.providers.peek().get(id) : null;
  return (name === "model" ? provider?.models : name === "mode" ? provider?.modes : null) ?? [];
}

function readNumber(entry, written) {
  const text = written.trim().replace(/[\s\u00a0_]/g, "").replace(",", ".");
  const value = text === "" ? NaN : Number(text);
  if (!Number.isFinite(value)) return { problem: t("views.settings.notNumber"), written };
  if (entry.type === "integer" && !Number.isInteger(value)) return { problem: t("views.settings.notWhole"), written };
  if (value < entry.minimum || value > entry.maximum) {
    return { problem: t("views.settings.outside", { from: formatNumber(entry.minimum), to: formatNumber(entry.maximum) }), written };
  }
  return { value };
}

function readText(entry, written) {
  if (entry.minLength > 0 && written === "" && entry.default === undefined) return { isReset: true };
  if (written.length < (entry.minLength ?? 0)) return { problem: t("views.settings.tooShort"), written };
  try {
    if (entry.pattern && written !== entry.default && !new RegExp(entry.pattern, "u").test(written)) return { problem: t("views.settings.notMatching"), written };
  } catch {
    // A pattern that this browser can't read: the daemon checks it anyway.
  }
  return { value: written };
}
