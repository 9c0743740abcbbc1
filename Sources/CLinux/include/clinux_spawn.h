#pragma once
#include <sys/types.h>

/// Where a spawn failed.
enum clinux_spawn_step {
    CLINUX_SPAWN_CLONE = 1,
    CLINUX_SPAWN_GROUP,
    CLINUX_SPAWN_DEATH_SIGNAL,
    CLINUX_SPAWN_STDIO,
    CLINUX_SPAWN_DIRECTORY,
    CLINUX_SPAWN_CLOSE,
    CLINUX_SPAWN_EXEC,
};

struct clinux_spawn_result {
    pid_t pid;
    /// Readable when the child has ended; closed on exec.
    int pidfd;
    /// 0, or the errno of the step that failed; then there is no child.
    int error;
    int step;
};

/// Starts a program as the leader of a process group of its own, with the given three descriptors as 0, 1, 2 and no
/// others, all signals unblocked and at their defaults. It gets SIGTERM when the calling *thread* ends.
/// `directory` may be NULL. The caller waits until the program is running or has failed to.
struct clinux_spawn_result clinux_spawn(const char *_Nonnull executable, char *_Nullable const *_Nonnull arguments,
                                        char *_Nullable const *_Nonnull environment, const char *_Nullable directory,
                                        int input, int output, int error);

/// pidfd_open, closed on exec; -1 and errno.
int clinux_pidfd_open(pid_t pid);
/// pidfd_send_signal; -1 and errno.
int clinux_pidfd_signal(int pidfd, int number);

struct clinux_exit {
    /// 1 when the child has ended and is reaped, 0 when it is still running, -1 with errno.
    int result;
    pid_t pid;
    int was_signaled;
    int status;
};

/// Reaps the child behind a pidfd, without waiting.
struct clinux_exit clinux_reap_pidfd(int pidfd);
/// Reaps the child with this pid, without waiting.
struct clinux_exit clinux_reap_pid(pid_t pid);
/// Tells which child has ended, without reaping it.
struct clinux_exit clinux_peek_any(void);

/// Becomes the parent of orphaned descendants (PR_SET_CHILD_SUBREAPER).
int clinux_become_subreaper(void);
