#pragma once
// SHA1_* and SHA256_* are low-level calls that OpenSSL 3 marks as deprecated. They are used on purpose, and not by their
// one-shot forms: those go the EVP way, which loads a provider at run time and pulls most of libcrypto into a static
// binary, for digests of a few bytes.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// Macros with casts, which Swift doesn't see.

static inline int copenssl_set_least_version(SSL_CTX *_Nonnull context, int version) {
    return (int)SSL_CTX_set_min_proto_version(context, version);
}

static inline int copenssl_set_server_name(SSL *_Nonnull connection, const char *_Nonnull name) {
    return (int)SSL_set_tlsext_host_name(connection, name);
}

/// What reading an empty memory BIO means: there is nothing yet, rather than the end.
static inline void copenssl_never_ends(BIO *_Nonnull memory) {
    BIO_set_mem_eof_return(memory, -1);
}

static inline long copenssl_pending(BIO *_Nonnull memory) {
    return (long)BIO_ctrl_pending(memory);
}

static inline void copenssl_refuse_renegotiation(SSL_CTX *_Nonnull context) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
}
