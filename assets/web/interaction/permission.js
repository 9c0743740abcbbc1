// The form of a permission: exactly what would be done, and every answer that the agent offers.

import { h, replace } from "../core/dom.js";
import { has, locale, t } from "../core/i18n.js";
import { effect, signal } from "../core/signal.js";
import { connection } from "../core/connection.js";
import { toast } from "../ui/toast.js";
import { arguments_ } from "./arguments.js";
import { errorText } from "./operations.js";
import { visible as clipped } from "../core/text.js";

/** `{element, summary, key(key), focus(), dispose()}`; `key` says whether the key was an answer. */
export function permissionForm(request, { answering }) {
  const options = Array.isArray(request.options) ? request.options : [];
  const isBusy = signal(false);
  const canReject = options.some((option) => isReject(option));
  const words = h("input", { class: "input", type: "text", maxLength: 4000, autocomplete: "off", on: { keydown: wordsKey } });
  const wordsLabel = h("label", { class: "request-words" }, h("span", { class: "label" }), words);
  wordsLabel.hidden = !canReject;
  const buttons = h("div", { class: "request-options", role: "group" });
  const details = arguments_(request);
  const title = clipped(request.title, 400);
  const element = h("div", { class: "permission" },
    // A title that is the command itself says nothing more.
    title && title !== details.summary && h("p", { class: "request-what" }, title),
    request.reason && h("p", { class: "request-reason" }, clipped(request.reason, 1000)),
    details.element,
    h("div", { class: "request-foot" }, buttons, wordsLabel));

  async function answer(option) {
    if (isBusy.peek()) return;
    isBusy.value = true;
    answering.add(request.requestId);
    const answer = { sessionId: request.sessionId, requestId: request.requestId };
    if (option) answer.optionId = option.optionId;
    else answer.outcome = "cancelled";
    if (option && isReject(option) && words.value.trim()) answer.message = words.value.trim();
    try {
      if (option) await connection.send("permission:respond", answer);
      else await connection.api("POST", `/sessions/${request.sessionId}/permissions/${encodeURIComponent(request.requestId)}`, { outcome: "cancelled" });
    } catch (error) {
      answering.delete(request.requestId);
      // Somebody was faster: the panel says who.
      if (error.code !== "already_resolved") toast(errorText(error), { kind: "danger" });
    } finally {
      isBusy.value = false;
    }
  }

  /** Enter after words rejects with them: an allowance never comes out of a text field. */
  function wordsKey(event) {
    if (event.key !== "Enter" || event.isComposing || !words.value.trim()) return;
    event.preventDefault();
    answer(options.find((option) => option.kind === "reject_once") ?? options.find(isReject));
  }

  const stop = effect(() => {
    const isOff = isBusy.value || connection.state.value.phase !== "open";
    replace(buttons, options.map((option, index) => optionButton(option, index, isOff)),
      !canReject && h("button", { type: "button", class: "button quiet", disabled: isOff, on: { click: () => answer(null) } }, t("interaction.request.cancel")));
    buttons.setAttribute("aria-label", t("interaction.request.options"));
    wordsLabel.querySelector(".label").textContent = t("interaction.request.words");
    words.placeholder = t("interaction.request.wordsHint");
  });

  function optionButton(option, index, isOff) {
    return h("button", {
      type: "button", class: `button option ${kindClass(option.kind, options)}`, "aria-disabled": isOff ? "true" : null, dataset: { kind: option.kind },
      title: isOff ? t("interaction.request.offline") : null, "aria-keyshortcuts": [index < 9 ? index + 1 : null, letterOf(option, options)].filter(Boolean).join(" ") || null,
      on: { click: () => !isOff && answer(option) },
    }, index < 9 && h("kbd", { "aria-hidden": "true" }, String(index + 1)), h("span", null, optionLabel(option)));
  }

  return {
    element,
    summary: `${title}. ${details.summary}`,
    key(key) {
      const index = /^[1-9]$/.test(key) ? Number(key) - 1 : options.findIndex((option) => letterOf(option, options) === key.toLowerCase());
      if (!options[index] || connection.state.peek().phase !== "open") return false;
      answer(options[index]);
      return true;
    },
    // The group, not an answer: Enter or Space, pressed in the middle of something else, must not give one.
    focus: () => {
      buttons.tabIndex = -1;
      buttons.focus();
    },
    dispose() {
      stop();
      details.dispose();
    },
  };
}

/** What agents say when they have nothing particular to say; in another language it is said in that. */
const general = /^(allow|allow once|yes|always allow|allow always|reject|reject once|deny|no|always reject|reject always|never allow)$/i;

/** The words of an option: the agent's own, unless they say no more than its kind does. */
export function optionLabel(option) {
  const key = `interaction.option.${option.kind}`;
  const label = option.label || String(option.kind);
  return locale.value !== "en" && general.test(label.trim()) && has(key) ? t(key) : clipped(label, 120);
}

function isReject(option) {
  return String(option.kind).startsWith("reject");
}

/** y allows once, n rejects once, where it is clear which option that is. */
function letterOf(option, options) {
  if (options.filter((each) => each.kind === option.kind).length !== 1) return null;
  return option.kind === "allow_once" ? "y" : option.kind === "reject_once" ? "n" : null;
}

function kindClass(kind, options) {
  if (kind === "allow_once") return "primary";
  if (kind === "allow_always") return options.some((option) => option.kind === "allow_once") ? "always" : "primary";
  return "reject";
}
