#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "load.h"

enum { exchange_limit = 64 * 1024 };

// One request at a time, on a connection that is kept or on a new one each time; many of them share an epoll.
// Whatever isn't an answer ends the program: a connection that is refused, or ends before the answer has come.
struct exchange {
  int fd;              // -1: none
  bool keeps;
  bool under_way, sent;
  int64_t due;         // when the request is to be sent; latencies count from here
  char request[1024];
  size_t request_length;
  char answer[exchange_limit];
  size_t held;
  // The status, and the body, which ends with a NUL.
  void (*on_answer)(struct exchange *exchange, int status, const char *body);
  long number;         // its owner's
};

void exchange_init(struct exchange *exchange, bool keeps);
void exchange_set(struct exchange *exchange, int port, const char *method, const char *path, const char *body);
void exchange_begin(struct exchange *exchange, int epoll, int port);
// To be called when the epoll says that something has come.
void exchange_ready(struct exchange *exchange, int epoll);

#endif
