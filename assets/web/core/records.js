// One form for all durable events, whichever frame brought them: that of a line of the log.

const requestMembers = new Set(["sessionId", "seq", "id", "timestamp", "turnId", "itemId", "providerId", "nativeId"]);
const messageMembers = ["role", "content", "clientMessageId", "attachments", "to", "steer", "parentItemId", "partial", "by"];

/** The record of a frame, `{seq, ts, id, kind, turnId, itemId, source, providerId, data, synthetic?}`; null for a frame that
 * carries no durable event. */
export function recordOf(frame) {
  if (typeof frame.seq !== "number" || typeof frame.payload !== "object" || frame.payload === null) return null;
  const payload = frame.payload;
  switch (frame.type) {
    case "session:event":
      return payload;
    case "session:message": {
      const data = {};
      for (const name of messageMembers) if (payload[name] !== undefined) data[name] = payload[name];
      return head(payload, "message", payload.role === "user" ? "user" : payload.role === "system" ? "core" : "agent", data);
    }
    case "permission:requested":
    case "permission:resolved":
    case "question:requested":
    case "question:resolved": {
      const data = {};
      for (const [name, value] of Object.entries(payload)) if (!requestMembers.has(name)) data[name] = value;
      const isAnswer = frame.type.endsWith("resolved");
      return head(payload, frame.type.replace(":", "_"), isAnswer ? "user" : "agent", data);
    }
    default:
      return null;
  }
}

function head(payload, kind, source, data) {
  const record = { seq: payload.seq, ts: payload.timestamp, id: payload.id, kind, source, data };
  for (const name of ["turnId", "itemId", "providerId", "nativeId"]) {
    if (payload[name] !== undefined) record[name] = payload[name];
  }
  return record;
}
