// What can be done with a session as a whole. Each says what went wrong in a notice; each that destroys can be undone.

import { connection } from "../core/connection.js";
import { h } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { navigate, sessionHref } from "../core/route.js";
import { store } from "../core/store.js";
import { visible } from "../core/text.js";
import { confirmDialog, openDialog } from "../ui/dialog.js";
import { toast } from "../ui/toast.js";
import { stateOf, titleOf } from "./session-state.js";

const path = (id) => `/sessions/${encodeURIComponent(id)}`;

/** Shows an error as a notice. */
export function failed(error) {
  if (error?.name === "AbortError") return;
  const text = error?.code === "offline" ? t("shell.error.offline") : visible(error?.message ?? String(error), 600);
  toast(text, { kind: "danger" });
}

/** Runs an action; what goes wrong becomes a notice. Says whether it went well. */
export async function attempt(action) {
  try {
    await action();
    return true;
  } catch (error) {
    failed(error);
    return false;
  }
}

export const rename = (record, title) => attempt(async () => {
  const next = title.trim();
  if (next && next !== record.title) store.take(await connection.api("PATCH", path(record.id), { title: next }));
});

/** Asks for a new title in a dialog: where there is no row to write it into. */
export function renameDialog(record) {
  const input = h("input", { class: "input", type: "text", value: record.title ?? "", maxLength: 200, "aria-label": t("shell.title") });
  openDialog({
    title: t("shell.rename"),
    body: input,
    class: "dialog-small",
    initialFocus: input,
    actions: [
      { label: t("shell.cancel") },
      { label: t("shell.rename"), kind: "primary", run: async () => { await rename(record, input.value); } },
    ],
  });
  input.select();
}

export function tagsDialog(record) {
  const input = h("input", {
    class: "input", type: "text", value: (record.tags ?? []).join(", "), "aria-describedby": "tags-hint", "aria-label": t("shell.tags"),
  });
  const known = [...new Set([...store.sessions.peek().values()].flatMap((each) => each.tags ?? []))].sort().slice(0, 30);
  const add = (tag) => {
    const tags = parseTags(input.value);
    input.value = (tags.includes(tag) ? tags.filter((each) => each !== tag) : [...tags, tag]).join(", ");
  };
  openDialog({
    title: t("shell.tags"),
    class: "dialog-small",
    initialFocus: input,
    body: h("div", { class: "stack" },
      input, h("p", { class: "hint", id: "tags-hint" }, t("shell.tagsHint")),
      known.length ? h("div", { class: "chips" }, known.map((tag) => h("button", { type: "button", class: "chip", on: { click: () => add(tag) } }, visible(tag, 40)))) : null),
    actions: [
      { label: t("shell.cancel") },
      {
        label: t("shell.save"), kind: "primary",
        run: async () => { store.take(await connection.api("PATCH", path(record.id), { tags: parseTags(input.value) })); },
      },
    ],
  });
}

function parseTags(text) {
  return [...new Set(text.split(",").map((tag) => tag.trim()).filter(Boolean))];
}

export const setArchived = (record, archived) => attempt(async () => {
  store.take(await connection.api("PATCH", path(record.id), { archived }));
  toast(t(archived ? "shell.archivedNotice" : "shell.unarchivedNotice", { title: titleOf(record) }), {
    action: { label: t("shell.undo"), run: () => setArchived(record, !archived) },
  });
  if (archived && store.selected.peek() === record.id) navigate("#/");
});

/** Deletes; while the daemon keeps its backup, that can be undone. One that works is asked about first. */
export async function remove(record) {
  if (["running", "waiting"].includes(stateOf(record))) {
    const isMeant = await confirmDialog({
      title: t("shell.deleteRunning"), text: t("shell.deleteRunningText", { title: titleOf(record) }), label: t("shell.delete"),
    });
    if (!isMeant) return;
  }
  const wasSelected = store.selected.peek() === record.id;
  await attempt(async () => {
    await connection.api("DELETE", path(record.id));
    if (wasSelected) navigate("#/");
    toast(t("shell.deletedNotice", { title: titleOf(record) }), {
      action: {
        label: t("shell.undo"),
        run: async () => {
          if (await undelete(record.id) && wasSelected) navigate(sessionHref(record.id));
        },
      },
      timeout: 15_000,
    });
  });
}

/** Brings a deleted session back, as long as the daemon has its backup. */
export const undelete = (id) => attempt(async () => {
  try {
    store.take(await connection.api("POST", `${path(id)}/undelete`));
  } catch (error) {
    throw error.status === 404 ? new Error(t("shell.undeleteGone")) : error;
  }
});

/** A copy that goes on by itself, up to the event `atSeq` or to the end. */
export const fork = (record, atSeq) => attempt(async () => {
  const copy = store.take(await connection.api("POST", `${path(record.id)}/fork`, atSeq ? { atSeq } : {}));
  navigate(sessionHref(copy.id));
  toast(t("shell.forkedNotice"), { kind: "ok" });
});

export function exportAs(record, format) {
  const name = (record.title ?? record.id).replace(/[^\p{L}\p{N} ._-]+/gu, " ").trim().slice(0, 80) || record.id;
  connection.download(`${path(record.id)}/export?format=${format}`, `${name}.${format === "markdown" ? "md" : "jsonl"}`);
}

export const stop = (record) => attempt(() => connection.send("session:stop", { sessionId: record.id }));
export const pause = (record) => attempt(() => connection.send("session:pause", { sessionId: record.id }));
export const resume = (record) => attempt(() => connection.send("session:resume", { sessionId: record.id }));

/** The items of a session's menu. `onRename` writes the title where the session is shown. */
export function sessionItems(record, { onRename } = {}) {
  const state = stateOf(record);
  const works = ["running", "waiting"].includes(state);
  return [
    { label: t("shell.rename"), icon: "edit", shortcut: "F2", run: () => (onRename ? onRename(record) : renameDialog(record)) },
    { label: t("shell.tagsEdit"), icon: "tag", shortcut: "T", run: () => tagsDialog(record) },
    { label: t("shell.fork"), icon: "fork", run: () => fork(record) },
    null,
    record.paused || record.held || record.parked
      ? { label: t("shell.resume"), icon: "play", run: () => resume(record) }
      : { label: t("shell.pause"), icon: "pause", run: () => pause(record) },
    works ? { label: t("shell.stop"), icon: "stop", run: () => stop(record) } : false,
    null,
    { label: t("shell.exportMarkdown"), icon: "export", run: () => exportAs(record, "markdown") },
    { label: t("shell.exportLog"), icon: "export", hint: t("shell.exportLogHint"), run: () => exportAs(record, "jsonl") },
    { label: t("shell.copyId"), icon: "copy", run: () => copyText(record.id) },
    null,
    record.archived
      ? { label: t("shell.unarchive"), icon: "unarchive", shortcut: "E", run: () => setArchived(record, false) }
      : { label: t("shell.archive"), icon: "archive", shortcut: "E", run: () => setArchived(record, true) },
    { label: t("shell.delete"), icon: "trash", shortcut: "Delete", danger: true, run: () => remove(record) },
  ];
}

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(t("shell.copied"), { kind: "ok", timeout: 2000 });
  } catch {
    // In a frame that may not use the clipboard the text is shown, to be copied by hand.
    const input = h("input", { class: "input", type: "text", value: text, readOnly: true, "aria-label": t("shell.copyByHand") });
    openDialog({ title: t("shell.copyByHand"), body: input, class: "dialog-small", initialFocus: input });
    input.select();
  }
}
