// The time, for what is shown as it passes. It only runs while somebody looks.

import { signal } from "../core/signal.js";

/** Milliseconds since 1970, a second exact: what reads it is drawn anew each second. */
const seconds = signal(Date.now());
let watchers = 0;
let timer = null;

function tick() {
  if (document.visibilityState === "visible") seconds.value = Date.now();
}

/** The time, and has it pass until the returned function is called. To be used within an effect, whose cleanup ends it. */
export function watchClock() {
  watchers += 1;
  timer ??= setInterval(tick, 1000);
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    watchers -= 1;
    if (watchers > 0) return;
    clearInterval(timer);
    timer = null;
  };
}

/** The time as it was at the last second. Tracks. */
export function now() {
  // The signal is as old as its last watcher.
  return Math.max(seconds.value, watchers > 0 ? 0 : Date.now());
}
