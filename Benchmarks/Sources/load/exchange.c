#include "exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

void exchange_init(struct exchange *exchange, bool keeps) {
  memset(exchange, 0, sizeof *exchange);
  exchange->fd = -1;
  exchange->keeps = keeps;
}

void exchange_set(struct exchange *exchange, int port, const char *method, const char *path, const char *body) {
  int length = snprintf(exchange->request, sizeof exchange->request,
                        "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%sContent-Length: %zu\r\n\r\n%s", method, path, port,
                        exchange->keeps ? "" : "Connection: close\r\n",
                        *body ? "Content-Type: application/json\r\n" : "", strlen(body), body);
  if (length < 0 || (size_t)length >= sizeof exchange->request) bench_fail("a request is too long");
  exchange->request_length = (size_t)length;
}

static void send_request(struct exchange *exchange) {
  // It is far smaller than the buffer of a socket in which nothing waits.
  if (send(exchange->fd, exchange->request, exchange->request_length, MSG_NOSIGNAL) != (ssize_t)exchange->request_length)
    bench_fail("a request was refused: %s", strerror(errno));
  exchange->sent = true;
}

void exchange_begin(struct exchange *exchange, int epoll, int port) {
  exchange->under_way = true;
  exchange->sent = false;
  exchange->held = 0;
  if (exchange->fd >= 0) return send_request(exchange);
  exchange->fd = connect_begin(port);
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = exchange};
  epoll_ctl(epoll, EPOLL_CTL_ADD, exchange->fd, &event);
}

static void hang_up(struct exchange *exchange, int epoll) {
  epoll_ctl(epoll, EPOLL_CTL_DEL, exchange->fd, NULL);
  close(exchange->fd);
  exchange->fd = -1;
}

static const char *field(const char *head, const char *name) {
  for (const char *line = strchr(head, '\n'); line; line = strchr(line + 1, '\n')) {
    if (strncasecmp(line + 1, name, strlen(name)) == 0) return line + 1 + strlen(name);
  }
  return NULL;
}

// Whether the answer is whole; it is taken then.
static void take_answer(struct exchange *exchange, int epoll) {
  exchange->answer[exchange->held] = 0;
  char *end = strstr(exchange->answer, "\r\n\r\n");
  if (!end) return;
  *end = 0;
  const char *length = field(exchange->answer, "content-length:");
  const char *connection = field(exchange->answer, "connection:");
  if (!length) bench_fail("an answer without Content-Length: %s", exchange->answer);
  size_t size = strtoul(length, NULL, 10), head = (size_t)(end + 4 - exchange->answer);
  bool ends = !exchange->keeps || (connection && strncasecmp(connection, " close", 6) == 0);
  *end = '\r';
  if (head + size >= exchange_limit) bench_fail("an answer of %zu bytes", size);
  if (exchange->held < head + size) return;
  if (exchange->held > head + size) bench_fail("more than one answer to a request");
  exchange->under_way = false;
  if (ends) hang_up(exchange, epoll);
  exchange->on_answer(exchange, atoi(exchange->answer + 9), end + 4);
}

void exchange_ready(struct exchange *exchange, int epoll) {
  if (exchange->under_way && !exchange->sent) {
    send_request(exchange);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = exchange};
    epoll_ctl(epoll, EPOLL_CTL_MOD, exchange->fd, &event);
    return;
  }
  ssize_t got = recv(exchange->fd, exchange->answer + exchange->held, exchange_limit - 1 - exchange->held, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got > 0) {
    if (!exchange->under_way) bench_fail("an answer to no request");
    exchange->held += (size_t)got;
    return take_answer(exchange, epoll);
  }
  if (exchange->under_way) bench_fail("a request was not answered: %s", got < 0 ? strerror(errno) : "end");
  // A connection on which nothing is asked may be closed at any time.
  hang_up(exchange, epoll);
}
