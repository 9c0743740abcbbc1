#pragma once
#include <sys/socket.h>

/// accept4 with SOCK_NONBLOCK and SOCK_CLOEXEC; -1 and errno.
int clinux_accept(int listener, struct sockaddr_storage *_Nonnull peer);

/// Opens /dev/null, closed on exec: a descriptor held to be given up when there are no more.
int clinux_open_reserve(void);

/// pipe2 with O_CLOEXEC: read end, write end.
int clinux_pipe(int *_Nonnull ends);

struct iovec;
/// sendmsg of several pieces with MSG_NOSIGNAL; -1 and errno.
long clinux_send(int socket, struct iovec *_Nonnull pieces, unsigned long count);
