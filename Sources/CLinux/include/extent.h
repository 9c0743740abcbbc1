// How large a file is, without asking for its times.
#pragma once
#include <stdint.h>

struct clinux_extent {
    int64_t size;
    uint64_t inode;
    uint64_t links;
};

/// Size, inode and number of names of an open file: statx without times, fstat where the kernel has no statx or forbids it.
/// A time that was asked for makes the next write dearer: it must be seen to differ afterwards (since Linux 6.13).
/// Returns 0, or -1 and errno.
int clinux_get_extent(int file, struct clinux_extent *_Nonnull extent);
