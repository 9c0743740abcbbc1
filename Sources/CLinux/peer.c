#define _GNU_SOURCE
#ifdef __linux__
#include "peer.h"
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int clinux_open_socket_diagnosis(void) {
    return socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
}

static int fill(const struct sockaddr *address, __be16 *port, __be32 *words) {
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        *port = v4->sin_port;
        memcpy(words, &v4->sin_addr, 4);
        return 0;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        *port = v6->sin6_port;
        memcpy(words, &v6->sin6_addr, 16);
        return 0;
    }
    return -EAFNOSUPPORT;
}

int clinux_socket_owner(int netlink, const struct sockaddr *local, const struct sockaddr *remote, uint32_t *uid) {
    static uint32_t sequence;
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 query;
    } request;
    memset(&request, 0, sizeof request);
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request.header.nlmsg_flags = NLM_F_REQUEST;
    uint32_t number = __atomic_add_fetch(&sequence, 1, __ATOMIC_RELAXED);
    request.header.nlmsg_seq = number;
    request.query.sdiag_family = (uint8_t)local->sa_family;
    request.query.sdiag_protocol = IPPROTO_TCP;
    request.query.idiag_states = ~0u;
    request.query.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    request.query.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    int result = fill(local, &request.query.id.idiag_sport, request.query.id.idiag_src);
    if (result == 0) result = fill(remote, &request.query.id.idiag_dport, request.query.id.idiag_dst);
    if (result != 0) return result;

    struct sockaddr_nl kernel;
    memset(&kernel, 0, sizeof kernel);
    kernel.nl_family = AF_NETLINK;
    if (sendto(netlink, &request, sizeof request, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) return -errno;

    // The kernel answers within the call above. Answers to earlier questions are passed over.
    for (int attempt = 0; attempt < 8; attempt++) {
        char buffer[4096] __attribute__((aligned(NLMSG_ALIGNTO)));
        struct sockaddr_nl sender;
        socklen_t sender_length = sizeof sender;
        ssize_t count = recvfrom(netlink, buffer, sizeof buffer, 0, (struct sockaddr *)&sender, &sender_length);
        if (count < 0) {
            if (errno == EINTR) continue;
            return -errno;
        }
        if (sender.nl_pid != 0) continue;
        struct nlmsghdr *header = (struct nlmsghdr *)buffer;
        if (!NLMSG_OK(header, (size_t)count) || header->nlmsg_seq != number) continue;
        if (header->nlmsg_type == NLMSG_ERROR) {
            if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))) return -EBADMSG;
            int error = ((struct nlmsgerr *)NLMSG_DATA(header))->error;
            return error < 0 ? error : -EBADMSG;
        }
        if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY || header->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
            return -EBADMSG;
        struct inet_diag_msg *message = NLMSG_DATA(header);
        // The exact connection only: a lookup may also find a listener.
        if (message->id.idiag_sport != request.query.id.idiag_sport ||
            message->id.idiag_dport != request.query.id.idiag_dport)
            return -ENOENT;
        // Without an inode no process holds the socket, and the user reported for it is root, not its former owner.
        if (message->idiag_inode == 0) return -ENOENT;
        // One that is not connected yet (TCP_SYN_SENT) is not the other end.
        if (message->idiag_state == 2) return -ENOENT;
        *uid = message->idiag_uid;
        return 0;
    }
    return -EAGAIN;
}
#endif
