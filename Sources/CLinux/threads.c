#ifdef __linux__
#include "clinux_threads.h"
#include <sys/prctl.h>

void clinux_set_thread_name(const char *name) {
    prctl(PR_SET_NAME, name);
}
#endif
