// agent --protocol claude|acp|codex [--core N]: what a provider's program does between a prompt and a kill.
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent.h"
#include "cbench.h"

enum { stream_limit = 64, input_limit = 1 << 20, message_deltas = 4000, batch_size = 32 * 1024 };

static char **words;
static int word_count;
static const struct protocol *protocol;
static struct stream streams[stream_limit];
static int stream_count;
static long rate;
static char output[batch_size * 2];
static size_t held;

const char *argument(const char *name, const char *fallback) {
  for (int i = 1; i + 1 < word_count; i++) {
    if (strcmp(words[i], name) == 0) return words[i + 1];
  }
  return fallback;
}

const char *member(const char *line, const char *name) {
  static char values[4][256];
  static int turn;
  char *value = values[turn++ % 4], pattern[64];
  value[0] = 0;
  int length = snprintf(pattern, sizeof pattern, "\"%s\":", name);
  const char *at = strstr(line, pattern);
  if (!at) return value;
  at += length;
  bool is_text = *at == '"';
  if (is_text) at++;
  size_t count = strcspn(at, is_text ? "\"" : ",}]");
  if (count >= sizeof values[0]) bench_fail("%s is too long", name);
  memcpy(value, at, count);
  value[count] = 0;
  return value;
}

static void flush(void) {
  for (size_t at = 0; at < held;) {
    ssize_t count = write(1, output + at, held - at);
    if (count < 0 && errno != EINTR) exit(0);
    if (count > 0) at += (size_t)count;
  }
  held = 0;
}

void say(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int count = vsnprintf(output + held, sizeof output - held, format, arguments);
  va_end(arguments);
  if (count < 0 || held + (size_t)count + 1 >= sizeof output) bench_fail("a line is too long");
  held += (size_t)count;
  output[held++] = '\n';
}

void begin_stream(const char *session, const char *prompt) {
  const char *wish = strstr(prompt, "@rate ");
  if (!wish) bench_fail("the prompt doesn't say how fast");
  if (stream_count == stream_limit) bench_fail("more than %d conversations", stream_limit);
  rate = atol(wish + 6);
  struct stream *stream = &streams[stream_count++];
  snprintf(stream->session, sizeof stream->session, "%s", session);
  // Agents that were started together don't speak in step.
  srandom((unsigned)(getpid() * 64 + stream_count));
  stream->due = bench_now() + (rate ? random() % (1000000000 / rate) : 0);
  protocol->begin_message(stream);
}

static void speak(struct stream *stream) {
  char text[64];
  // About five tokens of text.
  snprintf(text, sizeof text, "@T%019lld ", (long long)bench_now());
  protocol->delta(stream, text);
  if (++stream->said < message_deltas) return;
  protocol->end_message(stream);
  stream->said = 0;
  stream->messages++;
  protocol->begin_message(stream);
}

// One write per delta, as a program does that hands on what its model streams.
static int64_t speak_paced(void) {
  int64_t next = INT64_MAX;
  for (int i = 0; i < stream_count; i++) {
    while (streams[i].due <= bench_now()) {
      speak(&streams[i]);
      flush();
      streams[i].due += 1000000000 / rate;
    }
    if (streams[i].due < next) next = streams[i].due;
  }
  return next;
}

// Many in a write: it is the daemon's speed that is asked for, not ours.
static void speak_saturated(void) {
  while (held < batch_size - 2048) {
    for (int i = 0; i < stream_count; i++) speak(&streams[i]);
  }
  flush();
}

static void read_input(void) {
  static char input[input_limit];
  static size_t length;
  ssize_t count = read(0, input + length, sizeof input - length - 1);
  if (count <= 0) exit(0);
  length += (size_t)count;
  for (char *end; (end = memchr(input, '\n', length));) {
    *end = 0;
    protocol->take(input);
    flush();
    length -= (size_t)(end + 1 - input);
    memmove(input, end + 1, length);
  }
  if (length == sizeof input - 1) bench_fail("a line is too long");
}

static void keep_to_core(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  sched_setaffinity(0, sizeof cores, &cores);
}

int main(int argc, char **argv) {
  words = argv;
  word_count = argc;
  const struct protocol *all[] = {&claude, &acp, &codex};
  for (int i = 0; i < 3; i++) {
    if (strcmp(argument("--protocol", ""), all[i]->name) == 0) protocol = all[i];
  }
  if (!protocol) bench_fail("--protocol is claude, acp or codex");
  int core = atoi(argument("--core", "-1"));
  if (core >= 0) keep_to_core(core);
  prctl(PR_SET_TIMERSLACK, 1);
  for (;;) {
    struct timespec wait = {0, 0};
    if (stream_count && rate) {
      int64_t rest = speak_paced() - bench_now();
      if (rest > 0) wait = (struct timespec){rest / 1000000000, rest % 1000000000};
    } else if (stream_count) {
      speak_saturated();
    }
    struct pollfd input = {.fd = 0, .events = POLLIN};
    if (ppoll(&input, 1, stream_count ? &wait : NULL, NULL) > 0) read_input();
  }
}
