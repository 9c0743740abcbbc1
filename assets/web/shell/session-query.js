// Which sessions the list shows: the filter, the words one typed, and where the pages of those not known yet come from.

import { connection } from "../core/connection.js";
import { t } from "../core/i18n.js";
import { computed, effect, signal, untracked } from "../core/signal.js";
import { store } from "../core/store.js";
import { matchesWords } from "../core/text.js";
import { stateOf } from "./session-state.js";

/** What was typed into the search field. */
export const words = signal("");
/** all, waiting, running, failed, archived. */
export const filter = signal("all");
/** A tag or a provider that sessions must have, or null. */
export const onlyTag = signal(null);
export const onlyProvider = signal(null);

/** Answers of the full-text search: `{results, next, isLoading, error, indexing, timedOut}`. */
export const hits = signal({ results: [], isLoading: false });

const page = 100;
const typingPause = 180;
const indexingPause = 1500;

/** Where the pages of a filter stand, by its query. */
const feeds = new Map();

function queryOf() {
  const query = new URLSearchParams();
  if (words.peek().trim()) query.set("q", words.peek().trim());
  if (filter.peek() === "archived") query.set("archived", "true");
  else if (filter.peek() !== "all") query.set("status", filter.peek());
  return query;
}

/** Whether there is more to load for what is shown now. */
export function hasMore() {
  const query = queryOf().toString();
  if (query === "") return store.hasMoreSessions.peek();
  return !feeds.get(query)?.isDone;
}

/** Loads the next page of what is shown now. Their records go to the store, where the list finds them. */
export async function loadMore() {
  const query = queryOf();
  const key = query.toString();
  if (key === "") return store.loadMore();
  const feed = feeds.get(key) ?? { after: null, isDone: false, isLoading: false };
  feeds.set(key, feed);
  if (feed.isDone || feed.isLoading) return;
  feed.isLoading = true;
  query.set("limit", String(page));
  if (feed.after) query.set("after", feed.after);
  try {
    const answer = await connection.api("GET", `/sessions?${query}`);
    for (const record of answer.sessions) if (!store.sessions.peek().has(record.id)) store.take(record);
    feed.after = answer.next ?? null;
    feed.isDone = !feed.after;
  } catch (error) {
    // What is known is shown; a wrong query isn't asked again.
    if (error.status === 400) feed.isDone = true;
  } finally {
    feed.isLoading = false;
  }
}

/** Whether the list shows a session. */
function isShown(record, state, query) {
  if (filter.value === "archived" ? !record.archived : record.archived && query === "" && state === "archived") return false;
  if (filter.value === "waiting" && state !== "waiting") return false;
  if (filter.value === "running" && !["running", "queued"].includes(state)) return false;
  if (filter.value === "failed" && !["failed", "parked", "held"].includes(state)) return false;
  if (onlyTag.value && !record.tags?.includes(onlyTag.value)) return false;
  if (onlyProvider.value && !record.providerIds?.includes(onlyProvider.value)) return false;
  return query === "" || matchesWords(searchable(record), query);
}

/** What the words are looked for in, by record: a record that changes is a new one. */
const texts = new WeakMap();

function searchable(record) {
  let text = texts.get(record);
  if (text === undefined) {
    text = `${record.title ?? ""} ${record.workspace} ${(record.tags ?? []).join(" ")} ${record.providerId} ${record.id}`.toLowerCase();
    texts.set(record, text);
  }
  return text;
}

const live = ["waiting", "running", "queued", "parked"];

/** The rows of the list: `{type: group|session|hit|more, ...}`. What waits for the person comes first. */
export const rows = computed(() => {
  const query = words.value.trim();
  const groups = new Map(["waiting", "running", "parked", "today", "yesterday", "week", "month", "older"].map((name) => [name, []]));
  const now = new Date();
  // Times in one form compare as text.
  const daysAgo = (days) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - days).toISOString();
  const ages = [["today", daysAgo(0)], ["yesterday", daysAgo(1)], ["week", daysAgo(7)], ["month", daysAgo(30)], ["older", ""]];
  const sessions = store.sessions.value;
  for (const id of store.order.value) {
    const record = sessions.get(id);
    const state = stateOf(record);
    if (!isShown(record, state, query)) continue;
    if (live.includes(state)) groups.get(state === "queued" ? "running" : state).push(record);
    else groups.get(ages.find(([, since]) => record.updatedAt >= since)[0]).push(record);
  }
  const result = [];
  for (const [name, records] of groups) {
    if (!records.length) continue;
    result.push({ type: "group", key: `group ${name}`, name, label: t(`shell.group.${name}`), count: live.includes(name) ? records.length : null });
    // What works moves about with each thing it says; by the time of its making it stays where it is.
    if (live.includes(name)) records.sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
    for (const record of records) result.push({ type: "session", key: record.id, record });
  }
  if (query !== "") {
    const { results } = hits.value;
    if (results.length) {
      result.push({ type: "group", key: "group hits", name: "hits", label: t("shell.group.hits"), count: null });
      for (const hit of results) result.push({ type: "hit", key: `${hit.sessionId}/${hit.seq}`, hit });
    }
  }
  return result;
});

// MARK: Full text

let asked = 0;

async function search(query, after) {
  const number = ++asked;
  hits.value = { ...(after || hits.peek().indexing ? hits.peek() : { results: [] }), isLoading: true, error: null };
  try {
    const answer = await connection.send("search", { q: query, limit: 30, ...(after ? { after } : {}) });
    if (number !== asked) return;
    const before = after ? hits.peek().results : [];
    hits.value = {
      results: [...before, ...answer.results.filter((hit) => hit.kind !== "title")], next: answer.next ?? null, isLoading: false,
      indexing: answer.indexing ?? null, timedOut: answer.timedOut ?? false, error: null,
    };
    // What is being read meanwhile is found a moment later.
    if (answer.indexing && !after) setTimeout(() => { if (number === asked) search(query); }, indexingPause);
  } catch (error) {
    if (number === asked) hits.value = { results: [], isLoading: false, error };
  }
}

export function moreHits() {
  const { next, isLoading } = hits.peek();
  if (next && !isLoading) search(words.peek().trim(), next);
}

/** Looks for what is typed, after a pause in the typing. */
export function watchQuery() {
  let timer = null;
  effect(() => {
    const query = words.value.trim();
    void filter.value;
    clearTimeout(timer);
    untracked(() => {
      asked += 1;
      if (query.length < 2) {
        hits.value = { results: [], isLoading: false };
        if (filter.peek() !== "all") loadMore();
        return;
      }
      hits.value = { results: [], isLoading: true };
      timer = setTimeout(() => {
        loadMore();
        search(query);
      }, typingPause);
    });
  });
}
