// Reactive values. Reading `value` inside an effect or a computed tracks it; effects run again together, in one
// microtask, after what they read has changed.

/** The effect or computed that is running, and so collects what it reads. */
let reader = null;
let batchDepth = 0;
let isScheduled = false;
/** Effects that must run again, in the order in which they were created. */
const dirty = new Set();

class Signal {
  #value;
  readers = new Set();

  constructor(value) {
    this.#value = value;
  }

  get value() {
    track(this);
    return this.#value;
  }

  set value(next) {
    if (Object.is(next, this.#value)) return;
    this.#value = next;
    for (const each of [...this.readers]) each.invalidate();
  }

  /** The value, without being told when it changes. */
  peek() {
    return this.#value;
  }
}

class Computed {
  #compute;
  #value;
  #isStale = true;
  readers = new Set();
  sources = new Set();

  constructor(compute) {
    this.#compute = compute;
  }

  get value() {
    track(this);
    return this.peek();
  }

  peek() {
    if (this.#isStale) {
      forget(this);
      this.#isStale = false;
      this.#value = collecting(this, this.#compute);
    }
    return this.#value;
  }

  invalidate() {
    if (this.#isStale) return;
    this.#isStale = true;
    for (const each of [...this.readers]) each.invalidate();
  }
}

class Effect {
  #run;
  #cleanup = null;
  #frame = 0;
  #isPerFrame;
  sources = new Set();
  isDisposed = false;

  constructor(run, isPerFrame) {
    this.#run = run;
    this.#isPerFrame = isPerFrame;
  }

  invalidate() {
    if (this.isDisposed) return;
    if (this.#isPerFrame) {
      this.#frame ||= requestAnimationFrame(() => {
        this.#frame = 0;
        this.run();
      });
      return;
    }
    dirty.add(this);
    schedule();
  }

  run() {
    if (this.isDisposed) return;
    this.#clean();
    forget(this);
    try {
      const result = collecting(this, this.#run);
      this.#cleanup = typeof result === "function" ? result : null;
    } catch (error) {
      // One view that fails must not take the others with it.
      reportError(error);
    }
  }

  #clean() {
    const cleanup = this.#cleanup;
    this.#cleanup = null;
    if (cleanup) untracked(cleanup);
  }

  dispose() {
    if (this.isDisposed) return;
    this.isDisposed = true;
    if (this.#frame) cancelAnimationFrame(this.#frame);
    this.#clean();
    forget(this);
    dirty.delete(this);
  }
}

function track(source) {
  if (!reader) return;
  source.readers.add(reader);
  reader.sources.add(source);
}

function forget(each) {
  for (const source of each.sources) source.readers.delete(each);
  each.sources.clear();
}

function collecting(each, fn) {
  const outer = reader;
  reader = each;
  try {
    return fn();
  } finally {
    reader = outer;
  }
}

function schedule() {
  if (isScheduled || batchDepth > 0) return;
  isScheduled = true;
  queueMicrotask(flush);
}

/** Runs the effects that wait, now. An effect that keeps changing what it reads is given up after 100 rounds. */
export function flush() {
  isScheduled = false;
  for (let round = 0; dirty.size > 0; round += 1) {
    if (round === 100) {
      dirty.clear();
      reportError(new Error("effects keep invalidating each other"));
      return;
    }
    const now = [...dirty];
    dirty.clear();
    for (const each of now) each.run();
  }
}

/** A value that says when it changes: `{value, peek()}`. The same value (`Object.is`) again is no change. */
export function signal(value) {
  return new Signal(value);
}

/** A value worked out from others, when it is asked for and one of them has changed. */
export function computed(compute) {
  return new Computed(compute);
}

/** Runs `run` now and after each change of what it reads; a function it returns is called before the next run.
 * Returns a function that ends it. */
export function effect(run) {
  return started(new Effect(run, false));
}

/** The same, but at most once a frame, and not while the page is hidden: for what is drawn from much that changes often. What
 * it reads is worked out as rarely. */
export function frameEffect(run) {
  return started(new Effect(run, true));
}

function started(each) {
  untracked(() => each.run());
  return () => each.dispose();
}

/** Several changes as one: effects run after `fn`. */
export function batch(fn) {
  batchDepth += 1;
  try {
    return fn();
  } finally {
    batchDepth -= 1;
    if (batchDepth === 0 && dirty.size > 0) schedule();
  }
}

/** Reads without tracking. */
export function untracked(fn) {
  return collecting(null, fn);
}
