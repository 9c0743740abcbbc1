#include "CVersion.h"

// Older clang calls it an extension of C23.
#pragma clang diagnostic ignored "-Wc23-extensions"

#if defined(__APPLE__)
#define IN_ITS_SECTION __attribute__((used, section("__TEXT,codeai_record")))
#else
#define IN_ITS_SECTION __attribute__((used, section("codeai_record")))
#endif

// 64 bytes, found in a program by the words they begin with: packaging writes the version it is told to over the one that
// was compiled, so that the same build can be tried as any version.
enum { mark = 16, record_size = 64 };
IN_ITS_SECTION static const char record[record_size] = {
    'c', 'o', 'd', 'e', 'a', 'i', '-', 'v', 'e', 'r', 's', 'i', 'o', 'n', ':', ' ',
#embed "../../VERSION" suffix(, 0)
};

const char *codeai_version(void) {
    static char text[record_size - mark];
    const char *version = record + mark;
    // Hides from the compiler that the bytes are known to it.
    __asm__("" : "+r"(version));
    // The file ends with a line break. Whoever comes here at the same time writes the same bytes.
    for (int i = 0; i < record_size - mark - 1 && version[i] > ' '; i++) text[i] = version[i];
    return text;
}
