// A new session: which agent, where, how, and what it should do first.

import { connection } from "../core/connection.js";
import { h, replace } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { navigate, sessionHref } from "../core/route.js";
import { effect, signal } from "../core/signal.js";
import { store } from "../core/store.js";
import { shortPath, visible } from "../core/text.js";
import { openDialog } from "../ui/dialog.js";
import { failed } from "./actions.js";
import { providerPicker, readiness, sortedProviders } from "./provider-picker.js";

/** Folders of the newest sessions, each once. */
export function recentFolders(most = 8) {
  const folders = new Set();
  for (const id of store.order.peek()) {
    const { workspace } = store.sessions.peek().get(id);
    if (workspace) folders.add(workspace);
    if (folders.size === most) break;
  }
  return [...folders];
}

function preferredProvider(wanted) {
  const all = sortedProviders.peek();
  for (const id of [wanted, store.preferences.peek().lastProvider]) {
    const provider = all.find((each) => each.id === id);
    if (provider && (id === wanted || readiness(provider) === "ready")) return id;
  }
  return all[0]?.id ?? null;
}

/** Opens the dialog. `preset`: `{providerId, workspace, content}`. */
export function newSessionDialog(preset = {}) {
  const chosen = signal(preferredProvider(preset.providerId));
  const picker = providerPicker(chosen);
  const folders = recentFolders();
  const workspace = h("input", {
    class: "input mono", type: "text", id: "new-workspace", value: preset.workspace ?? store.preferences.peek().lastWorkspace ?? folders[0] ?? "",
    spellcheck: false, autocomplete: "off", list: "recent-folders", "aria-describedby": "new-workspace-hint",
  });
  const content = h("textarea", { class: "textarea", id: "new-content", rows: 4, value: preset.content ?? "", placeholder: t("shell.new.contentPlaceholder") });
  const title = h("input", { class: "input", type: "text", id: "new-title", maxLength: 200, placeholder: t("shell.new.titlePlaceholder") });
  const options = h("div", { class: "columns" });
  const field = (label, id, control, hint) => h("div", { class: "field" }, h("label", { class: "label", htmlFor: id }, label), control, hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null);
  const select = (id, values) => h("select", { class: "select", id }, h("option", { value: "" }, t("shell.new.default")), values.map((value) => h("option", { value }, visible(value, 60))));
  let model = null;
  let mode = null;

  const stopOptions = effect(() => {
    const provider = store.provider(chosen.value);
    // What was chosen for one agent says nothing to another.
    const before = { model: model?.value, mode: mode?.value };
    model = provider?.models?.length ? select("new-model", provider.models)
      : h("input", { class: "input", type: "text", id: "new-model", placeholder: t("shell.new.default") });
    mode = provider?.modes?.length ? select("new-mode", provider.modes) : null;
    if (before.model && [...(model.options ?? [])].some((each) => each.value === before.model)) model.value = before.model;
    if (before.mode && mode && [...mode.options].some((each) => each.value === before.mode)) mode.value = before.mode;
    replace(options, field(t("shell.new.model"), "new-model", model), mode ? field(t("shell.new.mode"), "new-mode", mode) : null);
  });

  const body = h("div", { class: "stack new-session" },
    h("fieldset", { class: "fieldset" }, h("legend", { class: "label" }, t("shell.new.agent")), picker.element),
    h("div", { class: "field" },
      h("label", { class: "label", htmlFor: "new-workspace" }, t("shell.new.folder")), workspace,
      folders.length ? h("div", { class: "chips" }, folders.slice(0, 5).map((folder) => h("button", {
        type: "button", class: "chip", title: visible(folder), on: { click: () => { workspace.value = folder; } },
      }, shortPath(folder)))) : null,
      h("p", { class: "hint", id: "new-workspace-hint" }, t("shell.new.folderHint")),
      h("datalist", { id: "recent-folders" }, folders.map((folder) => h("option", { value: folder })))),
    field(t("shell.new.content"), "new-content", content),
    h("details", { class: "details" }, h("summary", null, t("shell.new.more")), h("div", { class: "stack" }, options, field(t("shell.new.titleField"), "new-title", title))));

  async function create() {
    const provider = store.provider(chosen.peek());
    if (!provider) throw new Error(t("shell.new.noAgent"));
    const state = readiness(provider);
    if (["install", "installing", "disabled"].includes(state)) throw new Error(t("shell.new.notReady", { name: visible(provider.name, 60) }));
    const request = { providerId: provider.id };
    if (workspace.value.trim()) request.workspace = workspace.value.trim();
    if (model?.value.trim()) request.model = model.value.trim();
    if (mode?.value) request.mode = mode.value;
    if (title.value.trim()) request.title = title.value.trim();
    const record = store.take(await connection.api("POST", "/sessions", request));
    store.setPreference("lastProvider", provider.id);
    if (request.workspace) store.setPreference("lastWorkspace", request.workspace);
    // What comes next is said in the session.
    addEventListener("hashchange", () => requestAnimationFrame(() => document.querySelector(".composer-field")?.focus()), { once: true });
    navigate(sessionHref(record.id));
    if (content.value.trim()) {
      // The session is there; if its first message can't be sent, the person has it in the draft.
      connection.send("session:message", { sessionId: record.id, content: content.value, clientMessageId: crypto.randomUUID() }).catch((error) => {
        failed(error);
        connection.api("PUT", `/sessions/${encodeURIComponent(record.id)}/draft`, { text: content.value }).catch(() => {});
      });
    }
  }

  const dialog = openDialog({
    title: t("shell.new.title"),
    body,
    class: "dialog-wide",
    initialFocus: picker.element.querySelector("input:checked") ?? content,
    actions: [
      { label: t("shell.cancel") },
      { label: t("shell.new.start"), kind: "primary", run: create },
    ],
    onClose() {
      picker.dispose();
      stopOptions();
    },
  });
  return dialog;
}

/** A session with the echo agent, at once: to look around. */
export async function startEcho() {
  try {
    const record = store.take(await connection.api("POST", "/sessions", { providerId: "echo", title: t("shell.first.echoTitle") }));
    navigate(sessionHref(record.id));
    await connection.send("session:message", { sessionId: record.id, content: "help", clientMessageId: crypto.randomUUID() });
  } catch (error) {
    failed(error);
  }
}
