#define _GNU_SOURCE
#ifdef __linux__
#include "extent.h"
#include <fcntl.h>
#include <sys/stat.h>

int clinux_get_extent(int file, struct clinux_extent *extent) {
    enum { WANTED = STATX_SIZE | STATX_INO | STATX_NLINK };
    struct statx narrow;
    if (statx(file, "", AT_EMPTY_PATH, WANTED, &narrow) == 0 && (narrow.stx_mask & WANTED) == WANTED) {
        *extent = (struct clinux_extent){(int64_t)narrow.stx_size, narrow.stx_ino, narrow.stx_nlink};
        return 0;
    }
    struct stat status;
    if (fstat(file, &status) != 0) return -1;
    *extent = (struct clinux_extent){status.st_size, status.st_ino, status.st_nlink};
    return 0;
}
#endif
