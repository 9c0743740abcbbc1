// A session's log as rows to be shown: events and live deltas folded, without a DOM.
//
// Rows stand in the order of the conversation: what the log has, in its order; then what is being said right now; then the
// messages that wait for their turn. A message that waited takes its place when its turn begins. Events of one item (a tool's
// call, live output, diffs and result) are one row; what a subagent does is in `children` of the call that started it.
//
// Every row has `key` (the same however often it is folded), `kind`, `seq` (of its first event, null while it is only
// streamed) and `version`, which rises with each change. Kinds: message, thinking, tool, plan, permission, question, error,
// status, turn.

import { signal } from "../core/signal.js";
import { dropBytes, utf8Length } from "./text.js";

/** Characters kept of a tool's live output; its result has what the provider gave. */
const longestOutput = 400_000;

/** Text that grows by pieces, put together when it is read. */
export class GrowingText {
  pieces = [];
  length = 0;
  bytes = 0; // in UTF-8, of all that came
  dropped = 0; // characters that are not kept any more
  #whole = "";
  #joined = 0;

  add(text) {
    this.pieces.push(text);
    this.length += text.length;
    this.bytes += utf8Length(text);
  }

  keepLast(limit) {
    while (this.pieces.length > 1 && this.length - this.pieces[0].length >= limit) {
      const gone = this.pieces.shift();
      this.length -= gone.length;
      this.dropped += gone.length;
      this.#joined = 0;
      this.#whole = "";
    }
  }

  get text() {
    if (this.#joined < this.pieces.length) {
      this.#whole += this.pieces.slice(this.#joined).join("");
      this.#joined = this.pieces.length;
    }
    return this.#whole;
  }

  /** Takes what a delta says that begins at byte `offset`; false when something before it is missing. */
  take(content, offset) {
    if (offset > this.bytes) return false;
    const fresh = offset < this.bytes ? dropBytes(content, this.bytes - offset) : content;
    if (fresh !== "") this.add(fresh);
    return true;
  }
}

/** Status events that are a quiet line of their own; all others tell of what is shown elsewhere, or of nothing that matters to
 * whoever reads the conversation. */
const shownStatus = new Set([
  "renamed", "model", "mode", "effort", "model_changed", "mode_changed", "effort_changed", "model_fallback", "interrupt_requested",
  "budget", "budget_changed", "queue_held", "queue_released", "recovered", "paused", "resumed", "provider_switched", "providers",
  "context_carried", "retry", "parked", "unparked", "provider_backoff", "fallback", "forked", "imported", "retrying", "compacting",
  "compacted", "background_task", "background_turn_completed", "background_command_completed", "turn_extended", "steer_withdrawn",
  "interrupt_escalated", "warning", "config_warning", "local_command", "notification", "permission_denied", "review_started",
  "review_ended", "process_exited", "plan_explained", "subagent", "thread_error", "stream_error", "archived", "unarchived",
  "informational",
]);

/** Told again and again while it lasts: one line that says the newest. */
const renewed = new Set(["retrying", "background_task", "provider_backoff", "compacting", "mcp_server"]);

export class Transcript {
  /** Rises with every change; read it in an effect to be told. */
  changed = signal(0);
  hasOlder = false;
  firstSeq = 0;
  lastSeq = 0;
  #loading = false;
  #events = [];
  #live = new Map(); // texts of items that stream, by kind and item
  #fold = new Fold(this.#live);
  #older = null;
  #rows = null;

  constructor(sessionId) {
    this.sessionId = sessionId;
  }

  /** Whether a page is on its way. */
  get loading() {
    return this.#loading;
  }

  set loading(value) {
    if (this.#loading === value) return;
    this.#loading = value;
    this.#tell();
  }

  /** Rises when rows come, go or move; not when one merely grows. */
  get structure() {
    return this.#fold.structure;
  }

  /** The rows at the top level, in order. The array is a new one after each change of `structure`. */
  get rows() {
    if (this.#rows?.structure !== this.#fold.structure) {
      this.#rows = { structure: this.#fold.structure, list: this.#fold.list() };
    }
    return this.#rows.list;
  }

  /** The newest plan of the turn that runs, or null. */
  get plan() {
    return this.#fold.plan;
  }

  /** The turn that runs: {id, startedAt, providerId}, or null. */
  get turn() {
    return this.#fold.turn;
  }

  /** How many events are loaded. */
  get count() {
    return this.#events.length;
  }

  /** What is called when older events are wanted. */
  olderWanted(fn) {
    this.#older = fn;
  }

  /** Asks for the page before what is there. */
  wantOlder() {
    if (this.hasOlder && !this.#loading) this.#older?.();
  }

  /** Begins anew with a page of events. */
  reset(events, hasOlder) {
    this.#live.clear();
    this.#events = [];
    this.lastSeq = 0;
    this.#take(events, hasOlder);
  }

  /** The page before what is there. */
  prepend(events, hasOlder) {
    this.#take(events, hasOlder);
  }

  // A page may have the call whose result is in the next one: all is folded again. That is some milliseconds for ten
  // thousand events, and rows keep their keys.
  #take(events, hasOlder) {
    const before = this.#events[0]?.seq ?? Infinity;
    this.#events = events.filter((event) => event.seq < before).concat(this.#events);
    this.hasOlder = hasOlder;
    this.firstSeq = this.#events[0]?.seq ?? 0;
    this.lastSeq = this.#events.at(-1)?.seq ?? 0;
    const structure = this.#fold.structure;
    this.#fold = new Fold(this.#live);
    for (const event of this.#events) this.#fold.take(event);
    this.#fold.restoreLive();
    this.#fold.structure += structure + 1;
    this.#tell();
  }

  /** A live event. Events that are there already are passed over. */
  apply(record) {
    if (record.seq <= this.lastSeq) return;
    this.#events.push(record);
    this.lastSeq = record.seq;
    if (this.firstSeq === 0) this.firstSeq = record.seq;
    this.#fold.take(record);
    this.#tell();
  }

  /** A delta of an item that isn't in the log yet. */
  chunk({ turnId, itemId, kind, role, content, offset, parentItemId }) {
    if (typeof itemId !== "string" || typeof content !== "string" || typeof offset !== "number") return;
    const key = `${kind}:${itemId}`;
    let live = this.#live.get(key);
    if (!live) {
      if (this.#fold.isClosed(kind, itemId)) return;
      live = { key, kind, turnId, itemId, role, parentItemId, text: new GrowingText(), row: null };
      this.#live.set(key, live);
    }
    const before = live.text.bytes;
    // With something missing before it, the durable event brings the whole.
    if (!live.text.take(content, offset) || live.text.bytes === before) return;
    if (kind === "tool_output") live.text.keepLast(longestOutput);
    this.#fold.grow(live);
    this.#tell();
  }

  #tell() {
    this.changed.value = this.changed.peek() + 1;
  }
}

/** The state that events are folded into. */
class Fold {
  structure = 0;
  plan = null;
  turn = null;
  #live;
  #rows = [];
  #streaming = [];
  #waiting = [];
  #items = new Map(); // rows of tools by item; of texts by `kind:item`
  #turns = new Map(); // {started, completed, plan} by id
  #requests = new Map();

  constructor(live) {
    this.#live = live;
  }

  list() {
    return this.#rows.concat(this.#streaming, this.#waiting);
  }

  /** An event that isn't of the form it should have is passed over: a log may come from anywhere. */
  take(event) {
    try {
      this.#apply(event);
    } catch (error) {
      console.warn("an event that can't be understood", event.seq, error);
    }
  }

  #apply(event) {
    const data = event.data ?? {};
    switch (event.kind) {
      case "message":
        return data.role === "user" && !data.parentItemId ? this.#userMessage(event, data) : this.#text("message", event, data);
      case "thinking":
        return this.#text("thinking", event, data);
      case "tool_call":
        return this.#toolCall(event, data);
      case "tool_result":
        return this.#toolResult(event, data);
      case "diff":
        return this.#diff(event, data);
      case "plan":
        return this.#planned(event, data);
      case "permission_requested":
      case "question_requested":
        return this.#requested(event, data);
      case "permission_resolved":
      case "question_resolved":
        return this.#resolved(event, data);
      case "turn_started":
        return this.#turnStarted(event, data);
      case "turn_completed":
        return this.#turnCompleted(event, data);
      case "error":
        return this.#add(this.#row("error", event, data));
      case "quota":
        if (data.status === "warning" || data.status === "rejected") this.#quiet(event, { type: "quota", ...data });
        return;
      case "status":
        return this.#status(event, data);
      // usage: the turn's end has it. custom and kinds of later versions: nothing that can be shown.
    }
  }

  isClosed(kind, itemId) {
    if (kind === "tool_output") return Boolean(this.#items.get(itemId)?.result);
    return this.#items.has(`${kind}:${itemId}`);
  }

  /** A text that streams has grown. */
  grow(live) {
    if (live.kind === "tool_output") {
      const tool = this.#items.get(live.itemId);
      if (tool && !tool.result) {
        tool.output = live.text;
        tool.version++;
        this.#touchParents(tool);
      }
      return;
    }
    if (!live.row) this.#stream(live);
    live.row.version++;
    this.#touchParents(live.row);
  }

  /** After all events were folded anew: what streams has its rows again. */
  restoreLive() {
    for (const live of this.#live.values()) {
      live.row = null;
      if (live.text.length > 0) this.grow(live);
    }
  }

  #stream(live) {
    const { kind, turnId, itemId, role, parentItemId } = live;
    live.row = {
      key: `${kind}:${itemId}`, kind: kind === "thinking" ? "thinking" : "message", seq: null, ts: new Date().toISOString(), turnId, itemId,
      providerId: this.#turns.get(turnId)?.providerId, role: role ?? "assistant", text: live.text, streaming: true, version: 0,
      parentItemId,
    };
    this.structure++;
    const parent = parentItemId && this.#items.get(parentItemId);
    if (parent) parent.children.push(live.row);
    else this.#streaming.push(live.row);
  }

  #row(kind, event, fields) {
    const { seq, ts, turnId, itemId, providerId, id } = event;
    return { ...fields, key: `${kind}:${id ?? seq}`, kind, seq, ts, turnId, itemId, providerId, version: 1 };
  }

  #add(row) {
    this.structure++;
    const parent = row.parentItemId && this.#items.get(row.parentItemId);
    if (parent && parent !== row) {
      parent.children.push(row);
      this.#touchParents(row);
    } else this.#rows.push(row);
    return row;
  }

  #touchParents(row) {
    for (let depth = 0; row.parentItemId && depth < 8; depth++) {
      row = this.#items.get(row.parentItemId);
      if (!row) return;
      row.version++;
    }
  }

  #turnOf(id) {
    if (!id) return { tools: [] };
    let turn = this.#turns.get(id);
    if (!turn) this.#turns.set(id, turn = { id, started: false, completed: false, plan: null, tools: [] });
    return turn;
  }

  // MARK: What is said

  #userMessage(event, data) {
    const row = this.#row("message", event, { ...data, text: whole(data.content), by: data.by });
    const turn = this.#turnOf(event.turnId);
    if (event.turnId && !turn.started && !turn.completed && !data.steer) {
      row.waiting = true;
      this.structure++;
      this.#waiting.push(row);
    } else this.#add(row);
  }

  #text(kind, event, data) {
    const itemKey = event.itemId ? `${kind}:${event.itemId}` : null;
    const row = this.#row(kind, event, { ...data, role: data.role ?? "assistant", text: whole(data.content) });
    const live = itemKey && this.#live.get(itemKey);
    if (itemKey && !this.#items.has(itemKey)) {
      row.key = itemKey;
      this.#items.set(itemKey, row);
    }
    if (live) {
      this.#live.delete(itemKey);
      if (live.row) {
        // It takes its place in the log; what showed it goes on showing it.
        row.version = live.row.version + 1;
        this.#remove(live.row);
      }
    }
    // Thinking without words says nothing.
    if (kind === "thinking" && row.text.length === 0) {
      this.structure++;
      return;
    }
    this.#add(row);
  }

  #remove(row) {
    this.structure++;
    const parent = row.parentItemId && this.#items.get(row.parentItemId);
    for (const list of [this.#streaming, parent?.children ?? []]) {
      const at = list.indexOf(row);
      if (at >= 0) list.splice(at, 1);
    }
  }

  // MARK: Tools

  #tool(event, data) {
    let tool = event.itemId && this.#items.get(event.itemId);
    if (!tool) {
      tool = this.#row("tool", event, {
        name: "", title: "", toolKind: "other", args: null, status: "running", result: null, output: null, diffs: [], children: [],
        parentItemId: data.parentItemId,
      });
      if (event.itemId) {
        tool.key = `tool:${event.itemId}`;
        this.#items.set(event.itemId, tool);
        const live = this.#live.get(`tool_output:${event.itemId}`);
        if (live) tool.output = live.text;
      }
      this.#turnOf(event.turnId).tools.push(tool);
      this.#add(tool);
    } else {
      tool.version++;
      this.#touchParents(tool);
    }
    return tool;
  }

  #toolCall(event, data) {
    const tool = this.#tool(event, data);
    for (const name of ["name", "title", "toolKind", "args"]) if (data[name] !== undefined) tool[name] = data[name];
    if (!tool.result && data.status) tool.status = data.status;
    tool.called = true;
  }

  #toolResult(event, data) {
    const tool = this.#tool(event, data);
    tool.result = data;
    tool.status = data.status ?? "completed";
    tool.endedAt = event.ts;
    this.#live.delete(`tool_output:${event.itemId}`);
  }

  #diff(event, data) {
    this.#tool(event, data).diffs.push(data);
  }

  #planned(event, data) {
    const entries = Array.isArray(data.entries) ? data.entries.filter((entry) => typeof entry === "object" && entry !== null) : [];
    const turn = this.#turnOf(event.turnId);
    if (turn.plan) {
      turn.plan.entries = entries;
      turn.plan.version++;
    } else {
      turn.plan = this.#add(this.#row("plan", event, { entries }));
      if (event.turnId) turn.plan.key = `plan:${event.turnId}`;
    }
    this.plan = entries.length > 0 ? turn.plan : null;
  }

  // MARK: Requests

  #requested(event, data) {
    const kind = event.kind === "permission_requested" ? "permission" : "question";
    const known = this.#requests.get(data.requestId);
    if (known) return;
    // Never within a folded subagent: somebody has to see it.
    const row = this.#row(kind, event, { ...data, resolved: null, parentItemId: undefined });
    row.key = `request:${data.requestId}`;
    this.#requests.set(data.requestId, row);
    this.#add(row);
  }

  #resolved(event, data) {
    const row = this.#requests.get(data.requestId);
    if (!row) return;
    row.resolved = { ...data, ts: event.ts };
    row.version++;
  }

  // MARK: Turns

  #turnStarted(event, data) {
    const turn = this.#turnOf(event.turnId);
    turn.started = true;
    turn.providerId = event.providerId;
    turn.startedAt = event.ts;
    this.turn = turn;
    this.plan = null;
    this.structure++;
    const mine = this.#waiting.filter((row) => row.turnId === event.turnId);
    if (mine.length > 0) {
      this.#waiting = this.#waiting.filter((row) => row.turnId !== event.turnId);
      for (const row of mine) {
        row.waiting = false;
        row.version++;
        this.#rows.push(row);
      }
    } else if (data.reason) this.#quiet(event, { type: "turn_reason", reason: data.reason });
  }

  #turnCompleted(event, data) {
    const turn = this.#turnOf(event.turnId);
    turn.completed = true;
    if (this.turn === turn) {
      this.turn = null;
      this.plan = null;
    }
    for (const tool of turn.tools.splice(0)) {
      if (tool.result) continue;
      tool.left = true; // its end was never told
      tool.version++;
    }
    // What was streamed and never logged ends here.
    for (const [key, live] of this.#live) {
      if (live.turnId !== event.turnId) continue;
      this.#live.delete(key);
      if (live.row) {
        this.#remove(live.row);
        this.#add({ ...live.row, streaming: false, partial: true, version: live.row.version + 1 });
      }
    }
    // A message that was taken back or refused before its turn began.
    for (const row of this.#waiting.filter((one) => one.turnId === event.turnId)) this.#withdraw(row);
    this.#add(this.#row("turn", event, { ...data, startedAt: turn.startedAt }));
  }

  #withdraw(row) {
    this.#waiting.splice(this.#waiting.indexOf(row), 1);
    row.waiting = false;
    row.withdrawn = true;
    row.version++;
    this.structure++;
    this.#rows.push(row);
  }

  #status(event, data) {
    switch (data.type) {
      case "withdrawn":
        for (const row of this.#waiting.filter((one) => one.turnId === data.turnId)) this.#withdraw(row);
        return;
      case "steer_queued": {
        // What was to be added to a turn has become one of its own.
        const at = this.#rows.findLastIndex((row) => row.seq === data.messageSeq);
        if (at < 0) return;
        const [row] = this.#rows.splice(at, 1);
        Object.assign(row, { turnId: data.turnId, steer: false, waiting: true, version: row.version + 1 });
        this.#turnOf(data.turnId);
        this.structure++;
        this.#waiting.push(row);
        return;
      }
      case "queue_ordered":
        if (Array.isArray(data.order)) {
          const place = new Map(data.order.map((id, index) => [id, index]));
          const rank = (row) => place.get(row.turnId) ?? Infinity;
          this.#waiting = this.#waiting.map((row, index) => [row, index])
            .sort(([a, i], [b, j]) => (rank(a) === rank(b) ? i - j : rank(a) - rank(b))).map(([row]) => row);
          this.structure++;
        }
        return;
      case "process_exited":
        // Told where it is news: an end that nobody asked for.
        if (data.signal === undefined && (data.exitCode === undefined || data.exitCode === 0)) return;
        break;
      case "background_task":
        if (data.event === "progress" || data.event === "updated") return;
        break;
    }
    if (shownStatus.has(data.type)) this.#quiet(event, data);
  }

  /** A quiet line; one of the same sort right before it is renewed. */
  #quiet(event, data) {
    const last = this.#rows.at(-1);
    const isSame = last?.kind === "status" && plainType(last.type) === plainType(data.type);
    if (isSame && (renewed.has(data.type) || isSetting(data.type))) {
      last.data = data;
      last.version++;
      return;
    }
    this.#add(this.#row("status", event, { type: data.type, data }));
  }
}

/** What a person set and what an agent says is set are the same to whoever reads. */
function plainType(type) {
  return String(type).replace(/_changed$/, "");
}

function isSetting(type) {
  return ["model", "mode", "effort", "renamed"].includes(plainType(type));
}

function whole(content) {
  const text = new GrowingText();
  if (typeof content === "string" && content !== "") text.add(content);
  return text;
}

/** What a row says, as text: to copy, and to look for words in. */
export function textOf(row) {
  switch (row.kind) {
    case "message":
    case "thinking":
      return row.text.text;
    case "tool":
      return [row.title || row.name, argumentsText(row.args), outputOf(row)].filter(Boolean).join("\n");
    case "plan":
      return row.entries.map((entry) => `- [${entry.status === "completed" ? "x" : " "}] ${entry.content}`).join("\n");
    case "permission":
      return [row.title || row.tool, argumentsText(row.args)].filter(Boolean).join("\n");
    case "question":
      return [...(row.questions ?? []).map((question) => question.text), row.body].filter(Boolean).join("\n");
    case "error":
      return `${row.code}: ${row.message}`;
    default:
      return "";
  }
}

/** What a tool put out: its result, or what has come so far. */
export function outputOf(tool) {
  const content = tool.result?.content;
  if (typeof content === "string" && content !== "") return content;
  if (content != null && typeof content !== "string") return JSON.stringify(content, null, 2);
  return tool.output?.text ?? "";
}

export function argumentsText(args) {
  if (args == null) return "";
  if (typeof args === "string") return args;
  if (typeof args.command === "string") return args.command;
  return Object.keys(args).length > 0 ? JSON.stringify(args, null, 2) : "";
}
