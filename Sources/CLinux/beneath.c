#define _GNU_SOURCE
#ifdef __linux__
#include "beneath.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const int clinux_open_path_only = O_PATH;

int clinux_walk_beneath(int directory, const char *path, int flags, mode_t mode) {
    if (*path == '/') return errno = EXDEV, -1;
    int folder = openat(directory, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    while (folder >= 0) {
        while (*path == '/') path++;
        const char *end = strchrnul(path, '/');
        size_t length = (size_t)(end - path);
        char name[256];
        int next = -1;
        if (length >= sizeof name) {
            errno = ENAMETOOLONG;
        } else if (length == 2 && path[0] == '.' && path[1] == '.') {
            errno = EXDEV;
        } else {
            memcpy(name, length > 0 ? path : ".", length > 0 ? length : 1);
            name[length > 0 ? length : 1] = 0;
            next = *end == '/' ? openat(folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                               : openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
        }
        int error = errno;
        close(folder);
        errno = error;
        if (next < 0 || *end != '/') return next;
        folder = next;
        path = end;
    }
    return -1;
}

int clinux_open_beneath(int directory, const char *path, int flags, mode_t mode) {
    struct open_how how = {
        .flags = (unsigned long long)(flags | O_CLOEXEC),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    // EAGAIN: something was renamed meanwhile, so that the kernel can't be sure about a `..`.
    for (int attempt = 0; attempt < 32; attempt++) {
        long result = syscall(SYS_openat2, directory, path, &how, sizeof how);
        if (result >= 0 || (errno != EAGAIN && errno != EINTR && errno != ENOSYS && errno != EPERM)) return (int)result;
        // Some containers forbid calls that they don't know (EPERM) instead of saying so.
        if (errno == ENOSYS || errno == EPERM) return clinux_walk_beneath(directory, path, flags, mode);
    }
    return -1;
}
#endif
