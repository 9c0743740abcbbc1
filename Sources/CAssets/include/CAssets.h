// Files that are inside the program. As functions: Swift would take an array of this size for a tuple.
#pragma once
#include <stddef.h>

const unsigned char *cassets_openapi(size_t *count);
