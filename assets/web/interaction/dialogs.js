// Small dialogs of a session: its budget, its name, another provider, trying again later.

import { h, replace } from "../core/dom.js";
import { formatCost } from "../core/format.js";
import { t } from "../core/i18n.js";
import { connection } from "../core/connection.js";
import { store } from "../core/store.js";
import { openDialog } from "../ui/dialog.js";
import { choices } from "./choices.js";
import { errorText } from "./operations.js";
import * as operations from "./operations.js";

let count = 0;

/** A field with a label and a word of help. */
export function field(label, input, help) {
  count += 1;
  input.id = `field-${count}`;
  if (help) input.setAttribute("aria-describedby", `field-${count}-help`);
  return h("div", { class: "form-field" }, h("label", { htmlFor: input.id }, label), input, help && h("p", { class: "form-help", id: `field-${count}-help` }, help));
}

const cancel = () => ({ label: t("shell.cancel") });

/** Runs it; what goes wrong is said in the dialog, in the person's language. */
async function run(work) {
  try {
    await work();
  } catch (error) {
    throw new Error(errorText(error));
  }
}

/** Sets what the session may cost. */
export function budgetDialog(sessionId) {
  const session = store.session(sessionId).peek();
  if (!session) return;
  const standard = store.settings.peek()?.budget?.perSessionUsd ?? 0;
  const input = h("input", { type: "number", min: "0", step: "0.01", inputmode: "decimal", value: session.budgetUsd ?? "", placeholder: standard > 0 ? String(standard) : "" });
  openDialog({
    title: t("interaction.budget.title"), class: "dialog-small",
    body: h("div", { class: "form" },
      h("p", null, t("interaction.budget.spent", { cost: formatCost(session.costUsd, session.costEstimated) })),
      field(t("interaction.budget.label"), input, standard > 0 ? t("interaction.budget.helpStandard", { cost: formatCost(standard) }) : t("interaction.budget.help"))),
    actions: [cancel(), {
      label: t("interaction.budget.set"), kind: "primary",
      run: () => {
        if (input.value !== "" && !(Number(input.value) >= 0)) throw new Error(t("interaction.command.needs.dollars"));
        return run(() => connection.api("PATCH", `/sessions/${sessionId}`, { budgetUsd: input.value === "" ? null : Number(input.value) }));
      },
    }],
  });
}

/** Tries what failed again after a while. */
export function retryLaterDialog(sessionId) {
  const input = h("input", { type: "number", min: "1", step: "1", inputmode: "numeric", placeholder: t("interaction.later.placeholder") });
  openDialog({
    title: t("interaction.retryLater"), class: "dialog-small",
    body: h("div", { class: "form" }, field(t("interaction.later.label"), input, t("interaction.later.help"))),
    actions: [cancel(), {
      label: t("interaction.later.do"), kind: "primary",
      run: () => run(() => connection.send("session:retry", { sessionId, ...(Number(input.value) > 0 ? { after: Number(input.value) * 60 } : { later: true }) })),
    }],
  });
}

/** Asks for a name that isn't in a list: a model, a mode, an effort. */
export function otherDialog(sessionId, name) {
  const input = h("input", { type: "text", maxLength: 256, spellcheck: false, value: store.session(sessionId).peek()?.[name] ?? "" });
  openDialog({
    title: t(`interaction.${name}.label`), class: "dialog-small",
    body: h("div", { class: "form" }, field(t(`interaction.${name}.other`), input, t(`interaction.${name}.otherHelp`))),
    actions: [cancel(), {
      label: t("interaction.use"), kind: "primary",
      run: () => {
        if (!input.value.trim()) throw new Error(t("interaction.command.needs.value"));
        return run(() => connection.api("PATCH", `/sessions/${sessionId}`, { [name]: input.value.trim() }));
      },
    }],
  });
}

/** Goes over to another provider: what it is told, its model, and whether it tries what failed. */
export function switchDialog(sessionId, providerId) {
  const session = store.session(sessionId).peek();
  const provider = store.providers.peek().get(providerId);
  if (!session || !provider) return;
  const models = choices(sessionId, providerId).models;
  const model = h("select", null, h("option", { value: "" }, t("interaction.switch.standardModel")), models.map(({ id, label }) => h("option", { value: id }, label)));
  const again = h("input", { type: "checkbox", checked: session.status === "failed" });
  const facts = h("ul", { class: "plain-list" });
  const isBack = session.providerIds.includes(providerId);
  replace(facts,
    h("li", null, t(isBack ? "interaction.switch.resumes" : "interaction.switch.carried", { name: provider.name })),
    h("li", null, t("interaction.switch.stays")),
    session.turn && h("li", null, t("interaction.switch.running")));
  openDialog({
    title: t("interaction.switch.title", { name: provider.name }), class: "dialog-small",
    body: h("div", { class: "form" }, facts,
      models.length > 0 && field(t("interaction.model.label"), model),
      session.retryable && h("label", { class: "form-check" }, again, h("span", null, t("interaction.switch.retry")))),
    actions: [cancel(), {
      label: t("interaction.switch.do"), kind: "primary",
      run: () => run(() => connection.send("session:provider", {
        sessionId, providerId, ...(model.value ? { model: model.value } : {}), ...(session.retryable && again.checked ? { retry: true } : {}),
      })),
    }],
  });
}

/** What a session used, by provider, and its budget. */
export function usageDialog(sessionId) {
  const session = store.session(sessionId).peek();
  if (!session) return;
  const { body } = usageBody(session);
  openDialog({
    title: t("interaction.usage.title"),
    body,
    actions: [
      { label: t("interaction.budget.change"), run: () => budgetDialog(sessionId) },
      { label: t("shell.close"), kind: "primary" },
    ],
  });
}

function usageBody(session) {
  const rows = Object.entries(session.usageByProvider ?? {});
  const cell = (text) => h("td", { class: "number" }, text);
  const tokens = (count) => operations.tokens(count);
  const total = session.usage ?? {};
  const table = h("table", { class: "data-table" },
    h("thead", null, h("tr", null, ["provider", "turns", "input", "cached", "output", "cost"].map((name, index) =>
      h("th", { scope: "col", class: index ? "number" : "" }, t(`interaction.usage.${name}`))))),
    h("tbody", null, rows.map(([id, sum]) => h("tr", null,
      h("th", { scope: "row" }, operations.providerName(id)),
      cell(tokens(sum.turns)), cell(tokens(sum.input)), cell(tokens(sum.cached)), cell(tokens(sum.output)), cell(formatCost(sum.costUsd, sum.estimatedUsd > 0))))),
    h("tfoot", null, h("tr", null, h("th", { scope: "row" }, t("interaction.usage.total")), cell(tokens(rows.reduce((sum, [, each]) => sum + each.turns, 0))),
      cell(tokens(total.input)), cell(tokens(total.cached)), cell(tokens(total.output)), cell(formatCost(session.costUsd, session.costEstimated)))));
  const notes = [];
  if (session.costEstimated) notes.push(t("interaction.usage.estimated"));
  if (rows.some(([, sum]) => sum.unpricedTurns > 0)) notes.push(t("interaction.usage.unpriced"));
  if (total.contextUsed) {
    notes.push(total.contextWindow
      ? t("interaction.usage.context", { used: tokens(total.contextUsed), window: tokens(total.contextWindow) })
      : t("interaction.usage.contextUsed", { used: tokens(total.contextUsed) }));
  }
  const limit = session.budgetUsd ?? store.settings.peek()?.budget?.perSessionUsd ?? 0;
  notes.push(limit > 0 ? t("interaction.usage.budget", { cost: formatCost(limit) }) : t("interaction.usage.noBudget"));
  return { body: h("div", null, h("div", { class: "table-scroll", tabIndex: 0, role: "region", "aria-label": t("interaction.usage.title") }, table), notes.map((note) => h("p", { class: "form-help" }, note))) };
}
