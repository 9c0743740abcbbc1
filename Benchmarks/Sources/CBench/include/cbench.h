// What the C programs of the benchmarks share: clock, histogram, a look at another process, options.
#ifndef CBENCH_H
#define CBENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// CLOCK_MONOTONIC: the publisher writes it into the text, the load generator reads it in another process.
int64_t bench_now(void);

// Ends the program with a message on stderr.
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Options are `--name value`; a flag has no value. An option nobody asked for by the end is an error.
void bench_options(int argc, char **argv);
const char *bench_text(const char *name, const char *fallback);
long bench_number(const char *name, long fallback);
double bench_seconds(const char *name, double fallback);
bool bench_flag(const char *name);
void bench_options_done(void);

// Raises the number of descriptors this process may have to the hard limit.
void bench_raise_descriptors(void);

// Latencies in nanoseconds, 64 steps per power of two: an error of at most 1.6 %.
struct bench_histogram {
  uint64_t count;
  int64_t max;
  uint32_t buckets[64 * 64];
};
void bench_record(struct bench_histogram *histogram, int64_t nanoseconds);
int64_t bench_percentile(const struct bench_histogram *histogram, double percent);

// What a process has used or holds. -1 when it can't be read.
int64_t bench_cpu_nanoseconds(int pid);
int64_t bench_own_cpu_nanoseconds(void);
// Of all processes and cores together: what is left after the server and the load generator was somebody else.
int64_t bench_busy_nanoseconds(void);
int64_t bench_resident_bytes(int pid);
int64_t bench_descriptors(int pid);
int64_t bench_children(int pid);

// Sec-WebSocket-Accept of a key, NUL-terminated, 28 characters (RFC 6455, 4.2.2).
void bench_websocket_accept(const char *key, size_t length, char accept[29]);

#endif
