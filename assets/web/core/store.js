// What the client knows: sessions, providers, what waits for an answer, settings of the browser, where the person is; all of it
// as signals, fed by the connection.

import { connection } from "./connection.js";
import { preferences } from "./preferences.js";
import { route, selected } from "./route.js";
import { batch, computed, signal } from "./signal.js";
import { TranscriptShelf } from "./transcripts.js";

/** How many sessions a page of older ones has. */
const sessionsPage = 200;

/** A map whose readers are told of a change without its being copied: there may be ten thousand sessions. */
class LiveMap {
  #map = new Map();
  #version = signal(0);

  get value() {
    void this.#version.value;
    return this.#map;
  }

  peek() {
    return this.#map;
  }

  touch() {
    this.#version.value = this.#version.peek() + 1;
  }

  replaceAll(entries) {
    this.#map = new Map(entries);
    this.touch();
  }
}

class Store {
  /** `core` of `core:state`; null before the first. */
  core = signal(null);
  /** Records by id. The map is the same one all the time: never change it, read it by `value` to be told of changes. */
  sessions = new LiveMap();
  /** How many sessions the daemon has; those not in `sessions` come by `loadMore`. */
  sessionsTotal = signal(0);
  providers = signal(new Map());
  providerProblems = signal([]);
  settings = signal({});
  /** What waits for an answer: `{type: permission|question, sessionId, requestId, ...}` by `sessionId/requestId`. */
  pending = signal(new Map());
  /** Whether the state has come at least once. */
  isReady = computed(() => this.core.value !== null);
  /** Ids of the sessions that are known here, newest first. */
  order = computed(() => this.#sorted(this.sessions.value));
  /** Whether older sessions are still to be loaded, and whether that is under way. */
  hasMoreSessions = signal(false);
  isLoadingSessions = signal(false);
  preferences = preferences;
  route = route;
  selected = selected;
  transcripts = new TranscriptShelf(this);
  /** Ids of sessions that were deleted while this page was here. */
  deleted = new Set();
  #singles = new Map();
  #after = undefined;
  /** The records in their order, and the ids of those that have changed since: most changes concern one of thousands. */
  #inOrder = [];
  #moved = null;

  constructor() {
    connection.cursors = () => this.transcripts.cursors();
    connection.on("*", (frame) => batch(() => this.#received(frame)));
  }

  /** One record as a signal, null while there is none. */
  session(id) {
    let single = this.#singles.get(id);
    if (!single) {
      single = signal(this.sessions.peek().get(id) ?? null);
      this.#singles.set(id, single);
    }
    return single;
  }

  provider(id) {
    return this.providers.value.get(id) ?? null;
  }

  /** What waits for an answer in a session, the oldest first. */
  pendingOf(sessionId) {
    return [...this.pending.value.values()].filter((request) => request.sessionId === sessionId);
  }

  /** The transcript of a session, loaded on first use and live from then on. */
  transcript(id) {
    return this.transcripts.get(id);
  }

  /** Why the transcript of a session could not be loaded, or null: a signal of an error. */
  transcriptError(id) {
    return this.transcripts.error(id);
  }

  /** Loads the page before what is there. */
  loadOlder(id) {
    return this.transcripts.loadOlder(id);
  }

  /** Loads older pages until the event `seq` is there. */
  loadUntil(id, seq) {
    return this.transcripts.loadUntil(id, seq);
  }

  setPreference(name, value) {
    preferences.value = { ...preferences.peek(), [name]: value };
  }

  /** Takes in a record from an answer; the frame with the same may come later or has come. */
  take(record) {
    batch(() => this.#put(record));
    return record;
  }

  /** A session that is not among those known here, by HTTP. */
  async fetchSession(id) {
    const record = await connection.api("GET", `/sessions/${encodeURIComponent(id)}`);
    return this.take(record);
  }

  /** Loads a page of older sessions. */
  async loadMore() {
    if (this.isLoadingSessions.peek() || !this.hasMoreSessions.peek()) return;
    this.isLoadingSessions.value = true;
    try {
      const after = this.#after === undefined ? "" : `&after=${encodeURIComponent(this.#after)}`;
      const page = await connection.api("GET", `/sessions?archived=false&limit=${sessionsPage}${after}`);
      batch(() => {
        for (const record of page.sessions) if (!this.sessions.peek().has(record.id)) this.#put(record);
        this.#after = page.next;
        this.hasMoreSessions.value = page.next !== undefined && page.next !== null;
      });
    } finally {
      this.isLoadingSessions.value = false;
    }
  }

  #sorted(sessions) {
    const moved = this.#moved;
    this.#moved = new Set();
    if (moved === null) {
      this.#inOrder = [...sessions.values()].sort(newestFirst);
    } else if (moved.size > 0) {
      const news = [...moved].map((id) => sessions.get(id)).filter(Boolean).sort(newestFirst);
      const merged = [];
      let next = 0;
      for (const record of this.#inOrder) {
        if (moved.has(record.id)) continue;
        while (next < news.length && newestFirst(news[next], record) < 0) merged.push(news[next++]);
        merged.push(record);
      }
      this.#inOrder = merged.concat(news.slice(next));
    }
    return this.#inOrder.map((record) => record.id);
  }

  #put(record) {
    const { messages, ...rest } = record;
    // Where everybody is told of a change it is left out, which says nothing about it.
    if (rest.draft === undefined) rest.draft = this.sessions.peek().get(record.id)?.draft ?? null;
    this.sessions.peek().set(record.id, rest);
    this.deleted.delete(record.id);
    this.#moved?.add(record.id);
    this.sessions.touch();
    const single = this.#singles.get(record.id);
    if (single) single.value = rest;
  }

  #remove(id) {
    this.deleted.add(id);
    const isKnown = this.sessions.peek().delete(id);
    this.#moved?.add(id);
    this.sessions.touch();
    const single = this.#singles.get(id);
    if (single) single.value = null;
    this.transcripts.drop(id);
    this.#settle((request) => request.sessionId === id);
    if (isKnown) this.sessionsTotal.value = Math.max(0, this.sessionsTotal.peek() - 1);
  }

  #settle(isMeant) {
    const left = [...this.pending.peek()].filter(([, request]) => !isMeant(request));
    if (left.length !== this.pending.peek().size) this.pending.value = new Map(left);
  }

  #received(frame) {
    const payload = frame.payload ?? {};
    switch (frame.type) {
      case "core:state":
        return this.#state(payload);
      case "session:created":
        if (!this.sessions.peek().has(payload.id)) this.sessionsTotal.value = this.sessionsTotal.peek() + 1;
        return this.#put(payload);
      case "session:update":
        return this.#put(payload);
      case "session:deleted":
        return this.#remove(payload.id);
      case "session:draft": {
        const record = this.sessions.peek().get(frame.sessionId ?? payload.sessionId);
        const { text, updatedAt, by } = payload;
        if (record) this.#put({ ...record, draft: text ? { text, updatedAt, by } : null });
        return;
      }
      case "provider:update":
        this.providers.value = new Map(this.providers.peek()).set(payload.id, payload);
        return;
      case "provider:removed": {
        const providers = new Map(this.providers.peek());
        providers.delete(payload.id);
        this.providers.value = providers;
        return;
      }
      case "provider:progress": {
        const record = this.providers.peek().get(payload.providerId);
        if (!record) return;
        const { operation, operationId, phase, line, percent } = payload;
        const before = record.operation?.id === operationId ? record.operation : {};
        const next = { ...before, id: operationId, operation, phase, line, percent };
        this.providers.value = new Map(this.providers.peek()).set(record.id, { ...record, operation: next });
        return;
      }
      case "settings:update":
        this.settings.value = payload;
        return;
      case "stream:chunk":
        return this.transcripts.chunk(frame.sessionId, payload);
      case "sync:complete":
        return this.transcripts.synced();
      case "sync:resync":
        return this.transcripts.reload(payload.sessionId);
    }
    if (typeof frame.seq === "number") this.#event(frame);
  }

  #event(frame) {
    const { payload, sessionId } = frame;
    if (frame.type === "permission:requested" || frame.type === "question:requested") {
      const type = frame.type.split(":")[0];
      const key = `${sessionId}/${payload.requestId}`;
      this.pending.value = new Map(this.pending.peek()).set(key, { ...payload, type, sessionId });
    } else if (frame.type === "permission:resolved" || frame.type === "question:resolved") {
      this.#settle((request) => request.sessionId === sessionId && request.requestId === payload.requestId);
    }
    this.transcripts.event(frame);
  }

  #state(payload) {
    const isSame = this.core.peek()?.instanceId === payload.core.instanceId;
    this.core.value = payload.core;
    // Older ones that were loaded before stay; one that should be among the newest and isn't was deleted meanwhile.
    const shown = new Set(payload.sessions.map((record) => record.id));
    const isWhole = payload.sessionsOmitted === 0;
    const newest = payload.settings?.stream?.snapshotSessions ?? 100;
    const since = payload.sessions.length >= newest ? payload.sessions.map((record) => record.updatedAt).sort().at(-newest) : "";
    const kept = isWhole ? [] : [...this.sessions.peek()].filter(([id, record]) => !shown.has(id) && (record.archived || record.updatedAt < since));
    this.#moved = null;
    this.sessions.replaceAll(kept);
    for (const record of payload.sessions) this.#put(record);
    for (const [id, single] of this.#singles) if (!this.sessions.peek().has(id)) single.value = null;
    this.sessionsTotal.value = payload.sessionsTotal;
    if (!isSame || isWhole) this.#after = undefined;
    this.hasMoreSessions.value = !isWhole;
    this.providers.value = new Map(payload.providers.map((record) => [record.id, record]));
    this.providerProblems.value = payload.providerProblems ?? [];
    this.settings.value = payload.settings;
    this.pending.value = new Map(payload.pending.map((request) => [`${request.sessionId}/${request.requestId}`, request]));
    this.transcripts.state(payload.open ?? []);
  }
}

function newestFirst(a, b) {
  if (a.updatedAt !== b.updatedAt) return a.updatedAt < b.updatedAt ? 1 : -1;
  return a.id < b.id ? 1 : -1;
}

export const store = new Store();

/** For tests, and for looking at it in the browser's console. */
globalThis.codeaiHub = { store, connection };
