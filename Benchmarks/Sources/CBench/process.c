#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "cbench.h"

static int64_t of_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t bench_now(void) { return of_clock(CLOCK_MONOTONIC); }
int64_t bench_own_cpu_nanoseconds(void) { return of_clock(CLOCK_PROCESS_CPUTIME_ID); }

// Calls visit for each entry of a folder below /proc/PID; the count, or -1.
static int64_t each_entry(int pid, const char *folder, void (*visit)(int pid, const char *name, int64_t *sum),
                          int64_t *sum) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, folder);
  DIR *directory = opendir(path);
  if (!directory) return -1;
  int64_t count = 0;
  struct dirent *entry;
  while ((entry = readdir(directory))) {
    if (entry->d_name[0] == '.') continue;
    count++;
    if (visit) visit(pid, entry->d_name, sum);
  }
  closedir(directory);
  return count;
}

static void add_cpu(int pid, const char *thread, int64_t *sum) {
  // /proc/PID/stat counts ticks of 10 ms; the scheduler's own figure is exact.
  char path[96];
  snprintf(path, sizeof path, "/proc/%d/task/%.16s/schedstat", pid, thread);
  FILE *file = fopen(path, "re");
  if (!file) return;
  long long nanoseconds;
  if (fscanf(file, "%lld", &nanoseconds) == 1) *sum += nanoseconds;
  fclose(file);
}

int64_t bench_cpu_nanoseconds(int pid) {
  int64_t sum = 0;
  return each_entry(pid, "task", add_cpu, &sum) < 0 ? -1 : sum;
}

int64_t bench_busy_nanoseconds(void) {
  // proc(5): user, nice, system, idle, iowait, irq, softirq, steal, in hundredths of a second.
  long long time[8] = {0};
  FILE *file = fopen("/proc/stat", "re");
  if (!file) return 0;
  int found = fscanf(file, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &time[0], &time[1], &time[2], &time[3], &time[4],
                     &time[5], &time[6], &time[7]);
  fclose(file);
  if (found != 8) return 0;
  return (time[0] + time[1] + time[2] + time[5] + time[6] + time[7]) * 10000000;
}

int64_t bench_descriptors(int pid) { return each_entry(pid, "fd", NULL, NULL); }

static void add_children(int pid, const char *thread, int64_t *sum) {
  char path[96];
  snprintf(path, sizeof path, "/proc/%d/task/%.16s/children", pid, thread);
  FILE *file = fopen(path, "re");
  if (!file) return;
  int child;
  while (fscanf(file, "%d", &child) == 1) ++*sum;
  fclose(file);
}

int64_t bench_children(int pid) {
  int64_t sum = 0;
  return each_entry(pid, "task", add_children, &sum) < 0 ? -1 : sum;
}

int64_t bench_resident_bytes(int pid) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *file = fopen(path, "re");
  if (!file) return -1;
  long long kibibytes = -1;
  while (fgets(line, sizeof line, file)) {
    if (sscanf(line, "VmRSS: %lld", &kibibytes) == 1) break;
  }
  fclose(file);
  return kibibytes < 0 ? -1 : kibibytes * 1024;
}

void bench_raise_descriptors(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}
