#pragma once
#include <sqlite3.h>
#include <stdint.h>
#include <time.h>

// The value is a cast of -1 to a function pointer, which only C can write.
static inline int csqlite_bind_text(sqlite3_stmt *statement, int index, const char *text, int64_t bytes) {
    return sqlite3_bind_text64(statement, index, text, (sqlite3_uint64)bytes, SQLITE_TRANSIENT, SQLITE_UTF8);
}

// When a statement has to end: at a time, or because another thread has said so.
struct csqlite_limit {
    int64_t deadline; // CLOCK_MONOTONIC in nanoseconds
    int32_t cancelled;
};

static inline int csqlite_is_over(void *context) {
    struct csqlite_limit *limit = context;
    struct timespec now;
    if (__atomic_load_n(&limit->cancelled, __ATOMIC_RELAXED)) return 1;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec >= limit->deadline;
}

// Looks at the limit every so often while a statement runs; it must outlive the connection.
static inline void csqlite_set_limit(sqlite3 *database, struct csqlite_limit *limit) {
    sqlite3_progress_handler(database, 1000, csqlite_is_over, limit);
}

static inline void csqlite_cancel(struct csqlite_limit *limit) {
    __atomic_store_n(&limit->cancelled, 1, __ATOMIC_RELAXED);
}

static inline int csqlite_is_cancelled(struct csqlite_limit *limit) {
    return __atomic_load_n(&limit->cancelled, __ATOMIC_RELAXED);
}
