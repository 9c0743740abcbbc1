#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cbench.h"

enum { most_options = 64 };
static int count;
static char **words;
static bool used[most_options];

_Noreturn void bench_fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

void bench_options(int argc, char **argv) {
  if (argc > most_options) bench_fail("too many options");
  count = argc;
  words = argv;
}

static int find(const char *name) {
  for (int i = 0; i < count; i++) {
    if (!used[i] && strncmp(words[i], "--", 2) == 0 && strcmp(words[i] + 2, name) == 0) return i;
  }
  return -1;
}

bool bench_flag(const char *name) {
  int at = find(name);
  if (at >= 0) used[at] = true;
  return at >= 0;
}

const char *bench_text(const char *name, const char *fallback) {
  int at = find(name);
  if (at < 0) {
    if (!fallback) bench_fail("--%s is missing", name);
    return fallback;
  }
  if (at + 1 >= count) bench_fail("--%s has no value", name);
  used[at] = used[at + 1] = true;
  return words[at + 1];
}

double bench_seconds(const char *name, double fallback) {
  char standard[32];
  snprintf(standard, sizeof standard, "%g", fallback);
  const char *text = bench_text(name, standard);
  char *end;
  double value = strtod(text, &end);
  if (*end || end == text || value < 0) bench_fail("--%s: %s is no number", name, text);
  return value;
}

long bench_number(const char *name, long fallback) { return (long)bench_seconds(name, (double)fallback); }

void bench_options_done(void) {
  for (int i = 0; i < count; i++) {
    if (!used[i]) bench_fail("unknown option: %s", words[i]);
  }
}
