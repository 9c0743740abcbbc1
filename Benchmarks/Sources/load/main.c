// The load generator: one thread, one epoll loop. It prints one line of JSON.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

struct target target_from_options(const char *path) {
  return (struct target){
      .port = (int)bench_number("port", 8080),
      .pid = (int)bench_number("pid", 0),
      .path = bench_text("path", path),
      .warmup = bench_seconds("warmup", 0.5),
      .duration = bench_seconds("duration", 3),
  };
}

static int begin(int port, int flags) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (fd < 0) bench_fail("socket: %s", strerror(errno));
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
    int error = errno;
    close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

int connect_begin(int port) {
  int fd = begin(port, SOCK_NONBLOCK);
  if (fd < 0) bench_fail("connect to port %d: %s", port, strerror(errno));
  return fd;
}

int connect_blocking(int port) { return begin(port, 0); }

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  signal(SIGPIPE, SIG_IGN);
  bench_raise_descriptors();
  if (strcmp(mode, "coldstart") == 0) {
    run_coldstart(argc - 2, argv + 2);
    return 0;
  }
  bench_options(argc - 2, argv + 2);
  if (strcmp(mode, "http") == 0) run_http();
  else if (strcmp(mode, "ws") == 0) run_streams();
  else if (strcmp(mode, "idle") == 0) run_idle();
  else if (strcmp(mode, "cycles") == 0) run_cycles();
  else if (strcmp(mode, "sample") == 0) run_sample();
  else if (strcmp(mode, "pipe") == 0) run_pipe();
  else if (strcmp(mode, "crash") == 0) run_crash();
  else if (strcmp(mode, "restart") == 0) run_restart();
  else bench_fail("usage: load http|ws|idle|cycles|coldstart|sample|pipe|crash|restart [options]; see Benchmarks/README.md");
  return 0;
}
