// From fork to the first answer of /health, and what the process then holds.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

static bool is_healthy(int port, const char *path) {
  int fd = connect_blocking(port);
  if (fd < 0) return false;
  char text[2048];
  int length = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n", path, port);
  send(fd, text, (size_t)length, MSG_NOSIGNAL);
  ssize_t got = recv(fd, text, sizeof text, 0);
  close(fd);
  if (got >= 12 && memcmp(text, "HTTP/1.1 200", 12) != 0) bench_fail("not 200: %.*s", (int)got, text);
  return got >= 12;
}

void run_sample(void) {
  int pid = (int)bench_number("pid", 0);
  bench_options_done();
  printf("{\"rss\":%lld,\"fds\":%lld,\"children\":%lld}\n", (long long)bench_resident_bytes(pid),
         (long long)bench_descriptors(pid), (long long)bench_children(pid));
}

// Options, then "--" and the program with its arguments.
void run_coldstart(int argc, char **argv) {
  int split = 0;
  while (split < argc && strcmp(argv[split], "--") != 0) split++;
  if (split + 1 >= argc) bench_fail("no program after --");
  bench_options(split, argv);
  int port = (int)bench_number("port", 8080);
  double settle = bench_seconds("settle", 1), limit = bench_seconds("limit", 30);
  const char *path = bench_text("path", "/health");
  bench_options_done();

  int64_t start = bench_now();
  pid_t pid = fork();
  if (pid < 0) bench_fail("fork: %s", strerror(errno));
  if (pid == 0) {
    dup2(2, 1);  // what it prints isn't our JSON
    execvp(argv[split + 1], argv + split + 1);
    _exit(127);
  }
  int64_t ready = 0, deadline = start + (int64_t)(limit * 1e9);
  while (!ready) {
    if (is_healthy(port, path)) ready = bench_now();
    else if (waitpid(pid, NULL, WNOHANG) == pid) bench_fail("the program ended before it answered");
    else if (bench_now() > deadline) {
      kill(pid, SIGKILL);
      bench_fail("no answer in %.0f s", limit);
    } else usleep(200);
  }
  int64_t rss = bench_resident_bytes(pid), cpu = bench_cpu_nanoseconds(pid);
  usleep((useconds_t)(settle * 1e6));
  int64_t settled = bench_resident_bytes(pid);
  kill(pid, SIGTERM);
  bool ended = false;
  for (int i = 0; i < 500 && !ended; i++) {
    ended = waitpid(pid, NULL, WNOHANG) == pid;
    if (!ended) usleep(10000);
  }
  if (!ended) {
    kill(pid, SIGKILL);
    bench_fail("the program did not end within 5 s of SIGTERM");
  }
  printf("{\"startMs\":%.2f,\"cpuMs\":%.2f,\"rss\":%lld,\"rssSettled\":%lld}\n", (double)(ready - start) / 1e6,
         (double)cpu / 1e6, (long long)rss, (long long)settled);
}
