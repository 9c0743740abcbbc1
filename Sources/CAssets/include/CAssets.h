// Files that are inside the program. As functions: Swift would take an array of this size for a tuple.
#pragma once
#include <stddef.h>

struct cassets_file {
    /// Below the folder it came from, for example core/main.js.
    const char *path;
    const unsigned char *bytes;
    size_t size;
};

const unsigned char *cassets_openapi(size_t *count);

/// The files of assets/web.
const struct cassets_file *cassets_web(size_t *count);
