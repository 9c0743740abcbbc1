#define _GNU_SOURCE
#ifdef __linux__
#include "detach.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

// Between fork and exec only calls that are safe in a copy of a threaded process.

// What is read from it is at its end, what is written to it is lost: /dev/null, or, where there is no /dev, a pipe that
// has lost its other end.
static int nothing(int kept) {
    int null = open("/dev/null", O_RDWR);
    int ends[2];
    if (null >= 0 || pipe(ends) != 0) return null;
    close(ends[1 - kept]);
    return ends[kept];
}

static int become(const char *log) {
    setsid();
    if (chdir("/") != 0) return errno;
    int in = nothing(0), out = nothing(1);
    if (in < 0 || out < 0) return errno;
    int errors = open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(errors < 0 ? out : errors, 2) < 0) return errno;
    if (in > 2) close(in);
    if (out > 2) close(out);
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    return 0;
}

int clinux_spawn_detached(const char *program, char *const *arguments, char *const *environment, const char *log,
    pid_t *process) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) return errno;
    // No handler of this process may run in the child.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int error = pid < 0 ? errno : 0;
    if (pid == 0) {
        int failed = become(log);
        if (failed == 0) {
            execve(program, arguments, environment);
            failed = errno;
        }
        (void)!write(report[1], &failed, sizeof failed);
        _exit(127);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    if (pid > 0) {
        int failed = 0;
        ssize_t count;
        do count = read(report[0], &failed, sizeof failed);
        while (count < 0 && errno == EINTR);
        if (count == (ssize_t)sizeof failed) {
            error = failed;
            waitpid(pid, NULL, 0);
        }
    }
    close(report[0]);
    *process = pid;
    return error;
}
#endif
