// What the three protocols say, with the members that the real programs send along (their recordings are the
// fixtures of the adapters' tests), so that a line weighs what it does in earnest.
#include <stdio.h>
#include <string.h>

#include "agent.h"

#define UUID "0a22cfc9-a54b-4a1e-8564-bbde1d32d6ed"

// MARK: Claude Code's stream-json

static const char *claude_session(void) { return argument("--session-id", argument("--resume", UUID)); }

static void claude_take(const char *line) {
  const char *type = member(line, "type");
  if (strcmp(type, "control_request") == 0) {
    say("{\"type\":\"control_response\",\"response\":{\"subtype\":\"success\",\"request_id\":\"%s\","
        "\"response\":{\"commands\":[],\"models\":[]}}}",
        member(line, "request_id"));
  } else if (strcmp(type, "user") == 0) {
    say("{\"type\":\"system\",\"subtype\":\"init\",\"cwd\":\"/\",\"session_id\":\"%s\",\"tools\":[],"
        "\"mcp_servers\":[],\"model\":\"claude-opus-5-5\",\"permissionMode\":\"default\",\"uuid\":\"" UUID "\"}",
        claude_session());
    begin_stream(claude_session(), line);
  }
}

static void claude_event(const struct stream *stream, const char *event) {
  say("{\"type\":\"stream_event\",\"event\":%s,\"session_id\":\"%s\",\"parent_tool_use_id\":null,"
      "\"uuid\":\"" UUID "\",\"api_message_id\":\"msg_%ld\"}",
      event, stream->session, stream->messages);
}

static void claude_begin_message(const struct stream *stream) {
  char event[512];
  snprintf(event, sizeof event,
           "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_%ld\",\"type\":\"message\",\"role\":\"assistant\","
           "\"model\":\"claude-opus-5-5\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,"
           "\"usage\":{\"input_tokens\":1200,\"output_tokens\":1}}}",
           stream->messages);
  claude_event(stream, event);
  claude_event(stream,
               "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}");
}

static void claude_delta(const struct stream *stream, const char *text) {
  char event[256];
  snprintf(event, sizeof event,
           "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"%s\"}}", text);
  claude_event(stream, event);
}

static void claude_end_message(const struct stream *stream) {
  say("{\"type\":\"assistant\",\"message\":{\"id\":\"msg_%ld\",\"type\":\"message\",\"role\":\"assistant\","
      "\"model\":\"claude-opus-5-5\",\"content\":[{\"type\":\"text\",\"text\":\"\"}],\"stop_reason\":null},"
      "\"parent_tool_use_id\":null,\"session_id\":\"%s\",\"uuid\":\"" UUID "\"}",
      stream->messages, stream->session);
}

const struct protocol claude = {"claude", claude_take, claude_begin_message, claude_delta, claude_end_message};

// MARK: Agent Client Protocol

static void acp_take(const char *line) {
  const char *method = member(line, "method"), *id = member(line, "id");
  if (strcmp(method, "initialize") == 0) {
    say("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"protocolVersion\":1,\"agentCapabilities\":{},"
        "\"agentInfo\":{\"name\":\"bench\",\"version\":\"1.0.0\"}}}",
        id);
  } else if (strcmp(method, "session/new") == 0) {
    say("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"sessionId\":\"" UUID "\"}}", id);
  } else if (strcmp(method, "session/prompt") == 0) {
    begin_stream(UUID, line);
  } else if (*id) {
    say("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}", id);
  }
}

static void acp_update(const struct stream *stream, const char *kind, const char *text) {
  say("{\"jsonrpc\":\"2.0\",\"method\":\"session/update\",\"params\":{\"sessionId\":\"%s\",\"update\":{"
      "\"sessionUpdate\":\"%s\",\"content\":{\"type\":\"text\",\"text\":\"%s\"}}}}",
      stream->session, kind, text);
}

static void acp_begin_message(const struct stream *stream) { (void)stream; }

static void acp_delta(const struct stream *stream, const char *text) {
  acp_update(stream, "agent_message_chunk", text);
}

// A message ends where something else begins.
static void acp_end_message(const struct stream *stream) { acp_update(stream, "agent_thought_chunk", "On."); }

const struct protocol acp = {"acp", acp_take, acp_begin_message, acp_delta, acp_end_message};

// MARK: Codex's app-server

static void codex_take(const char *line) {
  static int threads;
  const char *method = member(line, "method"), *id = member(line, "id");
  if (strcmp(method, "initialize") == 0) {
    say("{\"id\":%s,\"result\":{\"userAgent\":\"codeai_hub/0.163.0 (Linux; x86_64)\"}}", id);
  } else if (strcmp(method, "account/read") == 0) {
    say("{\"id\":%s,\"result\":{\"account\":{\"type\":\"apiKey\"},\"requiresOpenaiAuth\":true}}", id);
  } else if (strcmp(method, "model/list") == 0) {
    say("{\"id\":%s,\"result\":{\"data\":[]}}", id);
  } else if (strcmp(method, "thread/start") == 0) {
    say("{\"id\":%s,\"result\":{\"thread\":{\"id\":\"01a1fbbb-e5d8-7691-aef5-%012d\"},\"model\":\"gpt-5.5\"}}", id,
        ++threads);
  } else if (strcmp(method, "turn/start") == 0) {
    const char *thread = member(line, "threadId");
    say("{\"id\":%s,\"result\":{\"turn\":{\"id\":\"turn-%s\",\"items\":[],\"status\":\"inProgress\"}}}", id, thread);
    say("{\"method\":\"turn/started\",\"params\":{\"threadId\":\"%s\",\"turn\":{\"id\":\"turn-%s\",\"items\":[],"
        "\"status\":\"inProgress\"}}}",
        thread, thread);
    begin_stream(thread, line);
  } else if (*id) {
    say("{\"id\":%s,\"result\":{}}", id);
  }
}

static void codex_item(const struct stream *stream, const char *method) {
  say("{\"method\":\"%s\",\"params\":{\"item\":{\"type\":\"agentMessage\",\"id\":\"msg_%ld\",\"text\":\"\","
      "\"phase\":null},\"threadId\":\"%s\",\"turnId\":\"turn-%s\"},\"emittedAtMs\":1795224757849}",
      method, stream->messages, stream->session, stream->session);
}

static void codex_begin_message(const struct stream *stream) { codex_item(stream, "item/started"); }

static void codex_delta(const struct stream *stream, const char *text) {
  say("{\"method\":\"item/agentMessage/delta\",\"params\":{\"threadId\":\"%s\",\"turnId\":\"turn-%s\","
      "\"itemId\":\"msg_%ld\",\"delta\":\"%s\"},\"emittedAtMs\":1795224757849}",
      stream->session, stream->session, stream->messages, text);
}

static void codex_end_message(const struct stream *stream) { codex_item(stream, "item/completed"); }

const struct protocol codex = {"codex", codex_take, codex_begin_message, codex_delta, codex_end_message};
