// Exchanging two names.
#pragma once

/// Has two existing names of one file system each other's file or folder, in one step: renameat2 with RENAME_EXCHANGE.
/// Returns 0, or -1 and errno: EINVAL or ENOSYS where the file system or the kernel can't.
int clinux_exchange(const char *_Nonnull one, const char *_Nonnull other);
