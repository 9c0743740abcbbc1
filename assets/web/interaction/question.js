// The form of a question, or of a plan that waits for approval.

import { h, replace } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { effect, signal } from "../core/signal.js";
import { connection } from "../core/connection.js";
import { toast } from "../ui/toast.js";
import { errorText } from "./operations.js";
import { markdownBlock } from "./rendering.js";
import { visible as clipped } from "../core/text.js";

let count = 0;

/** `{element, summary, key(key), focus(), dispose()}`. */
export function questionForm(request, { answering }) {
  const questions = Array.isArray(request.questions) ? request.questions : [];
  const isPlan = request.purpose === "plan_approval";
  const isBusy = signal(false);
  const refusal = h("p", { class: "request-refusal", role: "alert", hidden: true });
  const fields = questions.map((question) => questionField(question, isPlan && questions.length === 1, submit));
  const buttons = h("div", { class: "request-options" });
  const body = request.body ? markdownBlock(request.body) : null;
  const element = h("form", { class: "question", on: { submit: (event) => { event.preventDefault(); submit(); }, keydown: pressed } },
    body && h("div", { class: "request-plan", tabIndex: 0, role: "region", "aria-label": t("interaction.request.planBody") }, body.element),
    fields.map((field) => field.element), refusal,
    h("div", { class: "request-foot" }, buttons));

  function pressed(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
      event.preventDefault();
      submit();
    }
  }

  async function submit() {
    const answers = {};
    for (const field of fields) {
      const answer = field.answer();
      if (answer === null) {
        refusal.textContent = t("interaction.question.missing");
        refusal.hidden = false;
        field.focus();
        return;
      }
      answers[field.id] = answer;
    }
    refusal.hidden = true;
    await respond(() => connection.send("question:respond", { sessionId: request.sessionId, requestId: request.requestId, answers }));
  }

  function decline() {
    return respond(() => connection.api("POST", `/sessions/${request.sessionId}/questions/${encodeURIComponent(request.requestId)}`, { outcome: "declined" }));
  }

  async function respond(work) {
    if (isBusy.peek() || connection.state.peek().phase !== "open") return;
    isBusy.value = true;
    answering.add(request.requestId);
    try {
      await work();
    } catch (error) {
      answering.delete(request.requestId);
      if (error.code !== "already_resolved") toast(errorText(error), { kind: "danger" });
    } finally {
      isBusy.value = false;
    }
  }

  const stop = effect(() => {
    const isOff = isBusy.value || connection.state.value.phase !== "open";
    for (const field of fields) field.draw(isOff);
    replace(buttons,
      !fields.some((field) => field.isDirect) && h("button", { type: "submit", class: "button primary", disabled: isOff, title: isOff ? t("interaction.request.offline") : null }, t("interaction.question.answer")),
      h("button", { type: "button", class: "button reject", disabled: isOff, on: { click: decline } }, t("interaction.question.decline")));
  });

  return {
    element,
    summary: questions.map((question) => clipped(question.text, 200)).join(". "),
    key(key) {
      if (!/^[1-9]$/.test(key)) return false;
      // The question that the focus is in, else the first without an answer.
      const field = fields.find((each) => each.element.contains(document.activeElement)) ?? fields.find((each) => each.answer() === null) ?? fields[0];
      return field?.choose(Number(key) - 1) ?? false;
    },
    focus: () => fields[0]?.focus(),
    dispose() {
      stop();
      body?.dispose?.();
    },
  };
}

/** One question. With `isDirect` (a plan) an option is the answer at once. */
function questionField(question, isDirect, submit) {
  count += 1;
  const name = `question-${count}`;
  const options = Array.isArray(question.options) ? question.options : [];
  const takesWords = question.other !== false || options.length === 0;
  let chosen = null;
  const words = takesWords && (options.length === 0
    ? h("textarea", { class: "textarea", rows: 2, id: `${name}-words`, autocomplete: "off", on: { keydown: wordsKey } })
    : h("input", { class: "input", type: "text", id: `${name}-words`, autocomplete: "off", on: { input: otherWritten, keydown: wordsKey } }));
  const wordsLabel = h("label", { htmlFor: `${name}-words`, class: "label" });
  const inputs = [];
  const list = h("div", { tabIndex: isDirect ? -1 : null, class: isDirect ? "question-buttons" : "question-options" });
  const element = h("fieldset", { class: "question-field" },
    h("legend", null, question.header && h("span", { class: "question-header" }, clipped(question.header, 80)), h("span", { class: "question-text" }, clipped(question.text, 2000))),
    list, words && h("div", { class: "question-other" }, wordsLabel, words));

  options.forEach((option, index) => {
    const hint = h("kbd", { "aria-hidden": "true" }, String(index + 1));
    const text = [h("span", { class: "question-label" }, clipped(option.label, 300)), option.description && h("span", { class: "question-description" }, clipped(option.description, 1000))];
    if (isDirect) {
      const button = h("button", { type: "button", class: `button option ${index === 0 ? "primary" : ""}`, title: option.description ? clipped(option.description, 300) : null, on: { click: () => direct(option) } },
        index < 9 && hint, h("span", null, clipped(option.label, 120)));
      inputs.push(button);
      list.append(button);
      return;
    }
    const input = h("input", { type: question.multiple ? "checkbox" : "radio", name, value: String(index) });
    inputs.push(input);
    list.append(h("label", { class: "question-option" }, input, h("span", { class: "question-words" }, text), index < 9 && hint));
  });

  function direct(option) {
    chosen = option.label;
    submit();
    chosen = null;
  }

  function otherWritten() {
    if (!question.multiple && words.value.trim()) for (const input of inputs) input.checked = false;
  }

  function wordsKey(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    submit();
  }

  return {
    id: question.id,
    element,
    isDirect,
    draw(isOff) {
      if (words) {
        wordsLabel.textContent = t(isDirect ? "interaction.question.change" : options.length ? "interaction.question.other" : "interaction.question.words");
        words.placeholder = t(isDirect ? "interaction.question.changeHint" : "interaction.question.wordsHint");
      }
      if (isDirect) for (const button of inputs) button.disabled = isOff;
    },
    /** A text, several, or null when there is none yet. */
    answer() {
      if (chosen !== null) return chosen;
      const written = words ? words.value.trim() : "";
      if (isDirect) return written || null;
      const marked = options.filter((option, index) => inputs[index].checked).map((option) => option.label);
      if (question.multiple) {
        const all = written ? [...marked, written] : marked;
        return all.length ? all : null;
      }
      return written || (marked[0] ?? null);
    },
    choose(index) {
      const input = inputs[index];
      if (!input) return false;
      if (isDirect) input.click();
      else {
        input.checked = question.multiple ? !input.checked : true;
        if (words && !question.multiple) words.value = "";
        input.focus();
      }
      return true;
    },
    focus: () => (isDirect ? list : inputs.find((input) => input.checked) ?? inputs[0] ?? words)?.focus(),
  };
}
