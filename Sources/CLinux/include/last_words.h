// What can still be said by a process that is being ended by a signal it caused.
#pragma once

/// From now on SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE and SIGABRT add the line `signal N` to a file before they end the
/// process. Who handled one before (Swift's own backtraces) comes after that. To be called once; the descriptor must stay
/// open for the life of the process. Returns 0, or -1 and errno.
int clinux_note_fatal_signals(int file);
