#pragma once
#include <stdint.h>
#include <sys/socket.h>

/// Asks the kernel which user owns the TCP socket bound to `local` and connected to `remote`, through a netlink socket
/// from `clinux_open_socket_diagnosis`. Returns 0 and the user; -ENOENT when there is no such socket or no process
/// has it open any more; another negative errno when the kernel cannot tell.
int clinux_socket_owner(int netlink, const struct sockaddr *_Nonnull local, const struct sockaddr *_Nonnull remote,
                        uint32_t *_Nonnull uid);

/// A netlink socket for the question above; -1 and errno.
int clinux_open_socket_diagnosis(void);
