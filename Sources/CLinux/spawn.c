#define _GNU_SOURCE
#ifdef __linux__
#include "clinux_spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

struct plan {
    const char *executable;
    char *const *arguments;
    char *const *environment;
    const char *directory;
    int stdio[3];
    pid_t parent;
    // Written by the child: it shares the parent's memory until it executes the program.
    volatile int error;
    volatile int step;
};

static int fail(struct plan *plan, int step) {
    plan->error = errno;
    plan->step = step;
    _exit(127);
}

// Runs on a stack of its own in the parent's memory: only calls that touch nothing of the parent's state.
static int child(void *argument) {
    struct plan *plan = argument;
    if (setpgid(0, 0) != 0) return fail(plan, CLINUX_SPAWN_GROUP);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) return fail(plan, CLINUX_SPAWN_DEATH_SIGNAL);
    // A parent that died before the call above will never send the signal.
    if (getppid() != plan->parent) {
        errno = ESRCH;
        return fail(plan, CLINUX_SPAWN_DEATH_SIGNAL);
    }
    // Ignored signals stay ignored across exec, which a child of ours must not inherit.
    struct sigaction defaults;
    memset(&defaults, 0, sizeof defaults);
    defaults.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; number++) {
        if (number != SIGKILL && number != SIGSTOP) sigaction(number, &defaults, NULL);
    }
    // First out of the range that is written to, so that no dup2 overwrites a descriptor still needed.
    for (int index = 0; index < 3; index++) {
        if (plan->stdio[index] > 2) continue;
        int moved = fcntl(plan->stdio[index], F_DUPFD_CLOEXEC, 3);
        if (moved < 0) return fail(plan, CLINUX_SPAWN_STDIO);
        plan->stdio[index] = moved;
    }
    for (int index = 0; index < 3; index++) {
        if (dup2(plan->stdio[index], index) < 0) return fail(plan, CLINUX_SPAWN_STDIO);
    }
    if (plan->directory && chdir(plan->directory) != 0) return fail(plan, CLINUX_SPAWN_DIRECTORY);
    if (syscall(SYS_close_range, 3u, ~0u, 0u) != 0) {
        if (errno != ENOSYS) return fail(plan, CLINUX_SPAWN_CLOSE);
        struct rlimit limit;
        int end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (int)limit.rlim_cur : 65536;
        for (int fd = 3; fd < end; fd++) close(fd);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(plan->executable, plan->arguments, plan->environment);
    return fail(plan, CLINUX_SPAWN_EXEC);
}

struct clinux_spawn_result clinux_spawn(const char *executable, char *const *arguments, char *const *environment,
                                        const char *directory, int input, int output, int error) {
    struct plan plan = {executable, arguments, environment, directory, {input, output, error}, getpid(), 0, 0};
    struct clinux_spawn_result result = {-1, -1, 0, 0};
    char stack[32768] __attribute__((aligned(16)));
    // No handler of the parent may run in the child while they share memory.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int pidfd = -1;
    pid_t pid = clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &pidfd);
    int clone_error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        result.error = clone_error;
        result.step = CLINUX_SPAWN_CLONE;
        return result;
    }
    if (plan.error != 0) {
        int status;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
        close(pidfd);
        result.error = plan.error;
        result.step = plan.step;
        return result;
    }
    result.pid = pid;
    result.pidfd = pidfd;
    return result;
}

int clinux_pidfd_open(pid_t pid) {
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

int clinux_pidfd_signal(int pidfd, int number) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
}

static struct clinux_exit wait_without_blocking(idtype_t type, id_t id, int flags) {
    struct clinux_exit answer = {0, 0, 0, 0};
    siginfo_t info;
    int result;
    memset(&info, 0, sizeof info);
    do result = waitid(type, id, &info, WEXITED | WNOHANG | flags);
    while (result < 0 && errno == EINTR);
    if (result < 0) {
        answer.result = -1;
        return answer;
    }
    if (info.si_pid == 0) return answer;
    answer.result = 1;
    answer.pid = info.si_pid;
    answer.was_signaled = info.si_code != CLD_EXITED;
    answer.status = info.si_status;
    return answer;
}

struct clinux_exit clinux_reap_pidfd(int pidfd) {
    return wait_without_blocking((idtype_t)P_PIDFD, (id_t)pidfd, 0);
}

struct clinux_exit clinux_reap_pid(pid_t pid) {
    return wait_without_blocking(P_PID, (id_t)pid, 0);
}

struct clinux_exit clinux_peek_any(void) {
    return wait_without_blocking(P_ALL, 0, WNOWAIT);
}

int clinux_become_subreaper(void) {
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}
#endif
