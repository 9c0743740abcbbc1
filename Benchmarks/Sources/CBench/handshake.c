#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

#include "cbench.h"

void bench_websocket_accept(const char *key, size_t length, char accept[29]) {
  static const char suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char input[128], digest[SHA_DIGEST_LENGTH];
  if (length > 64) bench_fail("a key of %zu bytes", length);
  memcpy(input, key, length);
  memcpy(input + length, suffix, sizeof suffix - 1);
  SHA1(input, length + sizeof suffix - 1, digest);
  EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);
}
