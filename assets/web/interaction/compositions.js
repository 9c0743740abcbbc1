// What is being written in each session: its text, its attachments, and the draft that the daemon keeps, which follows
// the person from one client to the other. Outlives the composer, which is made anew for each session shown.

import { connection } from "../core/connection.js";
import { signal } from "../core/signal.js";
import { store } from "../core/store.js";

const prefix = "hub.draft.";
const delay = 400;
const all = new Map();
/** False when the daemon is too old to keep drafts. */
let isKept = true;

export function composition(sessionId) {
  let found = all.get(sessionId);
  if (!found) {
    found = new Composition(sessionId);
    all.set(sessionId, found);
  }
  return found;
}

class Composition {
  /** What the daemon is known to have. */
  #base = "";
  /** What is on its way to it. */
  #inFlight = null;
  #timer = null;

  constructor(sessionId) {
    this.sessionId = sessionId;
    this.text = signal(stored(sessionId));
    this.attachments = signal([]);
    /** Another client's text that differs from what was written here since: `{text, by}`, or null. */
    this.conflict = signal(null);
  }

  /** The person wrote. */
  edit(text) {
    if (text === this.text.peek()) return;
    this.text.value = text;
    keep(this.sessionId, text);
    this.#schedule();
  }

  /** Puts text and attachments back, such as those of a message taken back, before what is there. */
  restore(content, attachments = []) {
    const present = this.text.peek();
    this.edit(present.trim() && content.trim() ? `${content}\n\n${present}` : content || present);
    if (attachments.length) this.attachments.value = [...attachments, ...this.attachments.peek()];
  }

  /** What was written is sent: the draft is empty from now on. */
  clear() {
    this.text.value = "";
    this.attachments.value = [];
    this.conflict.value = null;
    keep(this.sessionId, "");
    this.flush();
  }

  /** The daemon's draft, as a record or a frame says: one of another client's, an echo of this one, or old news. */
  remote(text, by) {
    if (text === this.#base || text === this.#inFlight) return;
    const own = this.text.peek();
    if (text === own) {
      this.#settle(text);
    } else if (own === this.#base || own.trim() === "") {
      this.#settle(text);
      this.text.value = text;
    } else if (text === "") {
      // Sent or emptied elsewhere; what was written here since is a draft of its own.
      this.#settle("");
      this.#schedule();
    } else {
      this.#stopTimer();
      this.conflict.value = { text, by };
    }
  }

  /** @param choice `mine`, `theirs` or `both`. */
  resolve(choice) {
    const theirs = this.conflict.peek()?.text ?? "";
    this.#settle(theirs);
    if (choice === "theirs") this.text.value = theirs;
    else if (choice === "both") this.text.value = `${theirs}\n\n${this.text.peek()}`;
    if (choice !== "theirs") this.flush();
  }

  /** Sends the draft now. */
  flush() {
    this.#stopTimer();
    const text = this.text.peek();
    if (!isKept || this.conflict.peek() || text === this.#base) return keepIf(this.sessionId, text !== this.#base, text);
    this.#inFlight = text;
    saved(this.sessionId, text).then(
      () => {
        this.#base = text;
        // The others are told by a frame; the record here is to say the same, or its next change would look like news.
        const record = store.session(this.sessionId).peek();
        if (record) store.take({ ...record, draft: text ? { text, updatedAt: new Date().toISOString() } : null });
        keepIf(this.sessionId, this.text.peek() !== text, this.text.peek());
      },
      (error) => {
        if (error?.code === "unknown_type") isKept = false;
      }
    ).finally(() => {
      if (this.#inFlight === text) this.#inFlight = null;
    });
  }

  #settle(text) {
    this.#stopTimer();
    this.#base = text;
    this.conflict.value = null;
  }

  #schedule() {
    if (this.#timer === null) this.#timer = setTimeout(() => this.flush(), delay);
  }

  #stopTimer() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/** By a frame, or by a request when it is too large for one: the daemon ends a connection for a frame that is. */
function saved(sessionId, text) {
  // UTF-16 units to UTF-8 bytes, three at most each, and six where JSON escapes them.
  const isSmall = text.length * 6 + 4096 < (store.settings.peek()?.stream?.maxMessageBytes ?? 1 << 20);
  return isSmall ? connection.send("session:draft", { sessionId, text }) : connection.api("PUT", `/sessions/${sessionId}/draft`, { text });
}

// The browser's copy, for the time in which the daemon has none: without a connection, or with the page closed in between.

function stored(sessionId) {
  try {
    return localStorage.getItem(prefix + sessionId) ?? "";
  } catch {
    return "";
  }
}

function keep(sessionId, text) {
  keepIf(sessionId, text !== "", text);
}

function keepIf(sessionId, isWanted, text) {
  try {
    if (isWanted && text) localStorage.setItem(prefix + sessionId, text);
    else localStorage.removeItem(prefix + sessionId);
  } catch {
    // The daemon has it a moment later.
  }
}
