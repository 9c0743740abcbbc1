#pragma once
// SHA1_* and SHA256_* are low-level calls that OpenSSL 3 marks as deprecated. They are used on purpose: the EVP way
// loads a provider at run time and pulls most of libcrypto into a static binary, for digests of a few bytes.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
