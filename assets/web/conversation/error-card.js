// An error and what can be done about it.

import { connection } from "../core/connection.js";
import { h, replace } from "../core/dom.js";
import { formatCost, formatTime } from "../core/format.js";
import { has, t } from "../core/i18n.js";
import { effect } from "../core/signal.js";
import { store } from "../core/store.js";
import { button } from "../ui/button.js";
import { openDialog } from "../ui/dialog.js";
import { icon } from "../ui/icons.js";
import { openMenu } from "../ui/menu.js";
import { toast } from "../ui/toast.js";
import { copyButton } from "./clipboard.js";
import { oneLine, visible } from "./text.js";

export function errorCard(item, context) {
  const { sessionId } = context;
  const title = h("span", { class: "conv-card-title" });
  const message = h("p", { class: "error-message", dir: "auto" });
  const when = h("p", { class: "muted", hidden: true });
  const actions = h("div", { class: "error-actions" });
  const element = h("section", { class: "error conv-card" }, icon("error"), h("div", { class: "error-words" }, title, message, when, actions));
  let row = item.row;

  function actionButton({ id, label }, isFirst) {
    const words = has(`conversation.action.${id}`) ? t(`conversation.action.${id}`) : oneLine(label ?? id, 80);
    const run = Object.hasOwn(handlers, id) ? handlers[id] : null;
    if (!run) return h("span", { class: "muted" }, words);
    const each = button(words, async () => {
      each.disabled = true;
      try {
        await run(each);
      } catch (error) {
        toast(oneLine(error.message, 300), { kind: "danger" });
      } finally {
        each.disabled = false;
      }
    }, { kind: isFirst ? "primary" : "" });
    return each;
  }

  const providerId = () => row.providerId ?? store.session(sessionId).peek()?.providerId;
  const handlers = {
    retry: () => connection.send("session:retry", { sessionId }),
    // Of a budget nothing is retried by itself: the next message goes on when there is one again.
    retry_later: async () => {
      if (row.code === "budget_exceeded") {
        toast(t("conversation.budgetLater"));
        return;
      }
      const { parked } = await connection.send("session:retry", { sessionId, later: true }) ?? {};
      if (parked?.until) toast(t("conversation.parkedUntil", { time: formatTime(parked.until) }), { kind: "ok" });
    },
    switch_provider: (anchor) => {
      const others = [...store.providers.peek().values()].filter((provider) => provider.id !== providerId());
      openMenu(anchor, others.map((provider) => ({
        label: oneLine(provider.name ?? provider.id, 60), icon: "robot", disabled: !provider.installed || !provider.enabled,
        run: () => connection.send("session:provider", { sessionId, providerId: provider.id, retry: true })
          .catch((error) => toast(oneLine(error.message, 300), { kind: "danger" })),
      })));
    },
    login: async () => {
      const { command, hint } = await connection.api("POST", `/providers/${encodeURIComponent(providerId())}/login`);
      const line = Array.isArray(command) ? command.join(" ") : String(command ?? "");
      openDialog({
        title: t("conversation.loginTitle", { provider: context.providerName(providerId()) }),
        body: h("div", null, h("p", null, t("conversation.loginText")),
          h("div", { class: "command-line" }, h("code", null, visible(line)), copyButton(() => line)), hint ? h("p", { class: "muted" }, visible(hint)) : null),
        actions: [{ label: t("conversation.action.retry"), kind: "primary", run: handlers.retry }],
      });
    },
    install: async () => {
      await connection.api("POST", `/providers/${encodeURIComponent(providerId())}/install`, {});
      toast(t("conversation.installing", { provider: context.providerName(providerId()) }));
    },
    raise_budget: () => {
      const record = store.session(sessionId).peek();
      const field = h("input", { type: "number", min: "0", step: "0.5", class: "field", value: String(Math.max(1, Math.ceil((record?.costUsd ?? 0) * 2))), "aria-label": t("conversation.budgetField") });
      openDialog({
        title: t("conversation.budgetTitle"),
        body: h("div", null, h("p", null, t("conversation.budgetText", { spent: formatCost(record?.costUsd ?? 0) })), field),
        initialFocus: field,
        actions: [{
          label: t("conversation.budgetSet"), kind: "primary",
          run: () => connection.api("PATCH", `/sessions/${encodeURIComponent(sessionId)}`, { budgetUsd: Number(field.value) }),
        }],
      });
    },
    continue_once: () => connection.send("session:resume", { sessionId }),
  };

  // Its actions hold for as long as nothing has come after it.
  const stop = effect(() => {
    const record = store.session(sessionId).value;
    const isCurrent = record && (record.retryable === row.turnId || record.held || record.parked?.turnId === row.turnId) && context.isLastError(row);
    const all = isCurrent && Array.isArray(row.actions) ? row.actions.slice(0, 8) : [];
    replace(actions, all.map((action, index) => actionButton(action, index === 0)));
    actions.hidden = all.length === 0;
  });

  return {
    element,
    dispose: stop,
    update(next) {
      row = next.row;
      const known = has(`conversation.error.${row.code}`);
      title.textContent = known ? t(`conversation.error.${row.code}`) : oneLine(String(row.code ?? "").replaceAll("_", " "), 80);
      message.textContent = visible(String(row.message ?? "")).slice(0, 4000);
      when.hidden = !(row.retryAfter > 0);
      if (row.retryAfter > 0) when.textContent = t("conversation.againAt", { time: formatTime(new Date(new Date(row.ts).getTime() + row.retryAfter * 1000)) });
    },
  };
}
