#include "CAssets.h"

// Older clang calls it an extension of C23.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char openapi[] = {
#embed "../../doc/openapi.json"
};

const unsigned char *cassets_openapi(size_t *count) {
    *count = sizeof openapi;
    return openapi;
}
