// The modes made of WebSocket clients: receiving, idle, connecting over and over.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream.h"

static const char stream_path[] = "/api/v1/stream";

void run_streams(void) {
  struct target target = target_from_options(stream_path);
  long clients = bench_number("clients", 100);
  bool deflate = bench_flag("deflate"), latency = bench_flag("latency");
  bench_options_done();
  struct stream_loop loop;
  stream_loop_init(&loop, target, clients, deflate, latency);
  stream_loop_open_all(&loop);

  int64_t start = bench_now() + (int64_t)(target.warmup * 1e9), end = start + (int64_t)(target.duration * 1e9);
  int64_t server = 0, own = 0, busy = 0;
  for (;;) {
    int ready = stream_loop_turn(&loop, 100);
    int64_t now = bench_now();
    if (!loop.counting && now >= start) {
      loop.counting = true;
      start = now;
      server = bench_cpu_nanoseconds(target.pid);
      own = bench_own_cpu_nanoseconds();
      busy = bench_busy_nanoseconds();
    }
    if (now >= end) {
      end = now;
      break;
    }
    if (ready < 0) bench_fail("epoll_wait failed");
  }
  double seconds = (double)(end - start) / 1e9;
  double server_cpu = target.pid ? (double)(bench_cpu_nanoseconds(target.pid) - server) / 1e9 : 0;
  double own_cpu = (double)(bench_own_cpu_nanoseconds() - own) / 1e9;
  if (!loop.messages) bench_fail("nothing was delivered in %.1f s", seconds);
  printf(
      "{\"deliveriesPerSecond\":%.0f,\"frameBytes\":%.1f,\"bytesPerSecond\":%.0f,\"serverCpu\":%.3f,\"loadCpu\":%.3f,\"otherCpu\":%.3f,"
      "\"cpuPerMillion\":%.3f,\"p50Us\":%.1f,\"p99Us\":%.1f,\"maxUs\":%.1f,\"timed\":%llu,\"compressedShare\":%.3f,\"rss\":%lld}\n",
      (double)loop.messages / seconds, (double)loop.payload_bytes / (double)loop.messages,
      (double)loop.wire_bytes / seconds, server_cpu / seconds, own_cpu / seconds,
      (double)(bench_busy_nanoseconds() - busy) / 1e9 / seconds - (server_cpu + own_cpu) / seconds,
      server_cpu / ((double)loop.messages / 1e6), (double)bench_percentile(loop.latencies, 50) / 1e3,
      (double)bench_percentile(loop.latencies, 99) / 1e3, (double)loop.latencies->max / 1e3,
      (unsigned long long)loop.latencies->count, (double)loop.compressed / (double)loop.messages,
      (long long)bench_resident_bytes(target.pid));
}

void run_idle(void) {
  struct target target = target_from_options(stream_path);
  long clients = bench_number("clients", 10000);
  long first = bench_number("before", 16);
  double hold = bench_seconds("hold", 1);
  bool deflate = bench_flag("deflate");
  bench_options_done();
  // A few come first: what the server allocates once isn't the price of a connection.
  struct stream_loop early, loop;
  stream_loop_init(&early, target, first, deflate, false);
  stream_loop_open_all(&early);
  int64_t until = bench_now() + 300000000;
  while (bench_now() < until) stream_loop_turn(&early, 20);
  int64_t before = bench_resident_bytes(target.pid);
  stream_loop_init(&loop, target, clients, deflate, false);
  stream_loop_open_all(&loop);
  until = bench_now() + (int64_t)(hold * 1e9);
  while (bench_now() < until) {
    stream_loop_turn(&loop, 20);
    stream_loop_turn(&early, 0);
  }
  int64_t after = bench_resident_bytes(target.pid);
  printf("{\"clients\":%ld,\"rssBefore\":%lld,\"rssAfter\":%lld,\"bytesPerConnection\":%.0f}\n", clients,
         (long long)before, (long long)after, (double)(after - before) / (double)clients);
}

// A stream that is open closes at once, properly: a close frame, then the server's end of the connection.
static void close_politely(struct stream_loop *loop, struct stream *stream) {
  (void)loop;
  static const uint8_t frame[] = {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8};
  send(stream->fd, frame, sizeof frame, MSG_NOSIGNAL);
}

static long closed;
static void count_closed(struct stream_loop *loop, struct stream *stream) {
  (void)loop;
  (void)stream;
  closed++;
}

void run_cycles(void) {
  struct target target = target_from_options(stream_path);
  long cycles = bench_number("cycles", 10000);
  bench_options_done();
  int64_t begin = 0, rss = 0, fds = 0, children = 0;
  // A first tenth isn't counted: what the server keeps ready for the next connection is no leak.
  for (int round = 0; round < 2; round++) {
    if (round == 1) {
      usleep(300000);
      begin = bench_now();
      rss = bench_resident_bytes(target.pid);
      fds = bench_descriptors(target.pid);
      children = bench_children(target.pid);
    }
    struct stream_loop loop;
    stream_loop_init(&loop, target, round == 0 ? cycles / 10 : cycles, false, false);
    loop.on_open = close_politely;
    loop.on_close = count_closed;
    closed = 0;
    int64_t deadline = bench_now() + 120000000000;
    while (closed < loop.wanted) {
      // `open` counts all that were ever opened, so this keeps a bounded number on their way.
      stream_loop_connect(&loop);
      stream_loop_turn(&loop, 1000);
      if (bench_now() > deadline) bench_fail("only %ld of %ld streams were closed in 120 s", closed, loop.wanted);
    }
    free(loop.streams);
    free(loop.latencies);
    close(loop.epoll);
  }
  double seconds = (double)(bench_now() - begin) / 1e9;
  // The server hears of the last closings in its next turns.
  for (int i = 0; i < 40 && bench_descriptors(target.pid) > fds; i++) usleep(50000);
  printf(
      "{\"cycles\":%ld,\"cyclesPerSecond\":%.0f,\"rssBefore\":%lld,\"rssAfter\":%lld,\"fdsBefore\":%lld,"
      "\"fdsAfter\":%lld,\"childrenBefore\":%lld,\"childrenAfter\":%lld}\n",
      cycles, (double)cycles / seconds, (long long)rss, (long long)bench_resident_bytes(target.pid), (long long)fds,
      (long long)bench_descriptors(target.pid), (long long)children, (long long)bench_children(target.pid));
}
