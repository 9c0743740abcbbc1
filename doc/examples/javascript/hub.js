// A client of the CodeAI Hub for browsers and Node 18 and newer: fetch alone, for requests and for server-sent events.
// (The browser's own EventSource can't begin after a given event, and Node has none.)

export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `status ${status}`);
    this.status = status;
    this.code = error?.code;
  }
}

export class Hub {
  // `locate` says where the daemon is, each time: one that was started again may be at another port. A page has it from
  // its own address, when its origin is allowed. The token is only needed where the daemon doesn't know who asks.
  constructor({ locate, name = "javascript-example", token = null }) {
    this.locate = locate;
    this.headers = token ? { Authorization: `Bearer ${token}` } : {};
    if (typeof window === "undefined") this.headers["User-Agent"] = name;
  }

  async fetch(method, path, body, headers = {}, signal = undefined) {
    return fetch(`${await this.locate()}/api/v1${path}`, {
      method,
      signal,
      headers: { ...this.headers, ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  // A request below /api/v1; resolves to the answer's JSON.
  async call(method, path, body) {
    const response = await this.fetch(method, path, body);
    const text = await response.text();
    const answer = text ? JSON.parse(text) : null;
    if (!response.ok) throw new Refused(response.status, answer?.error);
    return answer;
  }

  // Says something in a session. Sent again when nobody knows what became of it: the same clientMessageId is answered with
  // the first result.
  async send(session, content) {
    const body = { content, clientMessageId: crypto.randomUUID() };
    for (;;) {
      try {
        return await this.call("POST", `/sessions/${session}/messages`, body);
      } catch (error) {
        if (error instanceof Refused) throw error;
        await pause(200);
      }
    }
  }

  // What happened in a session after an event, then what happens, until the session is deleted. A frame with `seq` is an
  // event of the log and comes once and in order; one without is text that grows.
  async *frames(session, after = 0) {
    let wait = 100;
    for (;;) {
      const abort = new AbortController();
      try {
        const response = await this.fetch(
          "GET", `/sessions/${session}/events?after=${after}`, undefined, { Accept: "text/event-stream" }, abort.signal);
        if (response.status === 404) return;
        if (!response.ok) throw new Refused(response.status);
        wait = 100;
        const text = response.body.pipeThrough(new TextDecoderStream());
        for await (const line of lines(text.getReader())) {
          // The daemon writes each frame in one data line.
          if (!line.startsWith("data:")) continue;
          const frame = JSON.parse(line.slice(5));
          after = frame.seq ?? after;
          yield frame;
        }
      } catch (error) {
        if (error instanceof Refused && error.status < 500) throw error;
      } finally {
        abort.abort();
      }
      // Gone, or going to be back: the next connection begins after the last event.
      await pause(wait);
      wait = Math.min(wait * 2, 5000);
    }
  }
}

async function* lines(reader) {
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    yield* parts;
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// Opens a session, says a text, hands on the answer while it grows, allows what the agent asks leave for, and resolves to
// the turn's status.
export async function converse(hub, { providerId, workspace, text, onText, onEvent = () => {}, onSession = () => {} }) {
  const session = (await hub.call("POST", "/sessions", { providerId, workspace })).id;
  onSession(session);
  const { turnId } = await hub.send(session, text);
  const shown = new Map(); // bytes of each growing text that were handed on
  const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];
  for await (const frame of hub.frames(session)) {
    const payload = frame.payload;
    const kind = frame.type === "session:event" ? payload.kind : frame.type;
    if (frame.seq !== undefined) onEvent(frame.seq, kind);
    if (kind === "stream:chunk" || (kind === "session:message" && payload.role === "assistant")) {
      if ((payload.kind ?? "message") !== "message") continue; // thoughts and output of tools
      const offset = payload.offset ?? 0;
      const before = shown.get(payload.itemId) ?? 0;
      // A piece may be missing, or come again after a reconnect; the message at the end has the whole.
      if (offset > before) continue;
      const rest = encoder.encode(payload.content).slice(before - offset);
      shown.set(payload.itemId, before + rest.length);
      if (rest.length > 0) onText(decoder.decode(rest));
    } else if (kind === "permission:requested") {
      const allow = payload.options.find((option) => option.kind === "allow_once");
      await hub.call("POST", `/sessions/${session}/permissions/${payload.requestId}`, { optionId: allow.optionId })
        .catch((error) => {
          // Another client was faster, or it was asked before we were away.
          if (!["already_resolved", "request_not_found"].includes(error.code)) throw error;
        });
    } else if (kind === "turn_completed" && payload.turnId === turnId) {
      return payload.data.status;
    }
  }
  return "deleted";
}
