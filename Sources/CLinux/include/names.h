// Looking names up.
#pragma once
#include <nss.h>

/// From now on getaddrinfo looks into /etc/hosts and asks DNS, whatever /etc/nsswitch.conf says. Both are inside glibc.
/// Anything else there would be a module of the machine's own glibc, which a static program can't load safely.
static inline void clinux_look_up_hosts_without_modules(void) {
    __nss_configure_lookup("hosts", "files dns");
}
