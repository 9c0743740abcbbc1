// Looking names up in a static program.
#pragma once
#include <nss.h>

/// From now on names are looked up in files and by DNS, whatever /etc/nsswitch.conf says. Both are inside glibc. Anything else
/// there would be a module of the machine's own glibc, which a static program can't load safely. Before the first lookup.
static inline void clinux_look_names_up_without_modules(void) {
    __nss_configure_lookup("hosts", "files dns");
    __nss_configure_lookup("passwd", "files");
    __nss_configure_lookup("group", "files");
    __nss_configure_lookup("services", "files");
}
