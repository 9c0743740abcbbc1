// What waits in a session: messages in their order, and why none of them begins.

import { h, reconcile, replace } from "../core/dom.js";
import { formatRelative, formatTime, formatDuration } from "../core/format.js";
import { t } from "../core/i18n.js";
import { effect, signal } from "../core/signal.js";
import { store } from "../core/store.js";
import { iconButton } from "../ui/button.js";
import { icon } from "../ui/icons.js";
import { now, watchClock } from "./clock.js";
import { composition } from "./compositions.js";
import { budgetDialog, retryLaterDialog } from "./dialogs.js";
import * as operations from "./operations.js";
import { visible as clipped } from "../core/text.js";

/** The queue of a session: `{element, dispose}`; hidden when nothing waits. */
export function queuePanel(sessionId) {
  const record = store.session(sessionId);
  const isOpen = signal(true);
  /** The order while it is dragged. */
  const dragged = signal(null);
  const state = h("div", { class: "queue-state" });
  const list = h("ol", { class: "queue-list" });
  const count = h("button", { type: "button", class: "queue-toggle", on: { click: () => { isOpen.value = !isOpen.peek(); } } });
  const live = h("span", { class: "visually-hidden", role: "status" });
  const element = h("section", { class: "queue" }, state, count, list, live);

  const order = () => record.peek()?.queue.map((item) => item.turnId) ?? [];

  function move(turnId, step) {
    const ids = order();
    const from = ids.indexOf(turnId);
    const to = from + step;
    if (from < 0 || to < 0 || to >= ids.length) return;
    ids.splice(to, 0, ...ids.splice(from, 1));
    operations.orderQueue(sessionId, ids);
    live.textContent = t("interaction.queue.moved", { position: to + 1, count: ids.length });
  }

  async function takeBack(item) {
    const message = await operations.withdraw(sessionId, item);
    if (!message) return;
    composition(sessionId).restore(message.content, message.attachments);
    live.textContent = t("interaction.queue.withdrawn");
  }

  function row(item) {
    const text = h("span", { class: "queue-text" });
    const meta = h("span", { class: "queue-meta" });
    const element = h("li", {
      class: "queue-item", draggable: true, tabIndex: 0, dataset: { turn: item.turnId },
      on: {
        keydown: (event) => {
          if (event.target !== element) return;
          if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
            event.preventDefault();
            move(item.turnId, event.key === "ArrowUp" ? -1 : 1);
          } else if (event.key === "Delete" || event.key === "Backspace") {
            event.preventDefault();
            takeBack(element.item);
          }
        },
        dragstart: (event) => {
          event.dataTransfer.effectAllowed = "move";
          event.dataTransfer.setData("text/x-hub-turn", item.turnId);
          dragged.value = { turnId: item.turnId, order: order() };
          element.classList.add("is-dragged");
        },
        dragover: (event) => {
          if (!dragged.peek()) return;
          event.preventDefault();
          const ids = dragged.peek().order.filter((id) => id !== dragged.peek().turnId);
          const box = element.getBoundingClientRect();
          if (item.turnId === dragged.peek().turnId) return;
          const at = ids.indexOf(item.turnId) + (event.clientY > box.top + box.height / 2 ? 1 : 0);
          ids.splice(at, 0, dragged.peek().turnId);
          if (ids.join() !== dragged.peek().order.join()) dragged.value = { ...dragged.peek(), order: ids };
        },
        drop: (event) => {
          if (!dragged.peek()) return;
          event.preventDefault();
          operations.orderQueue(sessionId, dragged.peek().order);
        },
        dragend: () => {
          element.classList.remove("is-dragged");
          dragged.value = null;
        },
      },
    },
    h("span", { class: "queue-grip", "aria-hidden": "true" }, icon("grip")),
    text, meta,
    h("span", { class: "queue-buttons" },
      iconButton("up", () => t("interaction.queue.up"), () => move(item.turnId, -1), { kind: "small" }),
      iconButton("down", () => t("interaction.queue.down"), () => move(item.turnId, 1), { kind: "small" }),
      iconButton("close", () => t("interaction.queue.withdraw"), () => takeBack(element.item), { kind: "small" })));
    update(element, item);
    return element;
  }

  function update(element, item) {
    element.item = item;
    const line = clipped(item.content, 200) || t("interaction.queue.attachments");
    element.querySelector(".queue-text").textContent = line;
    element.querySelector(".queue-text").title = clipped(item.content, 256);
    const meta = [];
    if (item.retryOf) meta.push(t("interaction.queue.retry"));
    if (item.providerId && item.providerId !== record.peek()?.providerId) meta.push(`@${operations.providerName(item.providerId)}`);
    element.querySelector(".queue-meta").textContent = meta.join(" · ");
    element.setAttribute("aria-label", t("interaction.queue.item", { position: item.position, text: line }));
  }

  const effects = [
    effect(() => {
      const session = record.value;
      const order = dragged.value?.order;
      const items = [...(session?.queue ?? [])];
      if (order) items.sort((a, b) => order.indexOf(a.turnId) - order.indexOf(b.turnId));
      void t("interaction.queue.up");
      reconcile(list, items, (item) => item.turnId, row, update);
      const all = [...list.children];
      all.forEach((each, index) => {
        each.querySelector(".icon-up").parentElement.disabled = index === 0;
        each.querySelector(".icon-down").parentElement.disabled = index === all.length - 1;
      });
    }),
    effect(() => {
      const session = record.value;
      const length = session?.queue.length ?? 0;
      list.hidden = length === 0 || !isOpen.value;
      list.setAttribute("aria-label", t("interaction.queue.label"));
      count.hidden = length === 0;
      count.setAttribute("aria-expanded", String(isOpen.value));
      replace(count, icon(isOpen.value ? "down" : "chevron"), t("interaction.queue.count", { count: length }),
        length > 1 && isOpen.value && h("span", { class: "queue-help" }, t("interaction.queue.help")));
    }),
    effect(() => {
      const notices = session(record.value);
      replace(state, notices);
      state.hidden = notices.length === 0;
      element.hidden = notices.length === 0 && !(record.value?.queue.length > 0);
      element.setAttribute("aria-label", t("interaction.queue.label"));
    }),
    // Times that run: only while something waits for one.
    effect(() => {
      if (record.value?.parked || record.value?.backoff) return watchClock();
      return undefined;
    }),
  ];

  function button(label, run, kind = "") {
    return h("button", { type: "button", class: `button small ${kind}`.trim(), on: { click: run } }, label);
  }

  function notice(kind, name, text, ...buttons) {
    return h("div", { class: `notice ${kind}` }, icon(name), h("span", { class: "notice-text" }, text),
      h("span", { class: "notice-buttons" }, buttons));
  }

  /** Why nothing begins, and what can be done about it. */
  function session(session) {
    if (!session) return [];
    const now_ = now();
    const found = [];
    const waits = session.queue.length;
    if (session.paused) {
      found.push(notice("info", "pause", t("interaction.state.paused"), button(t("interaction.resume"), () => operations.resume(sessionId), "primary")));
    } else if (session.held && session.heldBy === "budget") {
      found.push(notice("warn", "moneybag", t("interaction.state.budget", { count: waits }),
        button(t("interaction.raiseBudget"), () => budgetDialog(sessionId), "primary"),
        button(t("interaction.continueOnce"), () => operations.resume(sessionId))));
    } else if (session.held && waits > 0) {
      found.push(notice("warn", "pause", t("interaction.state.held", { count: waits }), button(t("interaction.release"), () => operations.resume(sessionId), "primary")));
    }
    if (session.parked) {
      const { until, automatic } = session.parked;
      const time = { time: formatTime(until), relative: formatRelative(until, now_) };
      found.push(notice("info", "clock", automatic ? t("interaction.state.parked", time) : t("interaction.state.parkedStill", time),
        button(t("interaction.retryNow"), () => operations.retry(sessionId), "primary"),
        button(t("interaction.giveUp"), () => operations.resume(sessionId))));
    } else if (session.retryable && !session.turn) {
      found.push(notice("warn", "retry", t(session.status === "failed" ? "interaction.state.failed" : "interaction.state.interrupted"),
        button(t("interaction.retry"), () => operations.retry(sessionId), "primary"),
        button(t("interaction.retryLater"), () => retryLaterDialog(sessionId))));
    }
    if (session.backoff) {
      const left = Math.max(0, new Date(session.backoff.until) - now_);
      found.push(notice("warn", "clock", t("interaction.state.backoff", {
        name: operations.providerName(session.backoff.providerId), count: session.backoff.failures, time: formatDuration(left),
      }), button(t("interaction.cancelWait"), () => operations.interrupt(sessionId))));
    }
    if (session.placeInLine) {
      found.push(notice("info", "clock", t("interaction.state.line", {
        place: session.placeInLine, limit: store.settings.value?.limits?.maxConcurrent ?? 10,
      })));
    }
    return found;
  }

  return {
    element,
    dispose() {
      for (const end of effects) end();
    },
  };
}
