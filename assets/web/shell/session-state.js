// What state a session is in, in one word: for the list, the palette, the notices.

import { formatTime } from "../core/format.js";
import { t } from "../core/i18n.js";
import { h } from "../core/dom.js";
import { icon } from "../ui/icons.js";
import { store } from "../core/store.js";
import { visible } from "../core/text.js";

/** One of: waiting, running, queued, parked, failed, held, paused, archived, idle. */
export function stateOf(record) {
  if (record.status === "waiting" || record.status === "running" || record.status === "parked") return record.status;
  if (record.placeInLine) return "queued";
  if (record.backoff) return "queued";
  if (record.archived) return "archived";
  if (record.paused) return "paused";
  if (record.held && record.queue?.length > 0) return "held";
  if (record.status === "failed") return "failed";
  return "idle";
}

/** The state in words, with what belongs to it. */
export function stateText(record) {
  const state = stateOf(record);
  if (state === "parked" && record.parked) return t("shell.state.parkedUntil", { time: formatTime(record.parked.until) });
  if (state === "held" && record.heldBy === "budget") return t("shell.state.heldByBudget");
  return t(`shell.state.${state}`);
}

const icons = {
  waiting: "question", parked: "clock", failed: "error", held: "pause", paused: "pause", archived: "archive", queued: "clock",
};

/** The state as a sign; its words are beside it or in its title. */
export function stateSign(state, isUnread = false) {
  const sign = h("span", { class: `state state-${state}${isUnread ? " unread" : ""}`, "aria-hidden": "true" });
  if (icons[state]) sign.append(icon(icons[state], { size: 14 }));
  return sign;
}

/** What a session that waits wants to know, in a line; empty when it doesn't wait. */
export function askedBy(record) {
  const request = stateOf(record) === "waiting" ? store.pendingOf(record.id)[0] : null;
  if (!request) return "";
  return visible(request.type === "permission" ? request.title || request.tool : request.questions?.[0]?.text, 200);
}

/** What a session is called: its title, or that it has none. */
export function titleOf(record) {
  return record.title ? visible(record.title, 200) : t("shell.untitled");
}
