// What can be done to a session, and what the person is told when it fails.

import { connection } from "../core/connection.js";
import { formatNumber } from "../core/format.js";
import { t, has } from "../core/i18n.js";
import { navigate, sessionHref } from "../core/route.js";
import { store } from "../core/store.js";
import { visible } from "../core/text.js";
import { toast } from "../ui/toast.js";

/** The text of an error of the daemon's: in the person's language where it is one that everybody meets, else as it was said. */
export function errorText(error) {
  const key = `interaction.error.${error?.code}`;
  return has(key) ? t(key) : (error?.message ?? String(error));
}

/** Carries out `work`; a failure becomes a toast. The result, or undefined after a failure. */
export async function attempt(work, success) {
  try {
    const result = await work();
    if (success) toast(typeof success === "function" ? success(result) : success);
    return result ?? null;
  } catch (error) {
    toast(errorText(error), { kind: "danger" });
    return undefined;
  }
}

const frame = (type, sessionId, more) => attempt(() => connection.send(type, { sessionId, ...more }));
const api = (method, path, body, success) => attempt(() => connection.api(method, path, body), success);

export const interrupt = (sessionId) => frame("session:interrupt", sessionId);
export const stop = (sessionId) => frame("session:stop", sessionId);
export const pause = (sessionId) => frame("session:pause", sessionId);
/** Ends a pause, releases a held queue, gives up a parked turn. */
export const resume = (sessionId) => frame("session:resume", sessionId);
/** @param when `{}`, or `{later: true}`, `{after: seconds}`. */
export const retry = (sessionId, when) => frame("session:retry", sessionId, when);
export const rename = (sessionId, title) => frame("session:rename", sessionId, { title });
export const orderQueue = (sessionId, order) => frame("session:queue", sessionId, { order });
/** @param change `model`, `mode`, `effort`, `budgetUsd`, `providerIds`. */
export const patch = (sessionId, change, success) => api("PATCH", `/sessions/${sessionId}`, change, success);
export const switchProvider = (sessionId, providerId, more) =>
  frame("session:provider", sessionId, { providerId, ...more });

/** A copy of the session, up to the event or the newest, which is then shown. */
export async function fork(sessionId, atSeq) {
  const copy = await frame("session:fork", sessionId, { atSeq });
  if (copy?.id) {
    store.take(copy);
    navigate(sessionHref(copy.id));
    toast(t("interaction.forked"));
  }
}

export function exportSession(sessionId, format) {
  connection.download(`/sessions/${sessionId}/export?format=${format}`);
}

/** The whole of a message that waits: the record has its first 256 characters only.
 * Looks through the log from its end, 10 pages at most. `{content, attachments}`. */
export async function queuedMessage(sessionId, turnId) {
  let before = (store.session(sessionId).peek()?.lastSeq ?? 0) + 1;
  for (let page = 0; page < 10 && before > 1; page += 1) {
    const { events } = await connection.api("GET", `/sessions/${sessionId}/events?before=${before}&limit=500`);
    if (!events.length) break;
    const found = events.find((event) => event.turnId === turnId && event.kind === "message" && event.data.role === "user");
    if (found) return { content: found.data.content ?? "", attachments: found.data.attachments ?? [] };
    before = events[0].seq;
  }
  return null;
}

/** Takes a message back that waits, and gives what it said. */
export async function withdraw(sessionId, item) {
  return attempt(async () => {
    // Read first: what is taken back must not be lost.
    const message = await queuedMessage(sessionId, item.turnId) ?? { content: item.content, attachments: [] };
    await connection.send("session:withdraw", { sessionId, turnId: item.turnId });
    return message;
  });
}

/** An identifier nobody else makes; `randomUUID` is missing where the page didn't come over a secure origin. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A provider's own name, which a manifest or a log from elsewhere has set. */
export function providerName(id) {
  return visible(store.providers.value.get(id)?.name ?? id, 80);
}

/** A count with its thousands. */
export function tokens(count) {
  return formatNumber(count ?? 0);
}
