// Opening files below a folder and nowhere else.
#pragma once
#include <sys/types.h>

/// O_PATH, a macro that Swift does not see.
extern const int clinux_open_path_only;

/// Opens a relative path so that no part of it, `..` and symbolic links included, leads out of `directory`: openat2 with
/// RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS, closed on exec. Where the kernel has no openat2 (before 5.6) or forbids
/// it, the path is walked part by part and must have no symbolic link and no `..`.
/// Returns a descriptor, or -1 and errno: EXDEV when the path leads out.
int clinux_open_beneath(int directory, const char *_Nonnull path, int flags, mode_t mode);

/// The walk alone, for kernels without openat2 and for its tests.
int clinux_walk_beneath(int directory, const char *_Nonnull path, int flags, mode_t mode);
