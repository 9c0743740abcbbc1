// What an agent asks and waits for: permissions, questions, plans. The oldest request of the session is shown whole, the others
// wait behind it. It goes away in every client when it is answered in one, and says who did.
//
// The focus is never taken: whoever is writing goes on writing, and hears of the request. Its keys count while the focus is in
// the panel, or nowhere in particular.

import { h, replace } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { bindKeys, isTyping, shortcuts } from "../core/keys.js";
import { effect, signal } from "../core/signal.js";
import { connection } from "../core/connection.js";
import { store } from "../core/store.js";
import { icon } from "../ui/icons.js";
import { optionLabel, permissionForm } from "./permission.js";
import { questionForm } from "./question.js";
import { providerName } from "./operations.js";
import { visible as clipped } from "../core/text.js";

shortcuts.push(
  { keys: "Alt+A", label: "interaction.keys.request", group: "interaction.keys.group" },
  { keys: "1", label: "interaction.keys.option", group: "interaction.keys.group" },
  { keys: "Y", label: "interaction.keys.allow", group: "interaction.keys.group" },
  { keys: "N", label: "interaction.keys.reject", group: "interaction.keys.group" },
);

/** Keys do nothing for so long after a request has appeared, in milliseconds: a key that was meant for the one before, or for
 * the text that somebody was about to write, must not answer it. */
const settleTime = 500;
/** How long it is said who answered, in milliseconds. */
const outcomeTime = 6000;

/** The requests of a session: `{element, dispose}`; hidden when there are none. */
export function requestPanel(sessionId) {
  const place = signal(0);
  const outcome = signal(null);
  let form = null;
  let shownKey = null;
  let shownAt = 0;
  let outcomeTimer = null;

  const head = h("header", { class: "request-head" });
  const body = h("div", { class: "request-body" });
  const result = h("p", { class: "request-outcome", role: "status" });
  const live = h("p", { class: "visually-hidden", "aria-live": "polite" });
  const element = h("section", { class: "requests", tabIndex: -1, on: { keydown: pressed } }, head, body, result, live);

  const requests = () => {
    const own = [];
    for (const request of store.pending.value.values()) if (request.sessionId === sessionId) own.push(request);
    return own;
  };

  function step(by) {
    place.value = Math.max(0, Math.min(requests().length - 1, place.peek() + by));
  }

  function pressed(event) {
    if (!form || event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event) || Date.now() - shownAt < settleTime) return;
    if (document.querySelector("dialog[open], .menu")) return;
    if (form.key(event.key)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  /** Also when nothing in particular has the focus. */
  function pressedAnywhere(event) {
    const target = document.activeElement;
    if (target === document.body || target === null) pressed(event);
  }

  document.addEventListener("keydown", pressedAnywhere);
  const unbind = bindKeys(document, {
    "Alt+A": () => {
      if (!form) return false;
      form.focus();
      return true;
    },
  });

  const resolved = (frame) => {
    if (frame.sessionId !== sessionId) return;
    const request = store.pending.peek().get(`${sessionId}/${frame.payload.requestId}`);
    outcome.value = { ...frame.payload, request, isOwn: answering.has(frame.payload.requestId) };
    clearTimeout(outcomeTimer);
    outcomeTimer = setTimeout(() => { outcome.value = null; }, outcomeTime);
  };
  /** What this panel answered itself. */
  const answering = new Set();
  const ends = [connection.on("permission:resolved", resolved), connection.on("question:resolved", resolved)];

  const effects = [
    effect(() => {
      const all = requests();
      const index = Math.min(place.value, Math.max(0, all.length - 1));
      const request = all[index];
      const key = request ? request.requestId : null;
      element.classList.toggle("is-open", Boolean(request));
      body.hidden = head.hidden = !request;
      element.setAttribute("aria-label", request ? headline(request) : t("interaction.request.label"));
      if (request) drawHead(request, index, all.length);
      if (key === shownKey) return;
      const hadFocus = form?.element.contains(document.activeElement);
      form?.dispose();
      form = null;
      shownKey = key;
      shownAt = Date.now();
      replace(body);
      if (!request) {
        // What had the focus is gone; the conversation goes on in the field below.
        if (hadFocus) document.querySelector(".composer-field")?.focus();
        live.textContent = "";
        return;
      }
      form = (request.type === "permission" ? permissionForm : questionForm)(request, { answering });
      body.append(form.element);
      body.scrollTop = 0;
      live.textContent = `${headline(request)}. ${form.summary} ${t("interaction.request.jump")}`;
      if (hadFocus) form.focus();
    }),
    effect(() => {
      const now = outcome.value;
      result.hidden = !now;
      replace(result, now ? [icon(isGranted(now) ? "check" : "close"), outcomeText(now)] : []);
    }),
    effect(() => {
      element.hidden = requests().length === 0 && !outcome.value;
    }),
  ];

  function drawHead(request, index, count) {
    replace(head,
      icon(request.type === "permission" ? "shield" : request.purpose === "plan_approval" ? "list" : "question"),
      h("h2", { class: "request-title" }, headline(request)),
      request.type === "permission" && h("span", { class: "request-tool" }, clipped(request.tool, 60)),
      count > 1 && h("nav", { class: "request-steps", "aria-label": t("interaction.request.several") },
        h("button", { type: "button", class: "icon-button small", disabled: index === 0, "aria-label": t("interaction.request.previous"), on: { click: () => step(-1) } }, icon("up")),
        h("span", { class: "request-count" }, t("interaction.request.place", { place: index + 1, count })),
        h("button", { type: "button", class: "icon-button small", disabled: index === count - 1, "aria-label": t("interaction.request.next"), on: { click: () => step(1) } }, icon("down"))));
  }

  return {
    element,
    focus: () => form?.focus(),
    dispose() {
      clearTimeout(outcomeTimer);
      unbind();
      document.removeEventListener("keydown", pressedAnywhere);
      form?.dispose();
      for (const end of [...ends, ...effects]) end();
    },
  };
}

function headline(request) {
  const name = providerName(request.providerId ?? store.session(request.sessionId).peek()?.providerId ?? "");
  if (request.type === "permission") return t("interaction.request.permission", { name });
  return t(request.purpose === "plan_approval" ? "interaction.request.plan" : "interaction.request.question", { name });
}

function isGranted({ outcome, optionKind }) {
  return outcome === "answered" || (outcome === "selected" && !String(optionKind).startsWith("reject"));
}

/** Who answered, and what. */
function outcomeText({ outcome, optionId, optionKind, by, request, isOwn }) {
  const option = request?.options?.find?.((each) => each.optionId === optionId);
  const what = option ? optionLabel(option)
    : outcome === "answered" ? t("interaction.outcome.answered")
      : outcome === "declined" ? t("interaction.outcome.declined")
        : outcome === "cancelled" ? t("interaction.outcome.cancelled") : clipped(optionKind ?? outcome, 60);
  if (isOwn || !by) return t("interaction.outcome.own", { what });
  return t("interaction.outcome.other", { what, name: clipped(by.name, 40) });
}
