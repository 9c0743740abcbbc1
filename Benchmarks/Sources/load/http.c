// GET requests over keep-alive connections, each with a number of requests under way.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum { buffer_size = 64 * 1024 };

struct connection {
  int fd;
  int awaited;       // answers still to come of the batch
  int64_t sent_at;
  size_t held;       // bytes of an incomplete answer
  char buffer[buffer_size];
};

static char *batch;
static size_t batch_length;
static long pipeline;
static uint64_t answers, bytes_read;
static struct bench_histogram *latencies;
static bool counting;

// Where the length stood in the last answer. The next one most likely has the same shape; it is checked, not assumed.
static size_t header_length, length_at, length_digits;

static void send_batch(struct connection *connection) {
  connection->awaited = (int)pipeline;
  connection->sent_at = bench_now();
  // A batch is far smaller than a socket buffer that has just been emptied.
  if (send(connection->fd, batch, batch_length, MSG_NOSIGNAL) != (ssize_t)batch_length)
    bench_fail("send: %s", strerror(errno));
}

static size_t learn(const char *from, size_t available) {
  const char *end = memmem(from, available, "\r\n\r\n", 4);
  if (!end) return 0;
  header_length = (size_t)(end - from) + 4;
  for (const char *line = from; line < end; line = (const char *)memchr(line, '\n', (size_t)(end + 4 - line)) + 1) {
    if (strncasecmp(line, "content-length: ", 16) == 0) {
      length_at = (size_t)(line - from);
      length_digits = strspn(line + 16, "0123456789");
      return header_length;
    }
  }
  bench_fail("an answer without Content-Length");
}

// The size of the answer at `from`, or 0 when it isn't complete yet.
static size_t answer_size(const char *from, size_t available) {
  bool alike = header_length && available >= header_length &&
               memcmp(from + header_length - 4, "\r\n\r\n", 4) == 0 &&
               strncasecmp(from + length_at, "content-length: ", 16) == 0 &&
               from[length_at + 16 + length_digits] == '\r';
  if (!alike && !learn(from, available)) return 0;
  size_t body = 0;
  for (size_t i = 0; i < length_digits; i++) body = body * 10 + (size_t)(from[length_at + 16 + i] - '0');
  if (available < header_length + body) return 0;
  if (memcmp(from, "HTTP/1.1 200", 12) != 0) bench_fail("not 200: %.*s", (int)header_length, from);
  return header_length + body;
}

static void receive(struct connection *connection) {
  ssize_t got = recv(connection->fd, connection->buffer + connection->held, buffer_size - connection->held, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) bench_fail("the server closed a connection: %s", got < 0 ? strerror(errno) : "end");
  size_t end = connection->held + (size_t)got, at = 0, size;
  if (counting) bytes_read += (uint64_t)got;
  while (at < end && (size = answer_size(connection->buffer + at, end - at))) {
    at += size;
    connection->awaited--;
    if (counting) answers++;
  }
  connection->held = end - at;
  if (connection->held) memmove(connection->buffer, connection->buffer + at, connection->held);
  if (connection->awaited < 0) bench_fail("more answers than requests");
  if (connection->awaited == 0) {
    if (counting) bench_record(latencies, bench_now() - connection->sent_at);
    send_batch(connection);
  }
}

void run_http(void) {
  struct target target = target_from_options("/health");
  long count = bench_number("connections", 64);
  pipeline = bench_number("pipeline", 1);
  bench_options_done();
  latencies = calloc(1, sizeof *latencies);

  char request[512];
  int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", target.path, target.port);
  batch_length = (size_t)length * (size_t)pipeline;
  batch = malloc(batch_length);
  for (long i = 0; i < pipeline; i++) memcpy(batch + i * length, request, (size_t)length);

  int loop = epoll_create1(EPOLL_CLOEXEC);
  struct connection **connections = calloc((size_t)count, sizeof *connections);
  for (long i = 0; i < count; i++) {
    struct connection *connection = connections[i] = calloc(1, sizeof *connection);
    connection->fd = connect_blocking(target.port);
    if (connection->fd < 0) bench_fail("connect to port %d: %s", target.port, strerror(errno));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    epoll_ctl(loop, EPOLL_CTL_ADD, connection->fd, &event);
    send_batch(connection);
  }

  int64_t start = bench_now() + (int64_t)(target.warmup * 1e9), end = start + (int64_t)(target.duration * 1e9);
  int64_t server = 0, own = 0, busy = 0;
  for (;;) {
    struct epoll_event events[256];
    int ready = epoll_wait(loop, events, 256, 5000);
    if (ready == 0) bench_fail("the server has not answered for 5 s");
    int64_t now = bench_now();
    if (!counting && now >= start) {
      counting = true;
      start = now;
      server = bench_cpu_nanoseconds(target.pid);
      own = bench_own_cpu_nanoseconds();
      busy = bench_busy_nanoseconds();
    }
    if (now >= end) {
      end = now;
      break;
    }
    for (int i = 0; i < ready; i++) receive(events[i].data.ptr);
  }
  double seconds = (double)(end - start) / 1e9;
  double server_cpu = target.pid ? (double)(bench_cpu_nanoseconds(target.pid) - server) / 1e9 : 0;
  double own_cpu = (double)(bench_own_cpu_nanoseconds() - own) / 1e9;
  printf(
      "{\"requestsPerSecond\":%.0f,\"p50Us\":%.1f,\"p99Us\":%.1f,\"bytesPerSecond\":%.0f,\"serverCpu\":%.3f,"
      "\"loadCpu\":%.3f,\"otherCpu\":%.3f,\"cpuPerMillion\":%.3f}\n",
      (double)answers / seconds, (double)bench_percentile(latencies, 50) / 1e3,
      (double)bench_percentile(latencies, 99) / 1e3, (double)bytes_read / seconds, server_cpu / seconds,
      own_cpu / seconds, (double)(bench_busy_nanoseconds() - busy) / 1e9 / seconds - (server_cpu + own_cpu) / seconds,
      answers ? server_cpu / ((double)answers / 1e6) : 0);
}
