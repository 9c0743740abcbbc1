// What the kernel asks for at least: an epoll loop that sends ready frames, by one `send` per delivery or by one
// `writev` per client and turn. It speaks just enough HTTP and WebSocket for the load generator, checks nothing, and
// keeps a window of the last frames that all clients share.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cbench.h"

enum { most_clients = 20000, iovecs = 1024 };

struct client {
  int fd;
  bool is_stream, is_blocked;
  uint64_t next;     // number of the frame it gets next
  size_t offset;     // bytes of that frame already sent
};

static int loop;
static struct client clients[most_clients + 64];  // by descriptor
static int streams[most_clients], stream_count;
static long wanted, burst, window;
static bool batched;

// Frames by number, in a ring of `window`.
static uint8_t *ring;
static size_t frame_size;
static uint64_t published;

static uint8_t *frame(uint64_t number) { return ring + (size_t)(number % (uint64_t)window) * frame_size; }

static void make_ring(long payload) {
  size_t header = payload < 126 ? 2 : payload < 65536 ? 4 : 10;
  frame_size = header + (size_t)payload;
  ring = malloc(frame_size * (size_t)window);
  for (long i = 0; i < window; i++) {
    uint8_t *at = ring + (size_t)i * frame_size;
    *at++ = 0x81;
    if (payload < 126) *at++ = (uint8_t)payload;
    else if (payload < 65536) *at++ = 126, *at++ = (uint8_t)(payload >> 8), *at++ = (uint8_t)payload;
    else for (int byte = (*at++ = 127, 7); byte >= 0; byte--) *at++ = (uint8_t)((uint64_t)payload >> (8 * byte));
    memset(at, 'x', (size_t)payload);
  }
}

static void publish(void) {
  uint8_t *text = frame(published) + (frame_size < 128 ? 2 : frame_size < 65540 ? 4 : 10);
  uint64_t now = (uint64_t)bench_now();
  text[0] = '@', text[1] = 'T';
  for (int i = 20; i >= 2; i--, now /= 10) text[i] = (uint8_t)('0' + now % 10);
  published++;
}

static void send_each(struct client *client) {
  while (client->next < published) {
    ssize_t sent = send(client->fd, frame(client->next) + client->offset, frame_size - client->offset, MSG_NOSIGNAL);
    if (sent < 0) break;
    client->offset += (size_t)sent;
    if (client->offset == frame_size) client->next++, client->offset = 0;
  }
}

static void send_batch(struct client *client) {
  static struct iovec parts[iovecs];
  while (client->next < published) {
    int count = 0;
    size_t total = 0;
    for (uint64_t number = client->next; number < published && count < iovecs; number++, count++) {
      size_t skip = number == client->next ? client->offset : 0;
      parts[count] = (struct iovec){frame(number) + skip, frame_size - skip};
      total += frame_size - skip;
    }
    ssize_t sent = writev(client->fd, parts, count);
    if (sent < 0) break;
    size_t position = client->offset + (size_t)sent;
    client->next += position / frame_size;
    client->offset = position % frame_size;
    if ((size_t)sent < total) break;
  }
}

static void flush(struct client *client) {
  (batched ? send_batch : send_each)(client);
  client->is_blocked = client->next < published;
}

// Whether the client furthest behind leaves room for another burst.
static bool has_room(void) {
  for (int i = 0; i < stream_count; i++) {
    if (published - clients[streams[i]].next > (uint64_t)(window - burst)) return false;
  }
  return true;
}

static void publish_burst(long count) {
  for (long i = 0; i < count; i++) publish();
  for (int i = 0; i < stream_count; i++) {
    struct client *client = &clients[streams[i]];
    if (!client->is_blocked) flush(client);
  }
}

static void drop(struct client *client) {
  close(client->fd);
  for (int i = 0; client->is_stream && i < stream_count; i++) {
    if (streams[i] == client->fd) streams[i] = streams[--stream_count];
  }
}

static void answer(struct client *client, char *from, size_t length) {
  static const char body[] =
      "{\"status\":\"ok\",\"version\":\"0.1.0\",\"uptime\":1234.567,\"clients\":0,\"activeSessions\":0}";
  static char health[512];
  static size_t health_length;
  if (!health_length)
    health_length = (size_t)sprintf(health,
                                    "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\n"
                                    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                                    sizeof body - 1, body);
  static char out[256 * 512];
  size_t out_length = 0;
  char *end = from + length, *stop;
  while (from < end && (stop = memmem(from, (size_t)(end - from), "\r\n\r\n", 4))) {
    *stop = 0;
    char *key = strcasestr(from, "Sec-WebSocket-Key: ");
    if (key) {
      char accept[29];
      bench_websocket_accept(key + 19, 24, accept);
      out_length += (size_t)sprintf(out + out_length,
                                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                    "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                                    accept);
      client->is_stream = true;
      client->next = published;
      streams[stream_count++] = client->fd;
    } else if (out_length + health_length < sizeof out) {
      memcpy(out + out_length, health, health_length);
      out_length += health_length;
    }
    from = stop + 4;
  }
  if (send(client->fd, out, out_length, MSG_NOSIGNAL) < 0) drop(client);
}

static void ready(struct client *client, uint32_t events) {
  if (events & EPOLLOUT && client->is_stream && client->next < published) flush(client);
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  static char buffer[64 * 1024];
  for (;;) {
    ssize_t got = recv(client->fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EAGAIN) return;
    // A frame from a client can only be its close.
    if (got <= 0 || client->is_stream) {
      drop(client);
      return;
    }
    answer(client, buffer, (size_t)got);
    if ((size_t)got < sizeof buffer) return;
  }
}

static void accept_all(int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    if (fd >= most_clients) bench_fail("too many clients");
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    clients[fd] = (struct client){.fd = fd};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd};
    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
  }
}

static int listen_on_loopback(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 4096) < 0)
    bench_fail("listen on port %d: %s", port, strerror(errno));
  getsockname(fd, (struct sockaddr *)&address, &size);
  printf("ready %d\n", ntohs(address.sin_port));
  fflush(stdout);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
  return fd;
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  bench_raise_descriptors();
  bench_options(argc - 1, argv + 1);
  int port = (int)bench_number("port", 0);
  wanted = bench_number("clients", 0);
  long size = bench_number("size", 256), rate = bench_number("rate", 0);
  burst = bench_number("burst", 64);
  const char *mode = bench_text("publish", "none"), *compression = bench_text("compression", "none");
  batched = bench_flag("batched");
  bench_options_done();
  if (strcmp(compression, "none") != 0) bench_fail("the floor does not compress");
  if (size < 21) bench_fail("no room for a timestamp in %ld bytes", size);
  window = 4 * burst;
  make_ring(size);

  loop = epoll_create1(EPOLL_CLOEXEC);
  int listener = listen_on_loopback(port), timer = -1;
  bool saturated = strcmp(mode, "saturated") == 0;
  if (strcmp(mode, "paced") == 0) {
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct timespec step = {.tv_sec = rate == 1, .tv_nsec = rate == 1 ? 0 : 1000000000 / rate};
    timerfd_settime(timer, 0, &(struct itimerspec){step, step}, NULL);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = timer};
    epoll_ctl(loop, EPOLL_CTL_ADD, timer, &event);
  }
  for (;;) {
    bool publishing = wanted > 0 && stream_count >= wanted;
    bool now = publishing && saturated && has_room();
    struct epoll_event events[256];
    int count = epoll_wait(loop, events, 256, now ? 0 : -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) accept_all(listener);
      else if (fd == timer) {
        uint64_t ticks = 0;
        // A tick that was missed is not made up for: the rate is a rate, not a debt.
        if (read(timer, &ticks, sizeof ticks) == sizeof ticks && publishing) publish_burst(1);
      } else ready(&clients[fd], events[i].events);
    }
    if (now) publish_burst(burst);
  }
}
