#ifndef LOAD_H
#define LOAD_H

#include "cbench.h"

// What all modes take from the command line: where, whom to look at, for how long.
struct target {
  int port;
  int pid;           // the server, for its CPU time and memory; 0: not looked at
  const char *path;
  double warmup;     // seconds before counting begins
  double duration;   // seconds counted
};

struct target target_from_options(const char *path);

int connect_blocking(int port);
// Starts a connect; the socket becomes writable when it is through.
int connect_begin(int port);

// The body of the answer, good until the next call; anything but success ends the program.
const char *call(int port, const char *method, const char *path, const char *body);
void new_session(int port, const char *provider, const char *workspace, char id[64]);

void run_http(void);
void run_streams(void);
void run_idle(void);
void run_cycles(void);
void run_coldstart(int argc, char **argv);
void run_sample(void);
void run_pipe(void);
void run_crash(void);
void run_restart(void);

#endif
