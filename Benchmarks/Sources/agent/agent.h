// An agent that does nothing but stream, in any of the three protocols; each delta carries the moment it is written.
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What is said in the turn that runs: one per conversation.
struct stream {
  char session[64];
  int64_t due;      // when the next delta is
  long said;        // deltas of the message under way
  long messages;    // messages begun
};

struct protocol {
  const char *name;
  // Answers a line that the daemon wrote. A stream that a prompt begins is made with begin_stream.
  void (*take)(const char *line);
  void (*begin_message)(const struct stream *stream);
  void (*delta)(const struct stream *stream, const char *text);
  void (*end_message)(const struct stream *stream);
};
extern const struct protocol claude, acp, codex;

// A conversation is asked to stream: the prompt says how fast ("@rate N"; 0: as fast as it is read).
void begin_stream(const char *session, const char *prompt);

// Adds a line to what is written next.
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

// The value of the first member of that name in a line without white space, as it is written there, or an empty text;
// strings without their quotes. Good until the next call but three.
const char *member(const char *line, const char *name);

const char *argument(const char *name, const char *fallback);

#endif
