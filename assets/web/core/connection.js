// The one connection to the daemon: the WebSocket that brings everything live, requests on it, and HTTP beside it. It comes
// back by itself.

import { signal } from "./signal.js";

export const clientName = "web";
export const clientVersion = "1";

/** The first wait before a reconnect, the longest, and how long an answer may take, in milliseconds. */
const backoffFirst = 250;
const backoffLongest = 10_000;
const answerLimit = 60_000;
/** Failed attempts in a row after which the daemon counts as gone, not only as late. */
const offlineAfter = 4;

/** What the daemon refused, or why it could not be asked. `code` is one of doc/protocol.md, or `offline` (no connection; with
 * `details.sent`, the request had gone out and nobody knows what became of it), `timeout`, `bad_answer`. */
export class HubError extends Error {
  constructor({ code, message, details, actions, status }) {
    super(message ?? code);
    this.name = "HubError";
    this.code = code;
    this.details = details ?? {};
    this.actions = actions ?? [];
    this.status = status;
  }
}

class Connection {
  /** `{phase: connecting|open|reconnecting|restarting|offline|refused, attempt, retryAt, error?, restart?}`: `retryAt` in
   * milliseconds since 1970; with `refused` (who we are isn't accepted) nothing is tried again until `retry()`; `restart` while
   * the daemon has announced that a new version takes its place. */
  state = signal({ phase: "connecting", attempt: 0, retryAt: null });
  /** Cursors for the hello: `() => ({sessionId: seq})`. */
  cursors = () => ({});
  #socket = null;
  #timer = null;
  #next = 1;
  #waiting = new Map();
  #listeners = new Map();
  #isStarted = false;

  /** Connects, and from then on stays connected as well as it can. */
  start() {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const hurry = () => {
      // Who is refused may have been let in by another page meanwhile.
      const waits = this.#timer !== null || this.state.peek().phase === "refused";
      if (document.visibilityState === "visible" && waits) this.retry();
    };
    addEventListener("online", hurry);
    document.addEventListener("visibilitychange", hurry);
    // A page that is kept for going back must not keep its connection; it comes back with its cursors.
    addEventListener("pagehide", () => this.#socket?.close());
    addEventListener("pageshow", (event) => {
      if (event.persisted) this.retry();
    });
    this.#open();
  }

  /** Tries at once. */
  retry() {
    clearTimeout(this.#timer);
    this.#timer = null;
    if (!this.#socket) this.#open();
  }

  get isOpen() {
    return this.state.peek().phase === "open";
  }

  /** Calls `listener(frame)` for each frame of a type, or of all (`*`). Returns a function that ends it. */
  on(type, listener) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(listener);
    return () => this.#listeners.get(type).delete(listener);
  }

  /** Sends a request; the promise has the result of its `ack`. */
  send(type, payload = {}) {
    const socket = this.#socket;
    if (!socket || socket.readyState !== WebSocket.OPEN) {
      return Promise.reject(new HubError({ code: "offline", message: "There is no connection to the daemon." }));
    }
    const requestId = `w${this.#next++}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(requestId);
        reject(new HubError({ code: "timeout", message: "The daemon did not answer." }));
      }, answerLimit);
      this.#waiting.set(requestId, { resolve, reject, timer });
      socket.send(JSON.stringify({ type, requestId, payload }));
    });
  }

  /** A request over HTTP, `path` below `/api/v1`. A body that is no string is sent as JSON. */
  async api(method, path, body, { signal: abort, contentType, accept } = {}) {
    const headers = { Accept: accept ?? "application/json" };
    if (body !== undefined) headers["Content-Type"] = contentType ?? "application/json";
    let response;
    try {
      response = await fetch(`/api/v1${path}`, {
        method, headers, signal: abort, credentials: "same-origin", cache: "no-store",
        body: body === undefined || typeof body === "string" || body instanceof Blob ? body : JSON.stringify(body),
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new HubError({ code: "offline", message: "There is no connection to the daemon." });
    }
    if (response.status === 204) return null;
    const text = await response.text();
    let answer = null;
    try {
      answer = text === "" ? null : JSON.parse(text);
    } catch {
      if (response.ok) throw new HubError({ code: "bad_answer", message: "The daemon's answer is not JSON." });
    }
    if (!response.ok) {
      const failure = answer?.error ?? { code: `http_${response.status}`, message: response.statusText };
      throw new HubError({ ...failure, status: response.status });
    }
    return answer;
  }

  /** Has the browser save what a route answers. */
  download(path, name = "") {
    const link = document.createElement("a");
    link.href = `/api/v1${path}`;
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
  }

  #change(state) {
    this.state.value = { ...this.state.peek(), retryAt: null, error: null, ...state };
  }

  #open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    let socket;
    try {
      socket = new WebSocket(`${scheme}://${location.host}/api/v1/stream?hello=1`);
    } catch (error) {
      return this.#failed(error);
    }
    this.#socket = socket;
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
      socket.send(JSON.stringify({
        type: "client:hello",
        payload: {
          name: clientName, version: clientVersion, protocol: 1, resume: this.cursors(), subscribe: "all", chunks: true,
        },
      }));
    };
    socket.onmessage = (event) => {
      if (socket === this.#socket && typeof event.data === "string") this.#received(event.data);
    };
    socket.onclose = (event) => {
      if (socket !== this.#socket) return;
      this.#socket = null;
      this.#abandon();
      this.#closed(event, wasOpen);
    };
  }

  #received(text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    if (frame.type === "ack") return this.#answered(frame);
    this.#emit(frame);
    // The daemon speaks first, and what it says first is its state.
    if (frame.type === "core:state") this.#change({ phase: "open", attempt: 0, restart: null });
    if (frame.type === "core:restarting") {
      this.state.value = { ...this.state.peek(), restart: frame.payload ?? {} };
    }
  }

  #emit(frame) {
    for (const type of [frame.type, "*"]) {
      for (const listener of this.#listeners.get(type) ?? []) {
        try {
          listener(frame);
        } catch (error) {
          reportError(error);
        }
      }
    }
  }

  #answered(frame) {
    const waiting = this.#waiting.get(frame.requestId);
    if (!waiting) return;
    this.#waiting.delete(frame.requestId);
    clearTimeout(waiting.timer);
    if (frame.payload?.ok) waiting.resolve(frame.payload.result ?? null);
    else waiting.reject(new HubError(frame.payload?.error ?? { code: "bad_answer" }));
  }

  /** Nobody answers what was asked on a connection that is gone. */
  #abandon() {
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new HubError({ code: "offline", message: "The connection was lost before the answer came.", details: { sent: true } }));
    }
    this.#waiting.clear();
  }

  #closed(event, wasOpen) {
    const { attempt, restart } = this.state.peek();
    if (event.code === 1012) {
      this.#change({ phase: "restarting", attempt: 0, restart: restart ?? {} });
      return this.#later(0);
    }
    if (event.code === 1001 && wasOpen) return this.#again({ phase: "offline", attempt: Math.max(attempt, offlineAfter) });
    if (!wasOpen && (attempt === 0 || attempt >= offlineAfter - 1)) return void this.#ask();
    this.#failed();
  }

  /** A WebSocket that could not be opened says nothing of why; a plain request does. */
  async #ask() {
    try {
      await this.api("GET", "/status");
      this.#failed();
    } catch (error) {
      if ([401, 403, 421, 429].includes(error.status)) {
        this.#change({ phase: "refused", attempt: 0, error });
      } else this.#failed();
    }
  }

  #failed() {
    const { attempt, phase } = this.state.peek();
    const next = attempt + 1;
    const isLate = next < offlineAfter;
    this.#again({ phase: isLate ? (phase === "restarting" ? "restarting" : "reconnecting") : "offline", attempt: next });
  }

  #again(state) {
    const longest = Math.min(backoffLongest, backoffFirst * 2 ** Math.max(0, state.attempt - 1));
    const wait = longest * (0.5 + Math.random() / 2);
    this.#change({ ...state, restart: null, retryAt: Date.now() + wait });
    this.#later(wait);
  }

  #later(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#open();
    }, wait);
  }
}

export const connection = new Connection();
