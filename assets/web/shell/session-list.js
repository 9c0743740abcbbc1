// The list of sessions: one listbox of which only the rows in sight exist, however many there are. What acts on a row (its menu, the
// field for its new title) lies over the row instead of in it: options of a listbox have no controls inside.

import { h, reconcile, replace } from "../core/dom.js";
import { locale, t } from "../core/i18n.js";
import { bindKeys, isMac } from "../core/keys.js";
import { navigate, sessionHref } from "../core/route.js";
import { effect, frameEffect, signal, untracked } from "../core/signal.js";
import { store } from "../core/store.js";
import { visible } from "../core/text.js";
import { icon } from "../ui/icons.js";
import { openMenu } from "../ui/menu.js";
import { remove, rename, sessionItems, setArchived, tagsDialog } from "./actions.js";
import { filter, hasMore, hits, loadMore, moreHits, rows, words } from "./session-query.js";
import { fillHit, fillSession } from "./session-row.js";
import { titleOf } from "./session-state.js";
import { unread } from "./unread.js";

const heights = { group: 30, session: 54, hit: 68 };
/** Rows drawn beyond the edges. */
const overscan = 6;

/** @param onOpen is called when a session was chosen: a drawer closes then. */
export function sessionList({ onOpen } = {}) {
  const list = h("div", { class: "session-rows", role: "listbox", tabIndex: 0, id: "sessions" });
  const more = h("button", { type: "button", class: "icon-button small row-more", hidden: true, on: { click: () => openRowMenu() } }, icon("more"));
  const note = h("div", { class: "list-note" });
  const viewport = h("div", { class: "session-viewport" }, list, more);
  const element = h("div", { class: "session-list" }, viewport, note);

  let current = [];
  let tops = [];
  /** Where each row is, for the rows that were drawn last. */
  const places = { rows: null, map: new Map() };
  /** Key of the row that arrows and the menu act on. */
  let active = null;
  let hovered = null;
  let renaming = null;
  const clock = signal(0);
  const timer = setInterval(() => { clock.value += 1; }, 30_000);
  const size = signal(0);

  /** A session that is gone to is scrolled into sight, once. */
  let wanted = null;
  const stopFollowing = effect(() => {
    wanted = store.selected.value;
    if (wanted) active = wanted;
  });

  // The list changes with every event of every session: it is drawn at most once a frame.
  const stop = frameEffect(() => {
    void clock.value;
    void size.value;
    void unread.value;
    void store.pending.value;
    void store.route.value;
    void locale.value;
    void store.providers.value;
    void store.isReady.value;
    void hits.value;
    current = rows.value;
    list.setAttribute("aria-label", t("shell.sessions"));
    untracked(render);
  });

  function render() {
    tops = new Array(current.length + 1);
    let top = 0;
    for (let index = 0; index < current.length; index += 1) {
      tops[index] = top;
      top += heights[current[index].type];
    }
    tops[current.length] = top;
    list.style.setProperty("height", `${top}px`);
    if (wanted) {
      const index = indexOf(wanted);
      if (index >= 0) {
        wanted = null;
        show(index);
      }
    }
    drawRows();
    renderNote();
    if (viewport.scrollTop + viewport.clientHeight > top - 600) wantMore();
  }

  function drawRows() {
    const from = Math.max(0, find(viewport.scrollTop) - overscan);
    const to = Math.min(current.length, find(viewport.scrollTop + viewport.clientHeight) + 1 + overscan);
    const shown = current.slice(from, to);
    // The active row exists even out of sight: it is what a screen reader is on.
    const activeIndex = active === null ? -1 : indexOf(active);
    if (activeIndex >= 0 && (activeIndex < from || activeIndex >= to)) shown.push(current[activeIndex]);
    untracked(() => reconcile(list, shown, (row) => row.key, create, update));
    for (const child of list.children) {
      const index = indexOf(child.dataset.key);
      child.style.setProperty("transform", `translateY(${tops[index]}px)`);
      if (child.getAttribute("role") === "option") {
        child.setAttribute("aria-posinset", String(index + 1));
        child.setAttribute("aria-setsize", hasMore() ? "-1" : String(current.length));
      }
    }
    if (activeIndex >= 0) list.setAttribute("aria-activedescendant", rowId(active));
    else list.removeAttribute("aria-activedescendant");
    placeMore();
  }

  // Functions, not constants: the first drawing comes before this line is reached.
  function rowId(key) {
    return `row-${key.replace(/[^\w]/g, "_")}`;
  }

  function indexOf(key) {
    if (places.rows !== current) {
      places.rows = current;
      places.map = new Map(current.map((row, index) => [row.key, index]));
    }
    return places.map.get(key) ?? -1;
  }

  /** The index of the row at a height. */
  function find(y) {
    let low = 0;
    let high = current.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (tops[middle + 1] <= y) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // MARK: Rows

  function create(row) {
    const element = row.type === "group"
      ? h("div", { class: `row-group group-${row.name}`, role: "presentation" })
      : h("div", { class: `row row-${row.type}`, role: "option", id: rowId(row.key) });
    element.dataset.key = row.key;
    element.style.setProperty("height", `${heights[row.type]}px`);
    update(element, row);
    return element;
  }

  function update(element, row) {
    if (row.type === "group") {
      replace(element, h("span", null, row.label), row.count ? h("span", { class: "count" }, row.count) : null);
      return;
    }
    const id = row.type === "session" ? row.record.id : row.hit.sessionId;
    const isSelected = store.selected.peek() === id && (row.type === "session" || store.route.peek().seq === row.hit.seq);
    element.setAttribute("aria-selected", String(isSelected));
    element.classList.toggle("active", row.key === active);
    element.classList.toggle("hovered", row.key === hovered);
    if (row.type === "hit") fillHit(element, row.hit);
    else fillSession(element, row.record, clock.peek());
  }

  function renderNote() {
    const query = words.peek().trim();
    const { isLoading, error, indexing, timedOut } = hits.peek();
    const lines = [];
    if (error) lines.push(error.code === "search_unavailable" ? t("shell.search.unavailable") : visible(error.message));
    else if (indexing) lines.push(t("shell.search.indexing", indexing));
    else if (timedOut) lines.push(t("shell.search.timedOut"));
    if (current.length === 0 && store.isReady.peek() && !isLoading) {
      if (query) lines.push(t("shell.search.nothing", { query: visible(query, 60) }));
      else if (filter.peek() !== "all") lines.push(t(`shell.empty.${filter.peek()}`));
      else lines.push(t("shell.empty.all"));
    } else if (current.length === 0 && isLoading) lines.push(t("shell.search.looking"));
    const text = lines.join("\n");
    if (note.textContent !== text) note.textContent = text;
    note.hidden = text === "";
  }

  function wantMore() {
    if (!store.isReady.peek()) return;
    if (hasMore()) loadMore();
    moreHits();
  }

  // MARK: What one does

  function show(index) {
    const top = tops[index] - (index > 0 && current[index - 1]?.type === "group" ? heights.group : 0);
    const bottom = tops[index + 1];
    if (top < viewport.scrollTop) viewport.scrollTop = top;
    else if (bottom > viewport.scrollTop + viewport.clientHeight) viewport.scrollTop = bottom - viewport.clientHeight;
  }

  function activate(index) {
    if (index < 0 || index >= current.length) return;
    active = current[index].key;
    show(index);
    drawRows();
  }

  function step(by) {
    let index = active === null ? -1 : indexOf(active);
    if (index < 0) index = by > 0 ? -1 : current.length;
    do index += by > 0 ? 1 : -1;
    while (current[index]?.type === "group");
    // Several rows at once: as far as there are any.
    for (let rest = Math.abs(by) - 1; rest > 0 && current[index]; rest -= 1) {
      const next = index + Math.sign(by);
      if (!current[next]) break;
      index = next;
    }
    if (current[index]?.type === "group") index += Math.sign(by);
    activate(index);
  }

  function open(row) {
    if (!row || row.type === "group") return;
    active = row.key;
    if (row.type === "hit") navigate(sessionHref(row.hit.sessionId, row.hit.seq));
    else navigate(sessionHref(row.record.id));
    onOpen?.(row);
  }

  const activeRow = () => (active === null ? null : current[indexOf(active)] ?? null);
  const activeRecord = () => {
    const row = activeRow();
    return row?.type === "session" ? row.record : null;
  };

  function placeMore() {
    const key = hovered ?? (element.matches(":focus-within") ? active : null);
    const index = key === null ? -1 : indexOf(key);
    const row = current[index];
    more.hidden = row?.type !== "session" || renaming !== null;
    if (more.hidden) return;
    more.dataset.key = key;
    more.setAttribute("aria-label", t("shell.actionsOf", { title: titleOf(row.record) }));
    more.style.setProperty("transform", `translateY(${tops[index] + 4}px)`);
  }

  function openRowMenu(point) {
    const row = current[indexOf(more.dataset.key ?? active)];
    if (row?.type !== "session") return;
    active = row.key;
    drawRows();
    openMenu(point ?? more, sessionItems(row.record, { onRename: startRename }), { label: t("shell.actionsOf", { title: titleOf(row.record) }) });
  }

  /** The title becomes a field that lies over the row. */
  function startRename(record) {
    const index = indexOf(record.id);
    if (index < 0) return;
    endRename();
    activate(index);
    const input = h("input", { class: "input row-rename", type: "text", value: record.title ?? "", maxLength: 200, "aria-label": t("shell.title") });
    input.style.setProperty("transform", `translateY(${tops[index] + 3}px)`);
    const finish = (isMeant) => {
      if (renaming !== input) return;
      endRename();
      if (isMeant) rename(record, input.value);
      list.focus();
    };
    input.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter") finish(true);
      else if (event.key === "Escape") finish(false);
      else {
        event.stopPropagation();
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    });
    input.addEventListener("blur", () => finish(true));
    renaming = input;
    viewport.append(input);
    input.focus();
    input.select();
    placeMore();
  }

  function endRename() {
    const input = renaming;
    renaming = null;
    input?.remove();
    placeMore();
  }

  const rowAt = (event) => {
    const child = event.target.closest?.("[data-key]");
    return child && list.contains(child) ? current[indexOf(child.dataset.key)] : null;
  };

  list.addEventListener("click", (event) => {
    const row = rowAt(event);
    if (!row || row.type === "group") return;
    if (event.metaKey || event.ctrlKey || event.button === 1) {
      globalThis.open(`/${row.type === "hit" ? sessionHref(row.hit.sessionId, row.hit.seq) : sessionHref(row.record.id)}`, "_blank", "noopener");
      return;
    }
    open(row);
  });
  list.addEventListener("dblclick", (event) => {
    const row = rowAt(event);
    if (row?.type === "session") startRename(row.record);
  });
  list.addEventListener("contextmenu", (event) => {
    const row = event.button === 2 ? rowAt(event) : activeRow();
    if (row?.type !== "session") return;
    event.preventDefault();
    active = row.key;
    more.dataset.key = row.key;
    openRowMenu(event.button === 2 && event.clientX ? { x: event.clientX, y: event.clientY } : undefined);
  });
  viewport.addEventListener("pointermove", (event) => {
    if (more.contains(event.target)) return;
    const key = rowAt(event)?.key ?? null;
    if (key === hovered) return;
    hovered = key;
    for (const child of list.children) child.classList.toggle("hovered", child.dataset.key === key);
    placeMore();
  });
  viewport.addEventListener("pointerleave", () => {
    hovered = null;
    for (const child of list.children) child.classList.remove("hovered");
    placeMore();
  });
  viewport.addEventListener("scroll", () => {
    drawRows();
    if (viewport.scrollTop + viewport.clientHeight > tops[current.length] - 600) wantMore();
  }, { passive: true });
  list.addEventListener("focus", () => {
    if (activeRow() === null) step(1);
    else drawRows();
  });
  element.addEventListener("focusout", () => requestAnimationFrame(placeMore));
  new ResizeObserver(() => { size.value += 1; }).observe(viewport);

  const withRecord = (run) => () => {
    const record = activeRecord();
    if (!record) return false;
    run(record);
    return true;
  };
  bindKeys(list, {
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    PageDown: () => step(Math.max(1, Math.floor(viewport.clientHeight / heights.session) - 1)),
    PageUp: () => step(-Math.max(1, Math.floor(viewport.clientHeight / heights.session) - 1)),
    Home: () => { active = null; step(1); },
    End: () => { active = null; step(-1); },
    Enter: () => open(activeRow()),
    " ": () => open(activeRow()),
    F2: withRecord(startRename),
    Delete: withRecord(remove),
    // The key that is called delete there.
    ...(isMac ? { Backspace: withRecord(remove) } : {}),
    E: withRecord((record) => setArchived(record, !record.archived)),
    T: withRecord(tagsDialog),
    "Shift+F10": withRecord((record) => { more.dataset.key = record.id; openRowMenu(); }),
    ContextMenu: withRecord((record) => { more.dataset.key = record.id; openRowMenu(); }),
  });

  return {
    element,
    focus: () => list.focus(),
    /** Goes to the row so many further on, as with the arrows, and opens it. */
    openNext(by) {
      if (store.selected.peek()) active = store.selected.peek();
      step(by);
      open(activeRow());
    },
    startRename,
    dispose() {
      stop();
      stopFollowing();
      clearInterval(timer);
    },
  };
}
