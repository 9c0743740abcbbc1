// Sessions whose turn ended while nobody looked at them.

import { connection } from "../core/connection.js";
import { effect, signal, untracked } from "../core/signal.js";
import { store } from "../core/store.js";

/** Ids of sessions with news. */
export const unread = signal(new Set());

const works = (record) => record?.status === "running" || record?.status === "waiting";

function isSeen(id) {
  return document.visibilityState === "visible" && store.selected.peek() === id;
}

/** Keeps `unread`. `onEnd(record)` is called whenever a session has come to rest. */
export function watchUnread(onEnd) {
  const look = (record) => {
    // The store takes the frame in after this: what it has is how the session was.
    if (!works(store.sessions.peek().get(record.id)) || works(record)) return;
    if (!isSeen(record.id)) unread.value = new Set(unread.peek()).add(record.id);
    onEnd(record);
  };
  connection.on("session:update", (frame) => look(frame.payload));
  connection.on("core:state", (frame) => frame.payload.sessions.forEach(look));
  const seen = () => {
    const id = store.selected.value;
    untracked(() => {
      if (!id || document.visibilityState !== "visible" || !unread.peek().has(id)) return;
      const left = new Set(unread.peek());
      left.delete(id);
      unread.value = left;
    });
  };
  effect(seen);
  document.addEventListener("visibilitychange", () => untracked(seen));
}
