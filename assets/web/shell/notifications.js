// Who isn't looking is told: by the page's title, and, when that was asked for, by the system's notifications.

import { connection } from "../core/connection.js";
import { h } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { navigate, sessionHref } from "../core/route.js";
import { effect } from "../core/signal.js";
import { store } from "../core/store.js";
import { visible } from "../core/text.js";
import { toast } from "../ui/toast.js";
import { stateOf, titleOf } from "./session-state.js";

/** Those shown, by session: a newer one takes the place of the older. */
const shown = new Map();

export const canNotify = () => "Notification" in globalThis;

/** Switches notifications on or off. Called on an explicit click: browsers ask the person then, and only then. */
export async function setNotifications(isOn) {
  if (!isOn) return store.setPreference("notifications", false);
  const answer = canNotify() ? await Notification.requestPermission() : "denied";
  store.setPreference("notifications", answer === "granted");
  if (answer !== "granted") toast(t("shell.notifications.denied"), { kind: "warn" });
  else toast(t("shell.notifications.on"), { kind: "ok" });
}

/** Whether they are asked for and allowed. */
export function areNotificationsOn() {
  return store.preferences.value.notifications && canNotify() && Notification.permission === "granted";
}

function notify(sessionId, title, body) {
  if (document.visibilityState === "visible" || !areNotificationsOn()) return;
  try {
    shown.get(sessionId)?.close();
    const note = new Notification(title, { body, tag: `codeai-hub-${sessionId}`, icon: "/web/icon.svg" });
    note.onclick = () => {
      globalThis.focus();
      navigate(sessionHref(sessionId));
      note.close();
    };
    shown.set(sessionId, note);
  } catch {
    // Some systems allow them to service workers alone.
  }
}

/** What isn't in sight is said to those who listen: not what streams, only that somebody is needed or something has ended. */
const voice = h("div", { class: "visually-hidden", role: "status", id: "voice" });

function say(sessionId, text) {
  if (store.selected.peek() === sessionId) return;
  voice.textContent = text;
}

/** A session has come to rest. */
export function notifyEnd(record) {
  const state = stateOf(record);
  say(record.id, t(state === "failed" ? "shell.says.failed" : "shell.says.ended", { title: titleOf(record) }));
  notify(record.id, titleOf(record), t(state === "failed" ? "shell.notify.failed" : state === "parked" ? "shell.notify.parked" : "shell.notify.ended"));
}

export function watchNotifications() {
  document.body.append(voice);
  for (const type of ["permission", "question"]) {
    connection.on(`${type}:requested`, ({ sessionId, payload }) => {
      const record = store.sessions.peek().get(sessionId);
      const what = type === "permission" ? visible(payload.title || payload.tool, 160) : visible(payload.questions?.[0]?.text, 160);
      say(sessionId, t("shell.says.waiting", { title: record ? titleOf(record) : sessionId, what }));
      notify(sessionId, t(`shell.notify.${type}`, { title: record ? titleOf(record) : sessionId }), what);
    });
    connection.on(`${type}:resolved`, ({ sessionId }) => shown.get(sessionId)?.close());
  }
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return;
    for (const note of shown.values()) note.close();
    shown.clear();
  });
  effect(() => {
    const waiting = new Set([...store.pending.value.values()].map((request) => request.sessionId)).size;
    const { view, id } = store.route.value;
    const record = id ? store.session(id).value : null;
    const where = record ? titleOf(record) : ["settings", "usage", "providers"].includes(view) ? t(`shell.view.${view}`) : null;
    document.title = `${waiting > 0 ? `(${waiting}) ` : ""}${where ? `${where} — ` : ""}CodeAI Hub`;
  });
}
