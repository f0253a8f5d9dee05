/* SHA-1 for the WebSocket handshake, HMAC-SHA-256 for subscriptions: here so that no library is needed to build. */
#ifndef DIGEST_H
#define DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { SHA1_SIZE = 20, SHA256_SIZE = 32 };

void sha1(const void *message, size_t size, uint8_t out[SHA1_SIZE]);
void hmac_sha256(const void *key, size_t key_size, const void *message, size_t size, uint8_t out[SHA256_SIZE]);

/* Both end with a zero byte: `out` holds 2 * size + 1, or 4 * ceil(size / 3) + 1. */
void to_hex(const uint8_t *bytes, size_t size, char *out);
void to_base64(const uint8_t *bytes, size_t size, char *out);

#endif
