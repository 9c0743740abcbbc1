// Where one writes to the agents: a field that grows, commands and names that complete, files, and what to do with a message
// while a turn runs.

import { h, reconcile, replace } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { isMac, keyCaps, shortcuts } from "../core/keys.js";
import { effect, signal } from "../core/signal.js";
import { connection } from "../core/connection.js";
import { store } from "../core/store.js";
import { icon } from "../ui/icons.js";
import { toast } from "../ui/toast.js";
import { attachmentChip, hasImages, readFiles } from "./attachments.js";
import { parseCommand, providerNamed } from "./commands.js";
import { completionList, completions } from "./completion.js";
import { composition } from "./compositions.js";
import { history } from "./history.js";
import * as operations from "./operations.js";
import { outbox } from "./outbox.js";
import { visible as clipped } from "../core/text.js";

shortcuts.push(
  { keys: "Enter", label: "interaction.keys.send", group: "interaction.keys.group" },
  { keys: "Shift+Enter", label: "interaction.keys.newLine", group: "interaction.keys.group" },
  { keys: "Mod+Enter", label: "interaction.keys.steer", group: "interaction.keys.group" },
  { keys: "ArrowUp", label: "interaction.keys.history", group: "interaction.keys.group" },
  { keys: "/", label: "interaction.keys.commands", group: "interaction.keys.group" },
  { keys: "Escape", label: "interaction.keys.interrupt", group: "interaction.keys.group" },
);

/** How long the second Escape may take, in milliseconds. */
const escapeWindow = 2000;

/** The composer of a session: `{element, dispose, focus(), insert(text)}`. */
export function composer(sessionId) {
  const state = composition(sessionId);
  const out = outbox(sessionId);
  const record = store.session(sessionId);
  const past = history(sessionId);
  const refusal = signal("");
  const isArmed = signal(false);
  let escapeTimer = null;

  const field = h("textarea", {
    class: "composer-field", rows: 1, spellcheck: true, autocomplete: "off", enterkeyhint: "send", autocapitalize: "sentences",
    "aria-describedby": "composer-hint",
    on: { input: edited, keydown: pressed, paste: pasted, compositionend: edited, blur: () => { list.hide(); state.flush(); }, click: complete },
  });
  const list = completionList(field, accept);
  const picker = h("input", { type: "file", multiple: true, class: "visually-hidden", tabIndex: -1, "aria-hidden": "true", on: { change: picked } });
  const chips = h("ul", { class: "attachment-chips" });
  const notices = h("div", { class: "composer-notices", role: "status" });
  const held = h("ul", { class: "outbox" });
  const attachButton = h("button", { type: "button", class: "icon-button", on: { click: attach } }, icon("attach"));
  const hint = h("span", { class: "composer-hint", id: "composer-hint" });
  const stopButton = h("button", { type: "button", class: "button stop", on: { click: () => operations.interrupt(sessionId) } });
  const steerButton = h("button", { type: "button", class: "button steer", on: { click: () => submit("steer") } });
  const sendButton = h("button", { type: "submit", class: "button primary send" });
  const form = h("form", { class: "composer-box", on: { submit: (event) => { event.preventDefault(); submit("queue"); } } },
    chips, field,
    h("div", { class: "composer-bar" }, attachButton, picker, hint, h("span", { class: "composer-buttons" }, stopButton, steerButton, sendButton)));
  const element = h("section", { class: "composer", on: { dragover: draggedOver, dragleave: draggedOut, drop: dropped } },
    held, notices, h("div", { class: "composer-frame" }, list.element, form),
    h("div", { class: "drop-hint", "aria-hidden": "true" }));

  const canSteer = () => {
    const provider = store.providers.value.get(record.value?.turn?.providerId ?? record.value?.providerId);
    return provider?.capabilities?.steer === true;
  };
  const sendsByMod = () => store.preferences.value.sendKey === "mod-enter";

  // MARK: The field

  function grow() {
    field.style.height = "auto";
    // The borders are the form's; the field has none.
    field.style.height = `${field.scrollHeight}px`;
    field.classList.toggle("is-tall", field.scrollHeight > field.clientHeight + 1);
  }

  function edited(event) {
    refusal.value = "";
    past.leave();
    state.edit(field.value);
    // While an input method composes, what stands there is not what will be.
    if (!event.isComposing) complete();
  }

  function complete() {
    list.show(field.selectionStart === field.selectionEnd ? completions(sessionId, field.value, field.selectionStart) : null);
  }

  function accept(insert, start, isFinal) {
    const rest = field.value.slice(field.selectionEnd);
    write(field.value.slice(0, start) + insert + rest, start + insert.length);
    if (!isFinal) complete();
  }

  function write(text, caret = text.length) {
    field.value = text;
    field.setSelectionRange(caret, caret);
    state.edit(text);
  }

  function pressed(event) {
    // 229: an input method has the key, also in browsers that have ended the composition by now.
    if (event.isComposing || event.keyCode === 229) return;
    if (list.key(event)) return void event.preventDefault();
    const mod = isMac ? event.metaKey : event.ctrlKey;
    if (event.key === "Enter" && !event.altKey) {
      const sends = sendsByMod() ? mod : !event.shiftKey;
      if (!sends) return;
      event.preventDefault();
      if (event.repeat) return;
      return submit((sendsByMod() ? event.shiftKey : mod) ? "steer" : "queue");
    }
    if (event.key === "Escape" && !event.shiftKey && !mod) return escaped(event);
    if ((event.key === "ArrowUp" || event.key === "ArrowDown") && !mod && !event.altKey && !event.shiftKey) {
      const text = past.move(event.key === "ArrowUp" ? -1 : 1, field.value);
      if (text === null) return;
      event.preventDefault();
      write(text);
    }
  }

  /** Twice in a row interrupts: once is pressed by mistake. */
  function escaped(event) {
    if (!record.peek()?.turn) return;
    event.preventDefault();
    clearTimeout(escapeTimer);
    if (isArmed.peek()) {
      isArmed.value = false;
      return void operations.interrupt(sessionId);
    }
    isArmed.value = true;
    escapeTimer = setTimeout(() => { isArmed.value = false; }, escapeWindow);
  }

  // MARK: Sending

  function submit(mode) {
    const content = field.value;
    const attachments = state.attachments.peek();
    if (content.trim() === "" && attachments.length === 0) return field.focus();
    const command = attachments.length === 0 ? parseCommand(content) : null;
    if (command) {
      const problem = command.command.run(sessionId, command.rest, { attach, post, restore: (message) => state.restore(message.content, message.attachments) });
      if (typeof problem === "string") {
        refusal.value = problem;
        return;
      }
      past.add(content);
      state.clear();
      return;
    }
    past.add(content);
    post(mode, content, attachments);
    state.clear();
    field.focus();
  }

  async function post(mode, content, attachments = []) {
    const isSteering = mode === "steer" && record.peek()?.turn && canSteer();
    const addressed = /^@([\w.-]+)(?=\s|$)/.exec(content);
    const providerId = addressed && providerNamed(addressed[1]);
    if (providerId && !record.peek()?.providerIds.includes(providerId)) {
      const joined = await operations.patch(sessionId, { providerIds: [...record.peek().providerIds, providerId] });
      if (joined === undefined) return state.restore(content, attachments);
    }
    out.post({ content, attachments, mode: isSteering ? "steer" : "queue" });
  }

  // MARK: Files

  function attach() {
    picker.click();
  }

  function picked() {
    add([...picker.files]);
    picker.value = "";
  }

  async function add(files) {
    if (files.length === 0) return;
    const { attachments, problems } = await readFiles(files, state.attachments.peek());
    if (attachments.length) state.attachments.value = [...state.attachments.peek(), ...attachments];
    for (const problem of problems) toast(problem, { kind: "danger" });
    field.focus();
  }

  function pasted(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    // What has text, too, such as cells of a spreadsheet, is pasted as text.
    if (files.length === 0 || event.clipboardData.types.includes("text/plain")) return;
    event.preventDefault();
    add(files);
  }

  function draggedOver(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    element.classList.add("is-dropping");
  }

  function draggedOut(event) {
    if (!element.contains(event.relatedTarget)) element.classList.remove("is-dropping");
  }

  function dropped(event) {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    element.classList.remove("is-dropping");
    add([...event.dataTransfer.files]);
  }

  // MARK: What is shown

  const effects = [
    effect(() => {
      const text = state.text.value;
      if (field.value !== text) {
        const caret = field.selectionStart;
        const wasAtEnd = caret === field.value.length;
        field.value = text;
        if (document.activeElement === field) {
          const next = wasAtEnd ? text.length : Math.min(caret, text.length);
          field.setSelectionRange(next, next);
        }
      }
      requestAnimationFrame(grow);
    }),
    // A draft of another client's, or this one's own after a reload.
    effect(() => {
      // Records that come with every change leave the draft out; that says nothing about it.
      const draft = record.value?.draft;
      if (draft !== undefined && connection.state.value.phase === "open") state.remote(draft?.text ?? "", draft?.by);
    }),
    effect(() => {
      if (connection.state.value.phase === "open") state.flush();
    }),
    effect(() => {
      const attachments = state.attachments.value;
      replace(chips, attachments.map((each) =>
        attachmentChip(each, () => {
          state.attachments.value = state.attachments.peek().filter((other) => other !== each);
          field.focus();
        })));
      chips.hidden = attachments.length === 0;
    }),
    effect(() => {
      const isRunning = Boolean(record.value?.turn);
      const steers = isRunning && canSteer();
      const isEmpty = state.text.value.trim() === "" && state.attachments.value.length === 0;
      const name = operations.providerName(record.value?.providerId ?? "");
      field.setAttribute("aria-label", t("interaction.composer.label", { name }));
      const isWaiting = record.value?.status === "waiting";
      field.placeholder = t(`interaction.composer.placeholder${isWaiting ? "Waiting" : isRunning ? "Running" : ""}`, { name });
      attachButton.setAttribute("aria-label", t("interaction.attach.button"));
      attachButton.title = t("interaction.attach.button");
      stopButton.hidden = !isRunning;
      label(stopButton, "stop", t("interaction.interrupt"), t("interaction.interruptKeys"));
      // What can't be done now says why, rather than being gone.
      steerButton.hidden = !isRunning;
      steerButton.setAttribute("aria-disabled", String(!steers || isEmpty));
      label(steerButton, "bolt", t("interaction.steer"),
        steers ? t("interaction.steerTitle", { keys: keyText(sendsByMod() ? "Mod+Shift+Enter" : "Mod+Enter") }) : t("interaction.steerCannot", { name }));
      sendButton.setAttribute("aria-disabled", String(isEmpty));
      label(sendButton, isRunning ? "list" : "send", t(isRunning ? "interaction.queue" : "interaction.send"),
        isEmpty ? t("interaction.composer.empty") : t(isRunning ? "interaction.queueTitle" : "interaction.sendTitle", { keys: keyText(sendsByMod() ? "Mod+Enter" : "Enter") }));
      element.querySelector(".drop-hint").textContent = t("interaction.attach.drop");
    }),
    effect(() => {
      const isRunning = Boolean(record.value?.turn);
      hint.textContent = isArmed.value && isRunning ? t("interaction.escapeAgain")
        : t(sendsByMod() ? "interaction.hintMod" : "interaction.hint", { keys: keyText("Mod+Enter") });
      hint.classList.toggle("is-armed", isArmed.value && isRunning);
    }),
    effect(() => replace(notices, noticesNow())),
    effect(() => {
      const items = out.items.value;
      void t("interaction.outbox.held");
      held.hidden = items.length === 0;
      held.setAttribute("aria-label", t("interaction.outbox.label"));
      reconcile(held, items, (item) => `${item.clientMessageId} ${item.state} ${item.error ?? ""}`, outboxRow);
    }),
  ];

  function label(button, name, text, title) {
    if (button.dataset.label === text && button.title === title) return;
    button.dataset.label = text;
    button.title = title;
    replace(button, icon(name), h("span", { class: "button-label" }, text));
  }

  function outboxRow(item) {
    const text = clipped(item.content, 160) || t("interaction.attach.count", { count: item.attachments?.length ?? 0 });
    const takeBack = () => {
      const taken = out.take(item.clientMessageId);
      if (taken) state.restore(taken.content, taken.attachments);
      field.focus();
    };
    return h("li", { class: `outbox-item is-${item.state}` },
      icon(item.state === "failed" ? "warning" : "clock"),
      h("span", { class: "outbox-text" }, text),
      h("span", { class: "outbox-state" }, item.error ?? t(`interaction.outbox.${item.state}`)),
      item.state === "failed" && h("button", { type: "button", class: "button small", on: { click: () => out.again(item.clientMessageId) } }, t("interaction.outbox.again")),
      item.state !== "sending" && h("button", { type: "button", class: "button small quiet", on: { click: takeBack } }, t("interaction.outbox.edit")));
  }

  function noticesNow() {
    const now = [];
    const provider = store.providers.value.get(record.value?.providerId);
    if (refusal.value) now.push(notice("danger", refusal.value));
    const conflict = state.conflict.value;
    if (conflict) now.push(conflictNotice(conflict));
    if (provider && !provider.enabled) now.push(providerNotice("interaction.provider.disabled", provider));
    else if (provider && !provider.installed) now.push(providerNotice("interaction.provider.missing", provider));
    else if (provider?.authenticated === false) now.push(providerNotice("interaction.provider.login", provider));
    if (provider && hasImages(state.attachments.value) && provider.capabilities?.images === false) {
      now.push(notice("info", t("interaction.attach.noImages", { name: provider.name })));
    }
    return now;
  }

  function notice(kind, text, ...more) {
    return h("div", { class: `notice ${kind}` }, icon(kind === "info" ? "info" : "warning"), h("span", { class: "notice-text" }, text), ...more);
  }

  function providerNotice(key, provider) {
    return notice("warn", t(key, { name: provider.name }), h("a", { class: "button small", href: "#/providers" }, t("interaction.provider.open")));
  }

  function conflictNotice(conflict) {
    const resolve = (choice) => () => {
      state.resolve(choice);
      field.focus();
    };
    return notice("warn",
      t("interaction.draft.conflict", { name: conflict.by?.name ?? t("interaction.otherClient"), text: clipped(conflict.text, 120) }),
      h("span", { class: "notice-buttons" },
        h("button", { type: "button", class: "button small", on: { click: resolve("mine") } }, t("interaction.draft.mine")),
        h("button", { type: "button", class: "button small", on: { click: resolve("theirs") } }, t("interaction.draft.theirs")),
        h("button", { type: "button", class: "button small", on: { click: resolve("both") } }, t("interaction.draft.both"))));
  }

  return {
    element,
    focus: () => field.focus(),
    /** Puts text where the caret is. */
    insert(text) {
      const { selectionStart, selectionEnd, value } = field;
      write(value.slice(0, selectionStart) + text + value.slice(selectionEnd), selectionStart + text.length);
      field.focus();
    },
    dispose() {
      clearTimeout(escapeTimer);
      state.flush();
      for (const end of effects) end();
    },
  };
}

function keyText(keys) {
  return keyCaps(keys).join(isMac ? "" : "+");
}
