// From what an agent writes to its pipe to the frame at a client: how long, how much, and how soon after its death.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream.h"

static const char stream_path[] = "/api/v1/stream";

static void prompt(int port, const char *session, long rate) {
  char path[128], body[128];
  snprintf(path, sizeof path, "/api/v1/sessions/%s/messages", session);
  snprintf(body, sizeof body, "{\"content\":\"@rate %ld\"}", rate);
  call(port, "POST", path, body);
}

static void turn_for(struct stream_loop *loop, double seconds) {
  int64_t end = bench_now() + (int64_t)(seconds * 1e9);
  while (bench_now() < end) stream_loop_turn(loop, 10);
}

static uint64_t chunks, slow;

static bool is_of_type(const uint8_t *payload, size_t length, const char *type) {
  char pattern[64];
  int size = snprintf(pattern, sizeof pattern, "\"type\":\"%s\"", type);
  return memmem(payload, length < 96 ? length : 96, pattern, (size_t)size);
}

// A whole message at its end repeats what was streamed, old timestamps and all.
static void take_chunk(struct stream_loop *loop, struct stream *stream, const uint8_t *payload, size_t length) {
  (void)stream;
  if (memmem(payload, length, "\"kind\":\"error\"", 14)) bench_fail("%.*s", (int)length, (const char *)payload);
  if (is_of_type(payload, length, "client:slow")) slow++;
  if (!loop->counting || !is_of_type(payload, length, "stream:chunk")) return;
  chunks++;
  stream_take_latencies(loop, payload, length);
}

void run_pipe(void) {
  struct target target = target_from_options(stream_path);
  long sessions = bench_number("sessions", 10), rate = bench_number("rate", 100);
  const char *provider = bench_text("provider", NULL), *workspace = bench_text("workspace", "/tmp");
  bench_options_done();
  struct stream_loop loop;
  stream_loop_init(&loop, target, 1, false, true);
  loop.on_message = take_chunk;
  stream_loop_open_all(&loop);
  // Who says no hello is held back for a second.
  turn_for(&loop, 1.2);
  for (long i = 0; i < sessions; i++) {
    char session[64];
    new_session(target.port, provider, workspace, session);
    prompt(target.port, session, rate);
    stream_loop_turn(&loop, 0);
  }
  turn_for(&loop, target.warmup);
  int64_t start = bench_now(), server = bench_cpu_nanoseconds(target.pid), busy = bench_busy_nanoseconds();
  loop.counting = true;
  turn_for(&loop, target.duration);
  double seconds = (double)(bench_now() - start) / 1e9;
  double server_cpu = (double)(bench_cpu_nanoseconds(target.pid) - server) / 1e9;
  if (!loop.latencies->count) bench_fail("no delta came in %.1f s", seconds);
  printf("{\"deltasPerSecond\":%.0f,\"framesPerSecond\":%.0f,\"p50Us\":%.1f,\"p99Us\":%.1f,\"maxUs\":%.1f,"
         "\"serverCpu\":%.3f,\"cpuUsPerDelta\":%.2f,\"machineCpu\":%.3f,\"slow\":%llu,\"rss\":%lld}\n",
         (double)loop.latencies->count / seconds, (double)chunks / seconds,
         (double)bench_percentile(loop.latencies, 50) / 1e3, (double)bench_percentile(loop.latencies, 99) / 1e3,
         (double)loop.latencies->max / 1e3, server_cpu / seconds, server_cpu * 1e6 / (double)loop.latencies->count,
         (double)(bench_busy_nanoseconds() - busy) / 1e9 / seconds, (unsigned long long)slow,
         (long long)bench_resident_bytes(target.pid));
}

// MARK: Crashes

static const char *awaited;
static char watched[64];
static long heard;
static int64_t killed;

static void await_message(struct stream_loop *loop, struct stream *stream, const uint8_t *payload, size_t length) {
  (void)stream;
  if (!awaited || !memmem(payload, length, awaited, strlen(awaited)) || !memmem(payload, length, watched, strlen(watched)))
    return;
  heard++;
  if (killed) bench_record(loop->latencies, bench_now() - killed);
}

// Waits until as many streams as there are have been told.
static void await(struct stream_loop *loop, const char *text) {
  int64_t deadline = bench_now() + 10000000000;
  heard = 0;
  awaited = text;
  while (heard < loop->wanted) {
    stream_loop_turn(loop, 100);
    if (bench_now() > deadline) bench_fail("only %ld of %ld clients got %s", heard, loop->wanted, text);
  }
  awaited = NULL;
}

void run_crash(void) {
  struct target target = target_from_options(stream_path);
  long clients = bench_number("clients", 5), crashes = bench_number("crashes", 20);
  const char *provider = bench_text("provider", NULL), *workspace = bench_text("workspace", "/tmp");
  bench_options_done();
  struct stream_loop loop;
  stream_loop_init(&loop, target, clients, false, true);
  loop.on_message = await_message;
  stream_loop_open_all(&loop);
  turn_for(&loop, 1.2);
  for (long i = 0; i < crashes; i++) {
    new_session(target.port, provider, workspace, watched);
    // Slow enough that each client gets the first before any gets the second.
    prompt(target.port, watched, 10);
    await(&loop, "\"type\":\"stream:chunk\"");
    const char *children = strstr(call(target.port, "GET", "/status", ""), "\"children\":[");
    const char *pid = children ? strstr(children, "\"pid\":") : NULL;
    int child = pid ? atoi(pid + 6) : 0;
    if (child <= 1) bench_fail("no process of the session in /status");
    killed = bench_now();
    if (kill(child, SIGKILL) != 0) bench_fail("process %d can't be killed", child);
    await(&loop, "\"kind\":\"error\"");
    killed = 0;
  }
  printf("{\"crashes\":%ld,\"clients\":%ld,\"told\":%llu,\"p50Us\":%.1f,\"p99Us\":%.1f,\"maxUs\":%.1f}\n", crashes,
         clients, (unsigned long long)loop.latencies->count, (double)bench_percentile(loop.latencies, 50) / 1e3,
         (double)bench_percentile(loop.latencies, 99) / 1e3, (double)loop.latencies->max / 1e3);
}
