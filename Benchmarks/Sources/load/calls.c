// Requests one after the other, for what is set up and asked beside the measurement.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

const char *call(int port, const char *method, const char *path, const char *body) {
  static char text[1 << 20];
  int length = snprintf(text, sizeof text,
                        "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n"
                        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                        method, path, port, strlen(body), body);
  int fd = connect_blocking(port);
  if (fd < 0 || send(fd, text, (size_t)length, MSG_NOSIGNAL) != length) bench_fail("%s %s failed", method, path);
  size_t held = 0;
  for (ssize_t got; (got = recv(fd, text + held, sizeof text - held - 1, 0)) > 0;) held += (size_t)got;
  close(fd);
  text[held] = 0;
  if (memcmp(text, "HTTP/1.1 2", 10) != 0) bench_fail("%s %s: %s", method, path, text);
  const char *end = strstr(text, "\r\n\r\n");
  if (!end) bench_fail("%s %s: no end of the header", method, path);
  return end + 4;
}

void new_session(int port, const char *provider, const char *workspace, char id[64]) {
  char body[1024];
  snprintf(body, sizeof body, "{\"providerId\":\"%s\",\"workspace\":\"%s\"}", provider, workspace);
  const char *found = strstr(call(port, "POST", "/api/v1/sessions", body), "\"id\":\"");
  if (!found || sscanf(found + 6, "%63[^\"]", id) != 1) bench_fail("a session without an id");
}
