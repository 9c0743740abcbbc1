#include "last_words.h"

#ifdef __linux__
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT};
enum { count = sizeof fatal / sizeof fatal[0] };
static struct sigaction before[count];
static int notes = -1;
// A stack that has run over can't be used for a handler.
static char stack[65536];

// Only what signal-safety(7) allows.
static void note(int number, siginfo_t *info, void *context) {
    char text[] = "signal 00\n";
    text[7] = (char)('0' + number / 10);
    text[8] = (char)('0' + number % 10);
    ssize_t ignored = write(notes, text, sizeof text - 1);
    // A service manager whose watchdog has heard nothing, for example; abort(3) names this process.
    if (info->si_code == SI_USER && info->si_pid != getpid()) ignored = write(notes, "sent\n", 5);
    (void)ignored;
    for (int index = 0; index < count; index++) {
        if (fatal[index] != number) continue;
        if (before[index].sa_flags & SA_SIGINFO) {
            before[index].sa_sigaction(number, info, context);
        } else if (before[index].sa_handler != SIG_DFL && before[index].sa_handler != SIG_IGN) {
            before[index].sa_handler(number);
        }
    }
    // Whoever sent it, it ends the process now, with a core dump where those are wanted.
    signal(number, SIG_DFL);
    raise(number);
}

int clinux_note_fatal_signals(int file) {
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack}, there;
    notes = file;
    if (sigaltstack(NULL, &there) != 0) return -1;
    if (there.ss_flags & SS_DISABLE && sigaltstack(&alternate, NULL) != 0) return -1;
    for (int index = 0; index < count; index++) {
        struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        sigemptyset(&action.sa_mask);
        if (sigaction(fatal[index], &action, &before[index]) != 0) return -1;
    }
    return 0;
}
#endif
