#pragma once
// SHA1_* are low-level calls that OpenSSL 3 marks as deprecated. They are used on purpose: the EVP way loads a provider
// at run time and pulls most of libcrypto into a static binary, for one digest of 60 bytes.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/crypto.h>

static inline void openssl_sha1(const void *bytes, size_t count, unsigned char digest[20]) {
    SHA_CTX context;
    SHA1_Init(&context);
    SHA1_Update(&context, bytes, count);
    SHA1_Final(digest, &context);
}
