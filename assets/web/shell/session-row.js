// What the rows of the session list show.

import { h, replace } from "../core/dom.js";
import { formatFullTime, formatRelative } from "../core/format.js";
import { locale, t } from "../core/i18n.js";
import { store } from "../core/store.js";
import { baseName, visible } from "../core/text.js";
import { icon } from "../ui/icons.js";
import { askedBy, stateOf, stateSign, stateText, titleOf } from "./session-state.js";
import { unread } from "./unread.js";

/** A session's row: state, title, when, and what else there is to know. `now` is a number that changes when times are to be
 * written anew. */
export function fillSession(element, record, now) {
  const state = stateOf(record);
  const isUnread = unread.peek().has(record.id);
  // What is shown says all there is to it: the same again needs no new elements.
  const provider = store.provider(record.providerId);
  const asked = askedBy(record);
  const facts = [
    asked, Boolean(record.draft),
    record.title, state, stateText(record), isUnread, record.updatedAt, record.workspace, record.providerId, provider?.name, record.queue?.length, (record.tags ?? []).join(),
    now, locale.peek(),
  ].join("\u0000");
  if (element.facts === facts) return;
  element.facts = facts;
  const isPlain = state === "idle" || state === "archived";
  replace(element,
    stateSign(state, isUnread),
    h("span", { class: "row-title", dir: "auto" }, titleOf(record)),
    h("time", { class: "row-time", title: formatFullTime(record.updatedAt) }, formatRelative(record.updatedAt)),
    h("span", { class: "row-meta" },
      isUnread ? h("span", { class: "visually-hidden" }, t("shell.unread"), " ") : null,
      isPlain ? (state === "archived" ? h("span", { class: "visually-hidden" }, stateText(record)) : null) : h("span", { class: `row-state text-${state}` }, stateText(record)),
      asked
        ? h("span", { class: "row-where", dir: "auto" }, asked)
        : h("span", { class: "row-where", title: visible(record.workspace) },
          visible(provider?.name ?? record.providerId, 40), " · ", visible(baseName(record.workspace), 60)),
      record.draft ? h("span", { class: "row-queue", title: t("shell.draft") }, icon("edit", { size: 12 }), h("span", { class: "visually-hidden" }, t("shell.draft"))) : null,
      record.queue?.length ? h("span", { class: "row-queue", title: t("shell.queued", { count: record.queue.length }) }, icon("list", { size: 12 }), String(record.queue.length)) : null,
      (record.tags ?? []).slice(0, 3).map((tag) => h("span", { class: "row-tag" }, visible(tag, 24)))));
}

/** The row of something that was said. */
export function fillHit(element, hit) {
  const facts = `${hit.seq} ${hit.title} ${locale.peek()}`;
  if (element.facts === facts) return;
  element.facts = facts;
  const kind = hit.kind === "message" ? `${hit.kind}.${hit.role}` : hit.kind;
  replace(element,
    h("span", { class: "state" }, icon({ tool_call: "terminal", error: "error" }[hit.kind] ?? (hit.role === "user" ? "user" : "robot"), { size: 14 })),
    h("span", { class: "row-title", dir: "auto" }, hit.title ? visible(hit.title, 200) : t("shell.untitled")),
    h("time", { class: "row-time", title: formatFullTime(hit.ts) }, formatRelative(hit.ts)),
    h("span", { class: "row-snippet", dir: "auto" },
      h("span", { class: "visually-hidden" }, t(`shell.hit.${kind}`), ": "),
      hit.snippet.map((part) => (part.match ? h("mark", null, visible(part.text)) : visible(part.text)))));
}
