#include "stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

// Fits the second-level cache: what is read is only passed over.
enum { buffer_size = 256 * 1024, frame_limit = 64 << 20 };
static uint8_t buffer[buffer_size];

void stream_loop_init(struct stream_loop *loop, struct target target, long count, bool deflate, bool latency) {
  *loop = (struct stream_loop){
      .target = target, .deflate = deflate, .latency = latency, .wanted = count, .at_once = 64};
  loop->epoll = epoll_create1(EPOLL_CLOEXEC);
  loop->streams = calloc((size_t)count, sizeof *loop->streams);
  loop->latencies = calloc(1, sizeof *loop->latencies);
}

void stream_loop_connect(struct stream_loop *loop) {
  while (loop->started < loop->wanted && loop->started - loop->open < loop->at_once)
    stream_begin(loop, &loop->streams[loop->started++]);
}

void stream_begin(struct stream_loop *loop, struct stream *stream) {
  stream->fd = connect_begin(loop->target.port);
  stream->state = stream_connecting;
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = stream};
  epoll_ctl(loop->epoll, EPOLL_CTL_ADD, stream->fd, &event);
}

static void send_upgrade(struct stream_loop *loop, struct stream *stream) {
  char request[512];
  int length = snprintf(
      request, sizeof request,
      "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
      loop->target.path, loop->target.port,
      loop->deflate ? "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" : "");
  if (send(stream->fd, request, (size_t)length, MSG_NOSIGNAL) != length)
    bench_fail("connection %ld of %ld failed: %s", loop->started, loop->wanted, strerror(errno));
  stream->state = stream_upgrading;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = stream};
  epoll_ctl(loop->epoll, EPOLL_CTL_MOD, stream->fd, &event);
}

void stream_close(struct stream_loop *loop, struct stream *stream) {
  epoll_ctl(loop->epoll, EPOLL_CTL_DEL, stream->fd, NULL);
  close(stream->fd);
  free(stream->held);
  *stream = (struct stream){.fd = -1, .state = stream_closed};
  if (loop->on_close) loop->on_close(loop, stream);
}

// A frame from a client is masked; a key of zero leaves the bytes as they are.
void stream_send(struct stream *stream, uint8_t opcode, const void *payload, size_t length) {
  uint8_t frame[2 + 2 + 4 + 8192] = {(uint8_t)(0x80 | opcode), (uint8_t)(0x80 | (length < 126 ? length : 126))};
  size_t head = length < 126 ? 6 : 8;
  if (length > 8192) bench_fail("a frame of %zu bytes", length);
  if (length >= 126) {
    frame[2] = (uint8_t)(length >> 8);
    frame[3] = (uint8_t)length;
  }
  memcpy(frame + head, payload, length);
  send(stream->fd, frame, head + length, MSG_NOSIGNAL);
}

// The publisher's clock stands after "@T" in 19 digits. Pieces that came together may be one message.
void stream_take_latencies(struct stream_loop *loop, const uint8_t *payload, size_t length) {
  const uint8_t *end = payload + length, *mark;
  int64_t now = bench_now();
  while ((mark = memmem(payload, (size_t)(end - payload), "@T", 2)) && end - mark >= 21) {
    int64_t sent = 0;
    for (int i = 2; i < 21; i++) sent = sent * 10 + (mark[i] - '0');
    bench_record(loop->latencies, now - sent);
    payload = mark + 21;
  }
}

// The size of a header, known from its first two bytes.
static size_t header_size(const uint8_t *from) {
  if (from[1] & 0x80) bench_fail("a masked frame from the server");
  unsigned length = from[1] & 0x7f;
  return length < 126 ? 2 : length == 126 ? 4 : 10;
}

static uint64_t payload_size(const uint8_t *from) {
  unsigned length = from[1] & 0x7f;
  if (length < 126) return length;
  uint64_t size = 0;
  for (int i = 0, bytes = length == 126 ? 2 : 8; i < bytes; i++) size = size << 8 | from[2 + i];
  return size;
}

static void begin_frame(struct stream_loop *loop, struct stream *stream, const uint8_t *header) {
  stream->opcode = header[0] & 0x0f;
  stream->final = header[0] & 0x80;
  stream->remaining = payload_size(header);
  stream->control_held = 0;
  if (loop->counting && stream->opcode < 8) {
    loop->payload_bytes += stream->remaining;
    if (stream->final) loop->messages++;
    if (header[0] & 0x40) loop->compressed++;
  }
}

static void end_frame(struct stream_loop *loop, struct stream *stream) {
  if (stream->opcode == 9) stream_send(stream, 10, stream->control, stream->control_held);
  if (stream->opcode == 8) {
    int code = stream->control_held >= 2 ? stream->control[0] << 8 | stream->control[1] : 1005;
    if (loop->on_goodbye) loop->on_goodbye(loop, stream, code);
    else if (!loop->on_close)
      bench_fail("the server closed a stream: %d %.*s", code, stream->control_held > 2 ? stream->control_held - 2 : 0,
                 (const char *)stream->control + 2);
  }
}

// Passes over what has come; nothing is kept but an incomplete header or control frame.
static void pass_over(struct stream_loop *loop, struct stream *stream, const uint8_t *at, size_t count) {
  const uint8_t *end = at + count;
  while (at < end) {
    if (stream->remaining) {
      size_t step = (size_t)(end - at) < stream->remaining ? (size_t)(end - at) : (size_t)stream->remaining;
      if (stream->opcode >= 8 && stream->control_held + step <= sizeof stream->control) {
        memcpy(stream->control + stream->control_held, at, step);
        stream->control_held += (uint8_t)step;
      }
      at += step;
      stream->remaining -= step;
      if (!stream->remaining && stream->opcode >= 8) end_frame(loop, stream);
      continue;
    }
    const uint8_t *header = at;
    size_t size;
    if (!stream->header_held && end - at >= 2 && (size_t)(end - at) >= (size = header_size(at))) {
      at += size;
    } else {
      stream->header[stream->header_held++] = *at++;
      if (stream->header_held < 2 || stream->header_held < header_size(stream->header)) continue;
      header = stream->header;
      stream->header_held = 0;
    }
    begin_frame(loop, stream, header);
    if (!stream->remaining && stream->opcode >= 8) end_frame(loop, stream);
  }
}

// Reads whole frames, to find the timestamp in them.
static void read_whole(struct stream_loop *loop, struct stream *stream, const uint8_t *bytes, size_t count) {
  if (stream->held_length) {
    if (stream->held_length + count > stream->held_capacity) {
      stream->held_capacity = stream->held_length + count;
      stream->held = realloc(stream->held, stream->held_capacity);
    }
    memcpy(stream->held + stream->held_length, bytes, count);
    bytes = (const uint8_t *)stream->held;
    count += stream->held_length;
  }
  size_t at = 0;
  while (count - at >= 2) {
    size_t header = header_size(bytes + at);
    if (count - at < header) break;
    uint64_t payload = payload_size(bytes + at);
    if (payload > frame_limit) bench_fail("a frame of %llu bytes", (unsigned long long)payload);
    if (count - at < header + payload) break;
    begin_frame(loop, stream, bytes + at);
    if (stream->opcode < 8) {
      if (loop->on_message) loop->on_message(loop, stream, bytes + at + header, (size_t)payload);
      else if (loop->counting) stream_take_latencies(loop, bytes + at + header, (size_t)payload);
    }
    if (stream->opcode >= 8 && payload <= sizeof stream->control) {
      memcpy(stream->control, bytes + at + header, (size_t)payload);
      stream->control_held = (uint8_t)payload;
      end_frame(loop, stream);
    }
    stream->remaining = 0;
    at += header + (size_t)payload;
  }
  size_t rest = count - at;
  if (rest) {
    if (rest > stream->held_capacity) {
      stream->held_capacity = rest;
      char *held = malloc(rest);
      memcpy(held, bytes + at, rest);
      free(stream->held);
      stream->held = held;
    } else {
      memmove(stream->held, bytes + at, rest);
    }
  } else if (stream->held) {
    free(stream->held);
    stream->held = NULL;
    stream->held_capacity = 0;
  }
  stream->held_length = rest;
}

static void take_upgrade(struct stream_loop *loop, struct stream *stream, const uint8_t *bytes, size_t count) {
  const uint8_t *end = memmem(bytes, count, "\r\n\r\n", 4);
  // The answer is one small segment; a server that splits it isn't measured here.
  if (!end) bench_fail("an incomplete answer to the upgrade");
  if (memcmp(bytes, "HTTP/1.1 101", 12) != 0) bench_fail("no upgrade: %.*s", (int)count, (const char *)bytes);
  if (loop->deflate && !memmem(bytes, (size_t)(end - bytes), "permessage-deflate", 18))
    bench_fail("permessage-deflate was not accepted");
  stream->state = stream_open;
  loop->open++;
  size_t head = (size_t)(end - bytes) + 4;
  if (count > head) (loop->latency ? read_whole : pass_over)(loop, stream, bytes + head, count - head);
  if (loop->on_open) loop->on_open(loop, stream);
}

static void receive(struct stream_loop *loop, struct stream *stream) {
  ssize_t got = recv(stream->fd, buffer, buffer_size, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    if (!loop->on_close)
      bench_fail("the server ended stream %ld: %s", (long)(stream - loop->streams), got < 0 ? strerror(errno) : "end");
    stream_close(loop, stream);
    return;
  }
  if (loop->counting) loop->wire_bytes += (uint64_t)got;
  if (stream->state == stream_upgrading) take_upgrade(loop, stream, buffer, (size_t)got);
  else if (loop->latency) read_whole(loop, stream, buffer, (size_t)got);
  else pass_over(loop, stream, buffer, (size_t)got);
}

int stream_loop_turn(struct stream_loop *loop, int milliseconds) {
  static struct epoll_event events[1024];
  int ready = epoll_wait(loop->epoll, events, 1024, milliseconds);
  for (int i = 0; i < ready; i++) {
    struct stream *stream = events[i].data.ptr;
    if (stream->state == stream_connecting) send_upgrade(loop, stream);
    else if (stream->state != stream_closed) receive(loop, stream);
  }
  return ready;
}

void stream_loop_open_all(struct stream_loop *loop) {
  int64_t deadline = bench_now() + 60000000000;
  while (loop->open < loop->wanted) {
    stream_loop_connect(loop);
    stream_loop_turn(loop, 1000);
    if (bench_now() > deadline) bench_fail("only %ld of %ld streams opened in 60 s", loop->open, loop->wanted);
  }
}
