#pragma once
#include <zlib.h>

// These two are macros in zlib, which Swift can't call.
static inline int zlib_deflate_init(z_stream *stream, int level, int windowBits, int memLevel) {
    return deflateInit2(stream, level, Z_DEFLATED, -windowBits, memLevel, Z_DEFAULT_STRATEGY);
}

static inline int zlib_inflate_init(z_stream *stream, int windowBits) {
    return inflateInit2(stream, -windowBits);
}
