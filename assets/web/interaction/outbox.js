// Messages on their way to the daemon. Each has a `clientMessageId`, so that sending it again is harmless: what could not
// be sent is kept, shown, and sent after the next connection, also when the page was loaded anew meanwhile.

import { connection } from "../core/connection.js";
import { t } from "../core/i18n.js";
import { effect, signal } from "../core/signal.js";
import { store } from "../core/store.js";
import { toast } from "../ui/toast.js";
import { errorText, newId } from "./operations.js";

/** Each message has an entry of its own in the browser's storage: two windows must not overwrite each other's. */
const prefix = "hub.outbox/";
/** Characters of one message that are kept there; the storage has about five million for all. */
const storedLength = 1_000_000;
/** After these the same message may be sent again later; nothing says that it was refused. */
const passing = new Set(["offline", "disconnected", "timeout", "shutting_down", "outcome_pending", "log_unavailable", "too_many_clients", "too_many_connections"]);

const outboxes = new Map();

/** The outbox of a session: `items` is a signal of
 * `[{clientMessageId, content, attachments, mode, providerId, state: sending|held|failed, error?}]` in their order. */
export function outbox(sessionId) {
  let found = outboxes.get(sessionId);
  if (!found) {
    found = new Outbox(sessionId);
    outboxes.set(sessionId, found);
  }
  return found;
}

class Outbox {
  #isSending = false;

  constructor(sessionId) {
    this.sessionId = sessionId;
    this.items = signal(stored().filter(([id]) => id === sessionId).map(([, item]) => item));
  }

  /** @param message `{content, attachments, mode, providerId?}` */
  post(message) {
    const item = { ...message, clientMessageId: newId(), since: Date.now(), state: isOpen() ? "sending" : "held" };
    keep(this.sessionId, item);
    this.items.value = [...this.items.peek(), item];
    this.flush();
  }

  /** Takes one out again and gives it back. One that is on its way may have arrived. */
  take(clientMessageId) {
    const item = this.items.peek().find((each) => each.clientMessageId === clientMessageId);
    this.items.value = this.items.peek().filter((each) => each !== item);
    forget(this.sessionId, clientMessageId);
    return item;
  }

  again(clientMessageId) {
    this.#change(clientMessageId, { state: "held", error: undefined });
    this.flush();
  }

  /** Sends what is held, one after the other: their order is the person's. */
  async flush() {
    if (this.#isSending) return;
    this.#isSending = true;
    try {
      for (;;) {
        const item = this.items.peek().find((each) => each.state !== "failed");
        if (!item || !isOpen()) break;
        this.#change(item.clientMessageId, { state: "sending" });
        if (!(await this.#send(item))) break;
      }
    } finally {
      this.#isSending = false;
      if (!isOpen()) this.#hold();
    }
  }

  async #send(item) {
    const { clientMessageId, content, attachments, mode, providerId } = item;
    const message = { clientMessageId, content, mode };
    if (attachments?.length) message.attachments = attachments;
    if (providerId) message.providerId = providerId;
    try {
      await deliver(this.sessionId, message);
      this.take(clientMessageId);
      return true;
    } catch (error) {
      if (passing.has(error?.code)) {
        this.#change(clientMessageId, { state: "held" });
        // Whoever is connected and still told to wait asks again by itself.
        setTimeout(() => this.flush(), 2000);
        return false;
      }
      this.#change(clientMessageId, { state: "failed", error: errorText(error) });
      if (error?.code === "session_not_found") offerCopy(item);
      return true;
    }
  }

  #hold() {
    const items = this.items.peek();
    if (items.some((each) => each.state === "sending")) {
      this.items.value = items.map((each) => (each.state === "sending" ? { ...each, state: "held" } : each));
    }
  }

  #change(clientMessageId, change) {
    this.items.value = this.items.peek().map((each) => (each.clientMessageId === clientMessageId ? { ...each, ...change } : each));
  }
}

/** By a frame, or by a request when it is too large for one. */
function deliver(sessionId, message) {
  const largest = store.settings.peek()?.stream?.maxMessageBytes ?? 1 << 20;
  // UTF-16 units to UTF-8 bytes: three at most each, and six where JSON escapes them; the frame around it takes a little.
  const size = message.content.length * 6 + (message.attachments ?? []).reduce((sum, each) => sum + attachmentBytes(each), 0);
  if (size + 4096 < largest) return connection.send("session:message", { sessionId, ...message });
  return connection.api("POST", `/sessions/${sessionId}/messages`, message);
}

function attachmentBytes(each) {
  return (each.data?.length ?? 0) + (each.text?.length ?? 0) * 6 + 512;
}

function isOpen() {
  return connection.state.peek().phase === "open";
}

function offerCopy(item) {
  toast(t("interaction.outbox.sessionGone"), {
    kind: "danger", timeout: 0,
    action: { label: t("interaction.copyText"), run: () => navigator.clipboard?.writeText(item.content) },
  });
}

/** The messages in the browser's storage, `[sessionId, item]`, the oldest first. */
function stored() {
  const found = [];
  try {
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(prefix)) continue;
      const item = JSON.parse(localStorage.getItem(key));
      const [sessionId, clientMessageId] = key.slice(prefix.length).split("/");
      if (typeof item?.content === "string") found.push([sessionId, { ...item, clientMessageId, state: "held" }]);
    }
  } catch {
    // Without storage (a private window, a full one) the messages are in memory only.
  }
  return found.sort((a, b) => a[1].since - b[1].since);
}

function keep(sessionId, { clientMessageId, state, error, ...item }) {
  try {
    const text = JSON.stringify(item);
    // Attachments that don't fit stay in memory; the words are kept in any case.
    localStorage.setItem(`${prefix}${sessionId}/${clientMessageId}`, text.length < storedLength ? text : JSON.stringify({ ...item, attachments: [] }));
  } catch {
    // As above.
  }
}

function forget(sessionId, clientMessageId) {
  try {
    localStorage.removeItem(`${prefix}${sessionId}/${clientMessageId}`);
  } catch {
    // As above.
  }
}

/** Sends what waits in all sessions whenever there is a connection. */
effect(() => {
  if (connection.state.value.phase !== "open") return;
  for (const [sessionId] of stored()) outbox(sessionId);
  for (const each of outboxes.values()) each.flush();
});
