// What a session's agent offers to choose from: models, modes, efforts. Its provider's record says what is known at all; the
// agent itself, when it has started in the session, says more (`native_session`).

import { connection } from "../core/connection.js";
import { recordOf } from "../core/records.js";
import { signal } from "../core/signal.js";
import { store } from "../core/store.js";

/** By session: `signal({providerId: {seq, models, modes, efforts}})`. */
const offered = new Map();
/** What each provider's agent offered last in any session: a new session's agent hasn't started yet. */
const lastOffered = signal({});

function offeredIn(sessionId) {
  if (!offered.has(sessionId)) offered.set(sessionId, signal({}));
  return offered.get(sessionId);
}

/** Takes what an agent said when it started: the newest word stands. */
export function noteOffer(sessionId, record) {
  if (record?.kind !== "status" || record.data?.type !== "native_session") return;
  const { models, modes, efforts } = record.data;
  const known = offeredIn(sessionId);
  const before = known.peek()[record.providerId];
  if (before && before.seq > record.seq) return;
  const offer = { seq: record.seq, models, modes, efforts };
  known.value = { ...known.peek(), [record.providerId]: offer };
  lastOffered.value = { ...lastOffered.peek(), [record.providerId]: offer };
}

const asked = new Set();

/** Looks for what the agents said when they started, once: at the beginning of the log, and at its end after a switch. */
export async function learnOffers(sessionId) {
  if (asked.has(sessionId)) return;
  asked.add(sessionId);
  const look = async (query) => {
    const { events } = await connection.api("GET", `/sessions/${sessionId}/events?${query}`);
    for (const event of events) noteOffer(sessionId, event);
  };
  try {
    const record = store.session(sessionId).peek();
    if (!record || record.lastSeq < 2) return;
    await look("after=0&limit=60");
    if (record.lastSeq > 60 && !offeredIn(sessionId).peek()[record.providerId]) await look(`before=${record.lastSeq + 1}&limit=200`);
  } catch {
    // Then there is what the provider's record says, and what comes live.
    asked.delete(sessionId);
  }
}

connection.on("session:event", (frame) => noteOffer(frame.sessionId, recordOf(frame)));

/** An identifier, or what an agent gave in its place: `{id, name, description}` under several names. */
function choice(value) {
  if (typeof value === "string") return { id: value, label: value };
  const id = value?.id ?? value?.modelId ?? value?.value;
  if (typeof id !== "string") return null;
  return { id, label: typeof value.name === "string" ? value.name : id, description: typeof value.description === "string" ? value.description : undefined };
}

function list(...candidates) {
  for (const candidate of candidates) {
    const found = Array.isArray(candidate) ? candidate.map(choice).filter(Boolean) : [];
    if (found.length) return found;
  }
  return [];
}

/** What the session's provider offers: `{models, modes, efforts}`, each `[{id, label, description?}]`. Tracks what it reads. */
export function choices(sessionId, providerId = store.session(sessionId).value?.providerId) {
  const provider = store.providers.value.get(providerId);
  const own = offeredIn(sessionId).value[providerId] ?? lastOffered.value[providerId] ?? {};
  return {
    models: list(own.models, provider?.models),
    modes: list(own.modes, provider?.modes),
    efforts: list(own.efforts, provider?.efforts, provider?.capabilities?.effort ? ["low", "medium", "high"] : null),
  };
}
