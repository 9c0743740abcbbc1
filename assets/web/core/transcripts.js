// The transcripts that are loaded: each gets the newest page of its session's log, then every live event once and in order.

import { Transcript } from "../conversation/transcript.js";
import { connection } from "./connection.js";
import { recordOf } from "./records.js";
import { signal } from "./signal.js";

/** Events of the first page, and of the pages that are loaded to get to an event far up. */
const pageEvents = 200;
const longPageEvents = 1000;
/** Transcripts that stay loaded. */
const shelfSize = 20;
/** UTF-16 units kept of an item that streams in a session that nobody looks at. */
const streamingLimit = 1 << 20;
const encoder = new TextEncoder();

/** One session's transcript and how far it is. */
class Entry {
  /** idle: nothing was asked yet; loading; live; failed. */
  phase = "idle";
  /** Live events that came while the page was on its way. */
  buffer = [];
  error = signal(null);
  older = null;
  /** The event that did not follow and for which the history was read anew. */
  mended = 0;

  constructor(sessionId, transcript) {
    this.sessionId = sessionId;
    this.transcript = transcript;
  }
}

export class TranscriptShelf {
  #store;
  /** By session, the least recently used first. */
  #entries = new Map();
  /** What streams and is not in the log yet, by session and item: one that opens a session sees what was said before. */
  #streaming = new Map();
  /** After a reconnect, until the replay has met live: an event that does not follow its cursor is still to come. */
  #isSyncing = true;

  constructor(store) {
    this.#store = store;
  }

  get(id) {
    let entry = this.#entries.get(id);
    if (entry) {
      this.#entries.delete(id);
      this.#entries.set(id, entry);
    } else {
      entry = new Entry(id, new Transcript(id));
      entry.transcript.olderWanted?.(() => this.loadOlder(id));
      this.#entries.set(id, entry);
      this.#makeRoom();
    }
    if (entry.phase === "idle" || entry.phase === "failed") this.#load(entry);
    return entry.transcript;
  }

  error(id) {
    return this.#entries.get(id)?.error ?? signal(null);
  }

  /** Where each loaded transcript is, for the hello. */
  cursors() {
    const cursors = {};
    for (const [id, { phase, transcript }] of this.#entries) if (phase === "live") cursors[id] = transcript.lastSeq;
    return cursors;
  }

  drop(id) {
    this.#entries.delete(id);
    this.#streaming.delete(id);
  }

  #makeRoom() {
    const shown = this.#store.selected.peek();
    for (const id of this.#entries.keys()) {
      if (this.#entries.size <= shelfSize) return;
      if (id !== shown) this.#entries.delete(id);
    }
  }

  // MARK: Loading

  async #load(entry) {
    if (!connection.isOpen || entry.phase === "loading") return;
    entry.phase = "loading";
    entry.transcript.loading = true;
    entry.error.value = null;
    try {
      const page = await connection.send("session:history", { sessionId: entry.sessionId, limit: pageEvents });
      if (this.#entries.get(entry.sessionId) !== entry) return;
      entry.transcript.loading = false;
      entry.transcript.reset(page.events, page.hasMore);
      entry.phase = "live";
      this.#stream(entry);
      const buffer = entry.buffer;
      entry.buffer = [];
      for (const record of buffer) this.#apply(entry, record);
    } catch (error) {
      entry.buffer = [];
      entry.transcript.loading = false;
      // Without a connection it is asked for again when there is one.
      entry.phase = error.code === "offline" ? "idle" : "failed";
      entry.error.value = error.code === "offline" ? null : error;
    }
  }

  /** What streams at the moment, from its beginning: the transcript takes what it hasn't. */
  #stream(entry) {
    for (const item of this.#streaming.get(entry.sessionId)?.values() ?? []) {
      if (item.text !== null) entry.transcript.chunk({ ...item.payload, content: item.text, offset: 0 });
    }
  }

  /** Reads a session's history anew. */
  reload(id) {
    const entry = this.#entries.get(id);
    if (!entry || entry.phase === "loading") return;
    entry.phase = "idle";
    this.#load(entry);
  }

  loadOlder(id, limit = pageEvents) {
    const entry = this.#entries.get(id);
    if (!entry || entry.phase !== "live" || !entry.transcript.hasOlder) return Promise.resolve(false);
    entry.older ??= this.#loadOlder(entry, limit).finally(() => {
      entry.older = null;
    });
    return entry.older;
  }

  async #loadOlder(entry, limit) {
    const { transcript, sessionId } = entry;
    const before = transcript.firstSeq;
    transcript.loading = true;
    try {
      const page = await connection.send("session:history", { sessionId, beforeSeq: before, limit });
      if (this.#entries.get(sessionId) !== entry || transcript.firstSeq !== before) return false;
      transcript.loading = false;
      transcript.prepend(page.events, page.hasMore && page.events.length > 0);
      return page.events.length > 0;
    } catch {
      // The person scrolls again.
      return false;
    } finally {
      transcript.loading = false;
    }
  }

  async loadUntil(id, seq) {
    const entry = this.#entries.get(id);
    if (!entry) return false;
    for (let wait = 0; entry.phase !== "live" && wait < 100; wait += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    while (entry.phase === "live" && entry.transcript.firstSeq > seq && entry.transcript.hasOlder) {
      if (!await this.loadOlder(id, longPageEvents)) break;
    }
    return entry.phase === "live" && entry.transcript.firstSeq <= seq;
  }

  // MARK: What comes

  /** A new connection: what streams is told anew, and what was not loaded can be. */
  state(open) {
    this.#isSyncing = true;
    this.#streaming.clear();
    for (const item of open) this.chunk(item.sessionId, { ...item, offset: 0 });
  }

  /** The replay is over. */
  synced() {
    this.#isSyncing = false;
    for (const entry of this.#entries.values()) {
      if (entry.phase === "live") this.#stream(entry);
      else this.#load(entry);
    }
  }

  event(frame) {
    const record = recordOf(frame);
    if (!record) return;
    if (record.kind === "turn_completed") this.#streaming.delete(frame.sessionId);
    else if (record.itemId) this.#streaming.get(frame.sessionId)?.delete(record.itemId);
    const entry = this.#entries.get(frame.sessionId);
    if (!entry) return;
    if (entry.phase === "loading") entry.buffer.push(record);
    else if (entry.phase === "live") this.#apply(entry, record);
  }

  #apply(entry, record) {
    const { transcript } = entry;
    if (record.seq <= transcript.lastSeq) return;
    if (record.seq === transcript.lastSeq + 1) return transcript.apply(record);
    // It doesn't follow: a replay is on its way with it, or something went wrong that only the log can mend. Where not even
    // the log has what is missing, it goes on without.
    if (this.#isSyncing) return;
    if (entry.mended === record.seq) return transcript.apply(record);
    entry.mended = record.seq;
    this.reload(entry.sessionId);
    entry.buffer.push(record);
  }

  chunk(sessionId, payload) {
    let items = this.#streaming.get(sessionId);
    if (!items) this.#streaming.set(sessionId, items = new Map());
    const item = items.get(payload.itemId);
    if (!item) {
      const text = payload.offset === 0 ? payload.content : null;
      items.set(payload.itemId, { payload, text, bytes: payload.offset + encoder.encode(payload.content).length });
    } else if (item.text !== null && payload.offset === item.bytes) {
      item.text = item.text.length > streamingLimit ? null : item.text + payload.content;
      item.bytes += encoder.encode(payload.content).length;
    } else item.text = null;
    // While a replay is under way, what streams belongs behind events that are still to come.
    const entry = this.#entries.get(sessionId);
    if (entry?.phase === "live" && !this.#isSyncing) entry.transcript.chunk(payload);
  }
}
