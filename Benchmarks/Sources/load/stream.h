#ifndef STREAM_H
#define STREAM_H

#include "load.h"

enum stream_state { stream_connecting, stream_upgrading, stream_open, stream_closed };

// A WebSocket client that reads frame headers and passes over what they announce.
struct stream {
  int fd;
  enum stream_state state;
  uint8_t header[10], header_held;
  uint8_t opcode;
  bool final;
  uint64_t remaining;       // bytes of the current frame still to pass over
  uint8_t control[125], control_held;
  char *held;               // an incomplete frame, only when latencies are wanted
  size_t held_length, held_capacity;
};

struct stream_loop {
  struct target target;
  int epoll;
  bool deflate;             // offer permessage-deflate
  bool latency;             // look for timestamps
  bool counting;
  struct stream *streams;
  long wanted, started, open, at_once;
  uint64_t messages, compressed, payload_bytes, wire_bytes;
  struct bench_histogram *latencies;
  void (*on_open)(struct stream_loop *loop, struct stream *stream);
  // With `latency`: each whole message. Whoever sets it looks for timestamps itself.
  void (*on_message)(struct stream_loop *loop, struct stream *stream, const uint8_t *payload, size_t length);
  void (*on_close)(struct stream_loop *loop, struct stream *stream);
  // The server's close frame. The stream may be closed only after the turn.
  void (*on_goodbye)(struct stream_loop *loop, struct stream *stream, int code);
};

void stream_loop_init(struct stream_loop *loop, struct target target, long count, bool deflate, bool latency);
// Connects the next streams, at most `at_once` of them on their way at a time.
void stream_loop_connect(struct stream_loop *loop);
// Connects a stream that was closed anew.
void stream_begin(struct stream_loop *loop, struct stream *stream);
// Waits once, at most so long, and handles what came. How many events there were.
int stream_loop_turn(struct stream_loop *loop, int milliseconds);
// Turns until all streams are open.
void stream_loop_open_all(struct stream_loop *loop);
// Records the age of each timestamp in a message.
void stream_take_latencies(struct stream_loop *loop, const uint8_t *payload, size_t length);
void stream_send(struct stream *stream, uint8_t opcode, const void *payload, size_t length);
void stream_close(struct stream_loop *loop, struct stream *stream);

#endif
