// Rows as elements: messages, thoughts, plans, requests, quiet lines, the ends of turns. Tools are in tool-card.js, errors in
// error-card.js. Each maker returns {element, update(item), dispose?()}.

import { h, replace } from "../core/dom.js";
import { formatBytes, formatCost, formatDuration, formatFullTime, formatTime, formatTokens } from "../core/format.js";
import { has, t } from "../core/i18n.js";
import { icon } from "../ui/icons.js";
import { openMenu } from "../ui/menu.js";
import { copyButton } from "./clipboard.js";
import { errorCard } from "./error-card.js";
import { PieceView } from "./markdown-view.js";
import { imageAddress, oneLine, visible } from "./text.js";
import { toolCard } from "./tool-card.js";
import { argumentsText, textOf } from "./transcript.js";

const makers = {
  message: messageRow, thinking: thinkingRow, tool: toolCard, plan: planRow, permission: requestRow, question: requestRow,
  error: errorCard, status: statusRow, turn: turnRow,
};

/** The view of an item in its article. `context` is what the conversation offers its rows. */
export function rowView(item, context) {
  const article = h("article", { tabIndex: -1 });
  let inner = shown(() => makers[item.row.kind](item, context)) ?? unshowable();
  article.append(inner.element);
  let drawn = null;
  let placed = "";
  const view = {
    element: article,
    /** Which one of how many it is, -1 where that isn't known. */
    place(index, count) {
      if (placed === (placed = `${index} ${count}`)) return;
      article.setAttribute("aria-posinset", String(index));
      article.setAttribute("aria-setsize", String(count));
    },
    dispose: () => inner.dispose?.(),
    update(next) {
      const { row, piece } = next;
      const classes = ["item", `item-${row.kind}`, `after-${next.after}`];
      if (row.kind === "message") classes.push(`role-${row.role}`);
      if (next.depth > 0) classes.push("nested");
      if (piece > 0) classes.push("more-of");
      if (inner.isWide?.()) classes.push("wide");
      const className = classes.join(" ");
      if (article.className !== className) {
        article.className = className + (article.classList.contains("found") ? " found" : "");
        article.style.setProperty("--depth", next.depth);
      }
      if (row.seq !== null && piece === 0) article.dataset.seq = row.seq;
      if (row.streaming && next.isLast) article.dataset.streaming = "";
      else delete article.dataset.streaming;
      const state = `${row.version} ${row.text?.length ?? 0} ${next.stamp ?? ""}`;
      if (state === drawn) return;
      drawn = state;
      if (!shown(() => inner.update(next) ?? true)) {
        inner = unshowable();
        replace(article, inner.element);
      }
      article.setAttribute("aria-label", labelOf(row));
    },
  };
  view.update(item);
  return view;
}

/** What `draw` returns; null when the event isn't of the form that it should have (a log may come from anywhere): one that
 * can't be shown doesn't take the others with it. */
function shown(draw) {
  try {
    return draw();
  } catch (error) {
    console.warn("a row that can't be shown", error);
    return null;
  }
}

function unshowable() {
  return { element: h("div", { class: "status-line" }, t("conversation.unshowable")), update() {} };
}

function labelOf(row) {
  const time = formatTime(row.ts);
  const kind = row.kind === "message" ? `message.${row.role}` : row.kind;
  const key = `conversation.label.${kind}`;
  return has(key) ? t(key, { time, title: oneLine(row.title || row.name || row.tool || "", 120) }) : time;
}

// MARK: Messages

function messageRow(item, context) {
  const isUser = item.row.role === "user";
  const document = context.documentOf(item.row);
  const piece = new PieceView();
  const marks = h("div", { class: "message-marks" });
  const attachments = h("div", { class: "attachments", hidden: true });
  const { key } = item.row;
  const fold = item.piece === 0 && isFoldable(item.row) ? h("button", {
    type: "button", class: "message-fold", on: {
      click: () => {
        context.hold();
        context.setOpen(key, !context.isOpen(key));
      },
    },
  }) : null;
  const body = h("div", { class: "message-body" }, piece.element, fold, attachments);
  const element = h("div", { class: "message" }, item.piece === 0 ? marks : null, body);
  let actions = null;
  if (item.piece === 0) {
    actions = messageActions(item.row, context);
    element.append(actions.element);
  }
  return {
    element,
    update({ row, piece: index, isLast }) {
      piece.update(document, index);
      if (index === 0) {
        drawMarks(marks, row, context);
        actions.update(row);
      }
      if (fold) {
        const isOpen = context.isOpen(key);
        element.classList.toggle("folded", !isOpen);
        fold.textContent = t(isOpen ? "conversation.showLess" : "conversation.showAll");
        fold.setAttribute("aria-expanded", String(isOpen));
      }
      element.classList.toggle("waiting", Boolean(row.waiting));
      element.classList.toggle("withdrawn", Boolean(row.withdrawn));
      element.classList.toggle("streaming", Boolean(row.streaming && isLast));
      if (isUser && isLast && attachments.hidden && row.attachments?.length) {
        attachments.hidden = false;
        replace(attachments, row.attachments.map(attachmentElement));
      }
    },
  };
}

/** Whether a message is one whose beginning is enough until one wants all of it: a long one of a person's, or what a
 * program put in for the agent. */
export function isFoldable(row) {
  if (row.role === "system") return row.text.length > 240;
  return row.role === "user" && (row.text.length > 2500 || (row.text.length > 500 && row.text.text.split("\n").length > 18));
}

function drawMarks(marks, row, context) {
  const parts = [];
  const mark = (name, text, title) => parts.push(h("span", { class: "conv-mark", title }, icon(name, { size: 12 }), text));
  if (row.waiting) mark("clock", t("conversation.queued"));
  if (row.withdrawn) mark("close", t("conversation.withdrawn"));
  if (row.steer) mark("bolt", t("conversation.steered"), t("conversation.steeredHint"));
  if (row.partial) mark("stop", t("conversation.partial"), t("conversation.partialHint"));
  if (row.role === "system") mark("info", t("conversation.system"));
  if (row.role === "user" && row.to) mark("robot", t("conversation.to", { provider: context.providerName(row.to) }));
  if (row.role === "assistant" && row.providerId && context.hasSeveralProviders()) mark("robot", context.providerName(row.providerId));
  if (row.role === "user" && row.by?.name && row.by.name !== "web") mark("terminal", oneLine(row.by.name, 40), t("conversation.by", { name: oneLine(row.by.name, 80) }));
  marks.hidden = parts.length === 0;
  replace(marks, parts);
}

function messageActions(row, context) {
  let now = row;
  const more = h("button", { type: "button", class: "icon-button small", "aria-label": t("conversation.actions"), title: t("conversation.actions"), "aria-haspopup": "menu" }, icon("more", { size: 14 }));
  more.addEventListener("click", () => openMenu(more, [
    { label: t("conversation.copy"), icon: "copy", run: () => context.copy(textOf(now)) },
    { label: t(now.role === "user" ? "conversation.forkBefore" : "conversation.forkHere"), icon: "fork", disabled: !now.seq || now.waiting, run: () => context.fork(now) },
    { label: t("conversation.copyLink"), icon: "link", disabled: !now.seq, run: () => context.copyLink(now) },
    null,
    { label: formatFullTime(now.ts), icon: "clock", disabled: true },
  ].filter((entry) => entry !== null)));
  const element = h("div", { class: "message-actions" }, copyButton(() => textOf(now)), more);
  return {
    element,
    update(next) {
      now = next;
    },
  };
}

function attachmentElement({ name, mediaType, data, text, uri }) {
  const label = oneLine(name || uri || mediaType || t("conversation.attachment"), 120);
  const source = imageAddress(mediaType, data);
  if (source) {
    return h("figure", { class: "attachment-image" }, h("img", { src: source, alt: label, loading: "lazy" }), h("figcaption", null, h("bdi", null, label)));
  }
  const size = typeof data === "string" ? Math.floor(data.length * 0.75) : typeof text === "string" ? text.length : null;
  return h("span", { class: "attachment" }, icon("file", { size: 14 }), h("bdi", null, label), size !== null ? h("span", { class: "muted" }, formatBytes(size)) : null);
}

// MARK: Thinking

function thinkingRow(item, context) {
  const document = context.documentOf(item.row);
  const piece = new PieceView();
  if (item.piece > 0) {
    return {
      element: h("div", { class: "thinking-more" }, piece.element),
      update: ({ piece: index }) => piece.update(document, index),
    };
  }
  const { key } = item.row;
  const summary = h("span", { class: "thinking-peek" });
  const label = h("span", { class: "thinking-label" });
  const button = h("button", {
    type: "button", class: "thinking-head", on: {
      click: () => {
        context.hold();
        context.setOpen(key, !context.isOpen(key));
      },
    },
  }, icon("chevron", { size: 12 }), label, summary);
  const body = h("div", { class: "thinking-body" });
  const element = h("div", { class: "thinking" }, button, body);
  return {
    element,
    update({ row, piece: index }) {
      const isOpen = context.isOpen(key);
      button.setAttribute("aria-expanded", String(isOpen));
      label.textContent = t(row.streaming ? "conversation.thinking" : "conversation.thought");
      const text = row.text.length < 20_000 ? row.text.text : row.text.pieces.at(-1);
      // What it is at now, while it goes on; how it began, afterwards.
      const line = row.streaming ? text.trimEnd().split("\n").at(-1) : text.trimStart().split("\n", 1)[0];
      summary.textContent = isOpen ? "" : oneLine(line.replace(/[*_`#]/g, ""), 160);
      element.classList.toggle("streaming", Boolean(row.streaming));
      body.hidden = !isOpen;
      if (isOpen) {
        if (!piece.element.isConnected) body.append(piece.element);
        piece.update(document, index);
      }
    },
  };
}

// MARK: Plans

function planRow() {
  const count = h("span", { class: "muted" });
  const list = h("ul", { class: "plan-list" });
  const element = h("section", { class: "plan conv-card" }, h("div", { class: "plan-head" }, icon("list", { size: 14 }), h("span", { class: "conv-card-title" }, t("conversation.plan")), count), list);
  return {
    element,
    update({ row }) {
      const done = row.entries.filter((entry) => entry.status === "completed").length;
      count.textContent = t("conversation.planDone", { done, total: row.entries.length });
      replace(list, row.entries.slice(0, 200).map((entry) => {
        const state = entry.status === "completed" ? "done" : entry.status === "in_progress" ? "doing" : "open";
        return h("li", { class: `plan-entry ${state}` },
          h("span", { class: "plan-box", role: "img", "aria-label": t(`conversation.plan.${state}`) }, state === "done" ? icon("check", { size: 12 }) : null),
          h("span", { dir: "auto" }, visible(String(entry.content ?? ""))));
      }));
    },
  };
}

// MARK: Permissions and questions

function requestRow(item, context) {
  const element = h("div", { class: "asked" });
  return {
    element,
    update({ row }) {
      const isOpen = !row.resolved && context.isPending(row.requestId);
      element.className = `asked ${isOpen ? "open" : outcomeOf(row)}`;
      const isQuestion = row.kind === "question";
      const title = isQuestion
        ? oneLine(row.questions?.[0]?.text || t(row.purpose === "plan_approval" ? "conversation.planApproval" : "conversation.question"), 240)
        : oneLine(row.title || row.tool, 240);
      const detail = isQuestion ? "" : oneLine(argumentsText(row.args).split("\n")[0], 300);
      replace(element,
        icon(isQuestion ? "question" : "shield", { size: 14 }),
        h("div", { class: "asked-words" },
          h("span", { class: "asked-title", dir: "auto" }, title),
          detail && detail !== title ? h("code", { class: "asked-detail" }, detail) : null,
          isQuestion ? answersOf(row) : null),
        isOpen
          ? h("button", { type: "button", class: "button small", on: { click: () => context.showRequest(row.requestId) } }, t("conversation.answer"))
          : h("span", { class: "asked-outcome" }, outcomeText(row)));
    },
  };
}

function outcomeOf(row) {
  if (!row.resolved) return "gone";
  if (row.kind === "question") return row.resolved.outcome === "answered" ? "allowed" : "refused";
  if (row.resolved.outcome !== "selected") return "refused";
  return String(row.resolved.optionKind ?? "").startsWith("reject") ? "refused" : "allowed";
}

function outcomeText(row) {
  const { resolved } = row;
  if (!resolved) return t("conversation.notAnswered");
  const by = resolved.by?.name && resolved.by.name !== "web" ? ` \u00b7 ${oneLine(resolved.by.name, 40)}` : "";
  if (row.kind === "question") {
    return t(`conversation.outcome.${["answered", "declined"].includes(resolved.outcome) ? resolved.outcome : "cancelled"}`) + by;
  }
  if (resolved.outcome !== "selected") return t("conversation.outcome.cancelled") + by;
  const option = row.options?.find((each) => each.optionId === resolved.optionId);
  const kind = resolved.optionKind ?? option?.kind;
  const key = `conversation.outcome.${kind}`;
  return (has(key) ? t(key) : oneLine(option?.label ?? resolved.optionId, 80)) + by;
}

function answersOf(row) {
  const answers = row.resolved?.answers;
  if (!answers || typeof answers !== "object") return null;
  const lines = Object.values(answers).flatMap((answer) => (Array.isArray(answer) ? answer : [answer])).map((answer) => oneLine(answer, 300));
  return lines.length > 0 ? h("span", { class: "asked-answer", dir: "auto" }, lines.join(", ")) : null;
}

// MARK: Quiet lines

const statusIcons = {
  provider_switched: "robot", fallback: "robot", providers: "robot", context_carried: "copy", model: "settings", mode: "shield",
  budget: "moneybag", quota: "chart", retry: "retry", retrying: "retry", parked: "clock", provider_backoff: "clock", forked: "fork",
  imported: "import", compacted: "archive", compacting: "archive", queue_held: "pause", paused: "pause", warning: "warning",
  process_exited: "warning", recovered: "info", interrupt_requested: "stop",
};

function statusRow(item, context) {
  const element = h("div", { class: "status-line" });
  return {
    element,
    update({ row }) {
      const text = statusText(row.data, context);
      const name = statusIcons[row.type] ?? statusIcons[row.type?.replace(/_changed$/, "")];
      replace(element, name ? icon(name, { size: 13 }) : null, h("span", { dir: "auto", title: formatFullTime(row.ts) }, text));
      element.classList.toggle("warn", ["budget", "quota", "process_exited", "warning", "queue_held", "stream_error", "thread_error"].includes(row.type));
    },
  };
}

function statusText(data, context) {
  const { type } = data;
  const key = `conversation.status.${type}`;
  if (!has(key)) return oneLine([type?.replaceAll("_", " "), data.message ?? data.text ?? data.content ?? ""].filter(Boolean).join(": "), 300);
  const word = (value) => oneLine(value ?? "", 120);
  const time = data.until ?? (data.resetsAt ? new Date(data.resetsAt * 1000) : null);
  return t(key, {
    title: word(data.title), model: word(data.model), mode: word(data.mode), effort: word(data.effort ?? data.level),
    from: context.providerName(typeof data.from === "string" ? data.from : data.from?.providerId), to: context.providerName(data.to),
    provider: context.providerName(data.providerId ?? data.from?.providerId), reason: reasonText(data.reason ?? data.code),
    attempt: data.attempt ?? "", most: data.maxAttempts ?? "", time: time ? formatTime(time) : "", wait: formatDuration((data.delayMs ?? 0)),
    spent: formatCost(data.spentUsd), limit: data.limitUsd === undefined && data.budgetUsd === undefined ? "" : formatCost(data.limitUsd ?? data.budgetUsd),
    share: data.share === undefined && data.utilization === undefined ? "" : Math.round((data.share ?? data.utilization) * 100),
    count: data.turns ?? 0, providers: (data.providerIds ?? []).map((id) => context.providerName(id)).join(", "),
    what: word(data.description ?? data.summary ?? data.command ?? data.message ?? data.text ?? data.output ?? data.explanation ?? data.taskId),
    window: word(data.window), exit: data.signal !== undefined ? t("conversation.bySignal", { signal: data.signal }) : t("conversation.withCode", { code: String(data.exitCode) }),
  });
}

function reasonText(reason) {
  const key = `conversation.reason.${reason}`;
  return has(key) ? t(key) : oneLine(String(reason ?? "").replaceAll("_", " "), 120);
}

// MARK: The end of a turn

function turnRow(item, context) {
  const words = h("span", { class: "turn-words" });
  let now = item.row;
  const actions = h("span", { class: "turn-actions" },
    copyButton(() => context.answerOf(now), t("conversation.copyAnswer")),
    h("button", { type: "button", class: "icon-button small", "aria-label": t("conversation.forkHere"), title: t("conversation.forkHere"), on: { click: () => context.fork(now) } }, icon("fork", { size: 14 })));
  const element = h("div", { class: "turn-end" }, words, actions);
  return {
    element,
    update({ row }) {
      now = row;
      const parts = [];
      if (row.status === "interrupted") parts.push(h("span", { class: "turn-state" }, icon("stop", { size: 12 }), t("conversation.interrupted")));
      if (row.status === "failed") parts.push(h("span", { class: "turn-state failed" }, icon("error", { size: 12 }), t("conversation.failed")));
      const took = row.durationMs ?? (row.startedAt ? new Date(row.ts) - new Date(row.startedAt) : null);
      if (took !== null && took >= 0) parts.push(h("span", { title: formatFullTime(row.ts) }, formatDuration(took)));
      const { usage } = row;
      if (usage && (usage.input || usage.output)) {
        parts.push(h("span", { title: t("conversation.tokensHint", { input: usage.input ?? 0, output: usage.output ?? 0, cached: usage.cached ?? 0 }) },
          t("conversation.tokens", { input: formatTokens(usage.input ?? 0), output: formatTokens(usage.output ?? 0) })));
      }
      if (typeof row.costUsd === "number") parts.push(h("span", { title: row.costEstimated ? t("conversation.estimated") : null }, formatCost(row.costUsd, row.costEstimated)));
      if (row.stopReason && !["end_turn", "completed", "success", "interrupted", "cancelled", "error", "failed"].includes(row.stopReason)) parts.push(h("span", null, oneLine(row.stopReason.replaceAll("_", " "), 60)));
      parts.push(h("time", { datetime: row.ts, title: formatFullTime(row.ts) }, formatTime(row.ts)));
      replace(words, parts.flatMap((part, index) => (index > 0 ? [h("span", { class: "dot", "aria-hidden": "true" }, "\u00b7"), part] : [part])));
    },
  };
}
