// The conversation of a session: its transcript in a list, what happens at the moment, the way back to the end.

import { connection } from "../core/connection.js";
import { h, replace } from "../core/dom.js";
import { formatDuration } from "../core/format.js";
import { locale, t } from "../core/i18n.js";
import { bindKeys, shortcuts } from "../core/keys.js";
import { navigate, sessionHref } from "../core/route.js";
import { effect, signal } from "../core/signal.js";
import { store } from "../core/store.js";
import { icon } from "../ui/icons.js";
import { toast } from "../ui/toast.js";
import { copyText } from "./clipboard.js";
import { TextDocument } from "./document.js";
import { findBar, rangesOf } from "./find.js";
import { VirtualList } from "./list.js";
import { isFoldable, rowView } from "./rows.js";
import { oneLine } from "./text.js";
import { textOf } from "./transcript.js";

shortcuts.push(
  { keys: "Mod+F", label: "conversation.find", group: "conversation.group" },
  { keys: "Alt+PageUp", label: "conversation.previousMessage", group: "conversation.group" },
  { keys: "Alt+PageDown", label: "conversation.nextMessage", group: "conversation.group" },
);

const longText = 8000; // characters from which a text is looked at in pieces
const pieceText = 3600; // characters of a piece of it, about
const sliceTime = 6; // milliseconds of a frame for reading texts that nobody sees yet
const splitWidth = 900; // pixels that two columns of a diff need
const mostDocuments = 300;

/** @returns {element, dispose, scrollToSeq(seq), focus()} */
export function conversation(sessionId) {
  const transcript = store.transcript(sessionId);
  const documents = new Map(); // by row key
  const behind = new Set(); // keys of those with unread text
  const openKeys = new Map(); // what the person folded and unfolded
  const width = signal(0);
  let stamp = 0;
  let structure = -1;
  let isStale = true;
  let frame = 0;
  let seen = 0; // rows there were when the end was left
  let isDisposed = false;
  let goal = null; // the event to be shown when it is there

  // MARK: Elements

  const older = h("div", { class: "older" });
  const before = h("div", { "aria-hidden": "true" });
  const feed = h("div", { class: "feed", role: "feed", "aria-label": t("conversation.feed") });
  const after = h("div", { "aria-hidden": "true" });
  const activity = h("div", { class: "activity", hidden: true });
  const empty = h("div", { class: "conversation-empty", hidden: true });
  const scroller = h("div", { class: "conversation-scroll", tabIndex: 0, role: "region", "aria-label": t("conversation.region") },
    h("div", { class: "conversation-column" }, older, empty, before, feed, after, activity));
  const newer = h("button", { type: "button", class: "to-end", hidden: true, on: { click: () => { list.toEnd(); scroller.focus({ preventScroll: true }); } } }, icon("down", { size: 14 }), h("span"));
  const spoken = h("div", { class: "visually-hidden", role: "status" });
  const find = findBar({
    rows: allRows,
    hasOlder: () => transcript.hasOlder,
    loadAll: () => store.loadUntil(sessionId, 1),
    goTo: showMatch,
    onClose: () => scroller.focus({ preventScroll: true }),
  });
  const element = h("div", { class: "conversation", tabIndex: -1, dataset: { session: sessionId } }, find.element, scroller, newer, spoken);

  const context = {
    sessionId, width,
    documentOf,
    isOpen: (key) => openKeys.get(key) ?? false,
    keepOpen: (key, isOpen) => openKeys.set(key, isOpen),
    setOpen(key, isOpen) {
      openKeys.set(key, isOpen);
      isStale = true;
      sync();
    },
    hold: () => list.hold(),
    providerName: (id) => (id ? oneLine(store.providers.peek().get(id)?.name ?? id, 60) : ""),
    hasSeveralProviders: () => (store.session(sessionId).peek()?.providerIds?.length ?? 1) > 1,
    isPending: (requestId) => store.pending.peek().has(`${sessionId}/${requestId}`),
    showRequest,
    diffMode: () => (width.value >= splitWidth ? store.preferences.value.diffMode : "unified"),
    isLastError: (row) => transcript.rows.findLast((each) => each.kind === "error") === row || transcript.rows.findLast((each) => each.kind === "error")?.key === row.key,
    async copy(text) {
      const isDone = await copyText(text);
      toast(t(isDone ? "conversation.copied" : "conversation.copyFailed"), { kind: isDone ? "ok" : "danger" });
    },
    copyLink: (row) => context.copy(location.href.split("#")[0] + sessionHref(sessionId, row.seq)),
    fork,
    answerOf: (row) => transcript.rows.filter((each) => each.kind === "message" && each.role === "assistant" && each.turnId === row.turnId).map(textOf).join("\n\n"),
  };

  const list = new VirtualList({
    scroller, feed, before, after,
    create: (item) => rowView({ ...item, stamp: stampOf(item) }, context),
    update(view, item, index) {
      if (item.row.text) documentOf(item.row);
      item.stamp = stampOf(item);
      view.update(item);
      view.place(index + 1, transcript.hasOlder ? -1 : list.items.length);
    },
    estimate,
    changed: listChanged,
  });

  // MARK: Texts

  function documentOf(row) {
    let document = documents.get(row.key);
    if (!document) {
      document = new TextDocument({ plain: row.role === "user" || row.role === "system" });
      documents.set(row.key, document);
    }
    document.follow(row.text, !row.streaming);
    document.pump(performance.now() + 3);
    if (document.isBehind) {
      behind.add(row.key);
      schedule();
    }
    return document;
  }

  /** Long texts that nobody sees yet are read in slices, so that the list knows their pieces. */
  function readOn() {
    const deadline = performance.now() + sliceTime;
    for (const key of behind) {
      const document = documents.get(key);
      document?.pump(deadline);
      isStale = true;
      if (!document?.isBehind) behind.delete(key);
      if (performance.now() > deadline) break;
    }
    if (behind.size > 0) schedule();
  }

  function forget() {
    if (documents.size <= mostDocuments) return;
    for (const [key, document] of documents) {
      if (document.pieces.length === 1 && !list.views.has(key)) documents.delete(key);
    }
  }

  // MARK: Items

  function itemsOf(rows, depth, previous, items) {
    for (const row of rows) {
      const isText = row.kind === "message" || row.kind === "thinking";
      let pieces = 1;
      if (isText && row.text.length > longText && ((row.kind === "message" && !isFoldable(row)) || context.isOpen(row.key))) {
        let document = documents.get(row.key);
        if (!document) {
          document = new TextDocument({ plain: row.role === "user" || row.role === "system" });
          documents.set(row.key, document);
        }
        document.follow(row.text, !row.streaming);
        if (document.isBehind) behind.add(row.key);
        pieces = document.pieces.length;
      }
      for (let piece = 0; piece < pieces; piece++) {
        items.push({
          key: piece === 0 ? row.key : `${row.key}/${piece}`, row, piece, isLast: piece === pieces - 1, depth,
          after: piece > 0 ? "same" : previous,
        });
      }
      previous = row.kind === "message" ? row.role : row.kind;
      if (row.children?.length > 0 && depth < 4 && context.isOpen(row.key)) {
        itemsOf(row.children, depth + 1, "tool", items);
        previous = "nested";
      }
    }
    return items;
  }

  function stampOf({ row }) {
    return `${stamp} ${context.isOpen(row.key)} ${documents.get(row.key)?.version ?? 0}`;
  }

  function estimate({ row, piece, isLast }) {
    switch (row.kind) {
      case "message": {
        const length = isLast ? row.text.length % pieceText || 400 : pieceText;
        const columns = Math.max(30, Math.min(width.peek() || 700, 740) / 7.4);
        return 34 + Math.ceil((piece > 0 || row.text.length > longText ? Math.min(length, pieceText) : row.text.length) / columns) * 24;
      }
      case "thinking": return 32;
      case "tool": return row.diffs.length > 0 ? 320 : row.toolKind === "execute" && row.result ? 150 : 42;
      case "plan": return 50 + row.entries.length * 26;
      case "error": return 110;
      case "turn": return 40;
      default: return 32;
    }
  }

  // MARK: Bringing it up to date

  function schedule() {
    if (!frame && !isDisposed) frame = requestAnimationFrame(() => {
      frame = 0;
      sync();
    });
  }

  function sync() {
    if (isDisposed) return;
    readOn();
    if (structure !== transcript.structure) {
      structure = transcript.structure;
      isStale = true;
    }
    // A text that streams may have come to its next piece.
    for (const row of transcript.rows.slice(-12)) {
      if (!row.streaming || row.kind !== "message") continue;
      const known = documents.get(row.key);
      const pieces = known?.pieces.length ?? 1;
      if ((known || row.text.length > longText) && documentOf(row).pieces.length !== pieces) isStale = true;
    }
    if (isStale) {
      isStale = false;
      list.setItems(itemsOf(transcript.rows, 0, "none", []));
    }
    feed.setAttribute("aria-busy", String(transcript.loading));
    drawOlder();
    drawEmpty();
    list.render();
    forget();
    if (goal !== null) scrollToSeq(goal);
    find.refresh();
  }

  function listChanged() {
    const [from] = list.range;
    if (from < 20 && list.items.length > 0 && scroller.scrollTop < 2500) transcript.wantOlder();
    if (list.isFollowing) seen = transcript.rows.length;
    const isAway = !list.isFollowing && !list.isAtEnd;
    const state = !isAway ? "" : transcript.rows.length > seen ? t("conversation.newBelow") : t("conversation.toEnd");
    if (newer.dataset.state !== state) {
      newer.dataset.state = state;
      newer.hidden = !isAway;
      newer.classList.toggle("fresh", transcript.rows.length > seen);
      newer.lastChild.textContent = state;
    }
    if (find.isOpen) find.refresh();
  }

  function drawOlder() {
    const error = store.transcriptError(sessionId).peek();
    const isLoading = transcript.loading;
    const text = error ? "" : isLoading ? t("conversation.loading") : "";
    const state = `${error?.code ?? ""} ${text}`;
    if (older.dataset.state === state) return;
    older.dataset.state = state;
    replace(older,
      error ? h("div", { class: "older-error" }, oneLine(error.message, 300), h("button", { type: "button", class: "button small", on: { click: () => store.transcripts.reload(sessionId) } }, t("conversation.action.retry"))) : null,
      text ? [h("span", { class: "spinner" }), h("span", null, text)] : null);
  }

  function drawEmpty() {
    const isEmpty = transcript.rows.length === 0 && !transcript.loading && !transcript.hasOlder && transcript.count > 0;
    if (empty.hidden === !isEmpty) return;
    empty.hidden = !isEmpty;
    const record = store.session(sessionId).peek();
    replace(empty, isEmpty ? [
      h("h2", null, t("conversation.emptyTitle", { provider: context.providerName(record?.providerId) })),
      record?.workspace ? h("p", { class: "empty-place" }, icon("folder", { size: 14 }), h("bdi", null, oneLine(record.workspace, 300))) : null,
      h("p", { class: "muted" }, t("conversation.emptyText")),
    ] : null);
  }

  // MARK: What happens at the moment

  let ticking = 0;
  const drawActivity = () => {
    const record = store.session(sessionId).value;
    void transcript.changed.value;
    void locale.value;
    clearTimeout(ticking);
    const isRunning = record?.status === "running";
    const isWaiting = record?.status === "waiting";
    activity.hidden = !isRunning && !isWaiting;
    if (activity.hidden) return;
    const since = record.turn?.startedAt ? Date.now() - new Date(record.turn.startedAt) : 0;
    const doing = transcript.plan?.entries.find((entry) => entry.status === "in_progress");
    const done = transcript.plan?.entries.filter((entry) => entry.status === "completed").length ?? 0;
    const words = isWaiting ? t("conversation.waitingForYou") : t("conversation.working");
    const parts = [
      isWaiting ? icon("bell", { size: 14 }) : h("span", { class: "pulse", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
      h("span", { class: "activity-words" }, words),
      isRunning && since >= 2000 ? h("span", { class: "muted" }, formatDuration(Math.floor(since / 1000) * 1000)) : null,
      transcript.plan ? h("span", { class: "muted activity-step", dir: "auto" }, `${done}/${transcript.plan.entries.length}${doing ? ` \u00b7 ${oneLine(doing.content, 120)}` : ""}`) : null,
    ];
    const state = parts.map((part) => part?.textContent ?? "").join("|");
    if (activity.dataset.state !== state) {
      activity.dataset.state = state;
      activity.classList.toggle("waiting", isWaiting);
      replace(activity, parts);
      if (list.isFollowing) list.schedule();
    }
    if (isRunning) ticking = setTimeout(drawActivity, 1000 - (since % 1000) + 10);
  };

  let spokenStatus = null;
  const stops = [
    effect(() => {
      void transcript.changed.value;
      schedule();
    }),
    effect(() => {
      void locale.value;
      void store.providers.value;
      void store.pending.value;
      void store.session(sessionId).value?.providerIds?.length;
      void store.transcriptError(sessionId).value;
      stamp++;
      schedule();
    }),
    effect(drawActivity),
    effect(() => {
      // For who listens: that it works, waits, is done; not every word as it comes.
      const status = store.session(sessionId).value?.status;
      if (spokenStatus !== null && status !== spokenStatus) {
        spoken.textContent = { running: t("conversation.working"), waiting: t("conversation.waitingForYou"), idle: t("conversation.answered"), failed: t("conversation.failed") }[status] ?? "";
      }
      spokenStatus = status ?? null;
    }),
  ];
  const measured = new ResizeObserver(() => {
    width.value = scroller.clientWidth;
    schedule();
  });
  measured.observe(scroller);

  // MARK: Going somewhere

  function allRows() {
    const all = [];
    const collect = (rows) => {
      for (const row of rows) {
        all.push(row);
        if (row.children?.length > 0) collect(row.children);
      }
    };
    collect(transcript.rows);
    return all;
  }

  /** Unfolds what the row is in, and shows it. */
  function showRow(row, word = "") {
    const unfold = (rows) => rows.some((each) => {
      if (each === row) return true;
      if (!each.children?.length || !unfold(each.children)) return false;
      openKeys.set(each.key, true);
      return true;
    });
    unfold(transcript.rows);
    // What was looked for may be in what is folded.
    if (word !== "" && ["thinking", "tool", "message"].includes(row.kind)) openKeys.set(row.key, true);
    isStale = true;
    sync();
    let piece = 0;
    const document = documents.get(row.key);
    if (word !== "" && document) {
      piece = Math.max(0, document.pieces.findIndex(({ segments }) => segments.some(({ lines }) => lines.join("\n").toLowerCase().includes(word))));
    }
    const key = piece === 0 ? row.key : `${row.key}/${piece}`;
    const index = list.items.findIndex((item) => item.key === key);
    if (index < 0) return;
    list.toIndex(index);
    const shown = list.views.get(key)?.element;
    if (!shown) return;
    for (const other of feed.querySelectorAll(".found")) other.classList.remove("found");
    shown.classList.add("found");
    setTimeout(() => shown.classList.remove("found"), 2500);
    return shown;
  }

  /** Shows the first place of a word in a row, and returns it. */
  function showMatch(row, word) {
    const shown = showRow(row, word);
    const [range] = shown ? rangesOf(shown, word, 1) : [];
    if (!range) return null;
    const view = scroller.getBoundingClientRect();
    const place = range.getBoundingClientRect();
    if (place.top < view.top || place.bottom > view.bottom) scroller.scrollTop += place.top - view.top - view.height / 3;
    return range;
  }

  async function scrollToSeq(seq) {
    goal = null;
    if (transcript.firstSeq === 0 || (seq < transcript.firstSeq && transcript.hasOlder)) {
      await store.loadUntil(sessionId, seq);
      if (isDisposed) return;
      if (transcript.firstSeq === 0) {
        goal = seq; // it is still on its way
        return;
      }
    }
    const row = allRows().findLast((each) => each.seq !== null && each.seq <= seq) ?? transcript.rows[0];
    if (row) showRow(row)?.focus({ preventScroll: true });
  }

  /** Where a request is answered. */
  function showRequest(requestId) {
    const panel = document.querySelector(`[data-request="${CSS.escape(requestId)}"]`) ?? document.querySelector(".slot-requests");
    panel?.scrollIntoView({ block: "nearest" });
    panel?.querySelector("button, input, textarea, [tabindex='0']")?.focus();
  }

  function step(by) {
    const rows = transcript.rows;
    const first = list.items[list.firstVisible]?.row;
    let at = rows.indexOf(first);
    for (at += by; at >= 0 && at < rows.length; at += by) {
      if (rows[at].kind === "message" && rows[at].role === "user") {
        list.toIndex(list.items.findIndex((item) => item.key === rows[at].key), 12);
        return;
      }
    }
    if (by > 0) list.toEnd();
    else transcript.wantOlder();
  }

  async function fork(row) {
    const isMine = row.kind === "message" && row.role === "user";
    try {
      const record = await connection.api("POST", `/sessions/${encodeURIComponent(sessionId)}/fork`, { atSeq: isMine ? Math.max(1, row.seq - 1) : row.seq });
      store.take(record);
      // What was said there is at hand, to be said otherwise.
      if (isMine) await connection.api("PUT", `/sessions/${encodeURIComponent(record.id)}/draft`, { text: textOf(row) }).catch(() => {});
      navigate(sessionHref(record.id));
    } catch (error) {
      toast(oneLine(error.message, 300), { kind: "danger" });
    }
  }

  // MARK: Keys

  const stopKeys = bindKeys(document, {
    "Mod+F": () => {
      // Pressed again, it is the browser's.
      if (find.isOpen && find.element.contains(document.activeElement)) return false;
      find.open();
    },
    "Alt+PageUp": () => step(-1),
    "Alt+PageDown": () => step(1),
  });
  element.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target !== element && event.target !== scroller && !event.target.matches("article")) return;
    const page = scroller.clientHeight * 0.9;
    if (event.key === "End") list.toEnd();
    else if (event.key === "Home") list.toIndex(0, 40);
    else if (event.target === element && event.key === "PageUp") scroller.scrollBy(0, -page);
    else if (event.target === element && event.key === "PageDown") scroller.scrollBy(0, page);
    else return;
    event.preventDefault();
  });

  schedule();
  return {
    element,
    scrollToSeq,
    focus: () => scroller.focus({ preventScroll: true }),
    dispose() {
      isDisposed = true;
      cancelAnimationFrame(frame);
      clearTimeout(ticking);
      for (const stop of stops) stop();
      stopKeys();
      measured.disconnect();
      list.dispose();
      find.close();
    },
  };
}
