#define _GNU_SOURCE
#ifdef __linux__
#include "sockets.h"
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

int clinux_accept(int listener, struct sockaddr_storage *peer) {
    socklen_t length = sizeof *peer;
    return accept4(listener, (struct sockaddr *)peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int clinux_open_reserve(void) {
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int clinux_pipe(int *ends) {
    return pipe2(ends, O_CLOEXEC);
}

long clinux_send(int socket, struct iovec *pieces, unsigned long count) {
    // The common case, with less for the kernel to look at.
    if (count == 1) return send(socket, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = pieces;
    message.msg_iovlen = count;
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}
#endif
