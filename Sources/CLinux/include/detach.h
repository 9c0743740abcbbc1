// Starting a program that outlives its starter.
#pragma once
#include <sys/types.h>

/// Starts `program` in a session of its own: in the folder /, with default signals, standard input and output at
/// /dev/null, standard error at the end of `log` (made with mode 0600), and no other descriptor than those that stay open on exec.
/// Returns 0 and the process, or an error number.
int clinux_spawn_detached(const char *_Nonnull program, char *_Nullable const *_Nonnull arguments,
    char *_Nullable const *_Nonnull environment, const char *_Nonnull log, pid_t *_Nonnull process);
