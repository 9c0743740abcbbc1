#pragma once

#include <malloc.h>

// Gives back to the system what the allocator keeps of freed memory.
static inline void clinux_release_memory(void) {
    malloc_trim(0);
}
