#include "cbench.h"

enum { steps = 64, step_bits = 6 };

static unsigned bucket_of(uint64_t value) {
  if (value < steps) return (unsigned)value;
  unsigned power = 63u - (unsigned)__builtin_clzll(value);
  return (power - step_bits + 1) * steps + (unsigned)((value >> (power - step_bits)) & (steps - 1));
}

static int64_t middle_of(unsigned bucket) {
  if (bucket < steps) return bucket;
  unsigned shift = bucket / steps - 1;
  uint64_t low = (uint64_t)(steps + bucket % steps) << shift;
  return (int64_t)(low + ((1ull << shift) >> 1));
}

void bench_record(struct bench_histogram *histogram, int64_t nanoseconds) {
  uint64_t value = nanoseconds < 0 ? 0 : (uint64_t)nanoseconds;
  histogram->buckets[bucket_of(value)]++;
  histogram->count++;
  if ((int64_t)value > histogram->max) histogram->max = (int64_t)value;
}

int64_t bench_percentile(const struct bench_histogram *histogram, double percent) {
  if (!histogram->count) return 0;
  uint64_t wanted = (uint64_t)((double)histogram->count * percent / 100.0), seen = 0;
  if (wanted >= histogram->count) wanted = histogram->count - 1;
  for (unsigned bucket = 0; bucket < sizeof histogram->buckets / sizeof histogram->buckets[0]; bucket++) {
    seen += histogram->buckets[bucket];
    if (seen > wanted) return middle_of(bucket);
  }
  return histogram->max;
}
