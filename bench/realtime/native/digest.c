/* FIPS 180-4 and RFC 2104, for messages that fit into memory. */
#include "digest.h"

#include <string.h>

enum { BLOCK = 64, MAX_MESSAGE = 1024 };

static uint32_t left(uint32_t x, int n) { return x << n | x >> (32 - n); }
static uint32_t right(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void load(uint32_t *words, const uint8_t *block) {
    for (int i = 0; i < 16; i++)
        words[i] = (uint32_t)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
}

static void store(const uint32_t *state, int words, uint8_t *out) {
    for (int i = 0; i < 4 * words; i++) out[i] = (uint8_t)(state[i / 4] >> (24 - i % 4 * 8));
}

static void sha1_block(uint32_t *h, const uint8_t *block) {
    uint32_t w[80];
    load(w, block);
    for (int i = 16; i < 80; i++) w[i] = left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                     : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                     : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                              : (b ^ c ^ d) + 0xca62c1d6;
        uint32_t t = left(a, 5) + f + e + w[i];
        e = d, d = c, c = left(b, 30), b = a, a = t;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

static const uint32_t K256[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static void sha256_block(uint32_t *h, const uint8_t *block) {
    uint32_t w[64], s[8];
    load(w, block);
    for (int i = 16; i < 64; i++) {
        uint32_t x = right(w[i - 15], 7) ^ right(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t y = right(w[i - 2], 17) ^ right(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + x + w[i - 7] + y;
    }
    memcpy(s, h, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        uint32_t t1 = s[7] + (right(s[4], 6) ^ right(s[4], 11) ^ right(s[4], 25)) + choice + K256[i] + w[i];
        uint32_t t2 = (right(s[0], 2) ^ right(s[0], 13) ^ right(s[0], 22)) + majority;
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) h[i] += s[i];
}

/* Both functions pad alike: a one bit, zeros, the length in bits. */
static void digest(void (*step)(uint32_t *, const uint8_t *), uint32_t *state, const uint8_t *message, size_t size) {
    size_t rest = size;
    for (; rest >= BLOCK; rest -= BLOCK, message += BLOCK) step(state, message);
    uint8_t tail[2 * BLOCK] = {0};
    memcpy(tail, message, rest);
    tail[rest] = 0x80;
    size_t blocks = rest < BLOCK - 8 ? 1 : 2;
    for (int i = 0; i < 8; i++) tail[blocks * BLOCK - 1 - i] = (uint8_t)((uint64_t)size * 8 >> 8 * i);
    for (size_t i = 0; i < blocks; i++) step(state, tail + i * BLOCK);
}

void sha1(const void *message, size_t size, uint8_t out[SHA1_SIZE]) {
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    digest(sha1_block, state, message, size);
    store(state, 5, out);
}

static void sha256(const void *message, size_t size, uint8_t out[SHA256_SIZE]) {
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    digest(sha256_block, state, message, size);
    store(state, 8, out);
}

void hmac_sha256(const void *key, size_t key_size, const void *message, size_t size, uint8_t out[SHA256_SIZE]) {
    uint8_t pad[BLOCK] = {0}, inner[BLOCK + MAX_MESSAGE], outer[BLOCK + SHA256_SIZE];
    if (key_size > BLOCK) sha256(key, key_size, pad);
    else memcpy(pad, key, key_size);
    if (size > MAX_MESSAGE) size = MAX_MESSAGE;
    for (int i = 0; i < BLOCK; i++) inner[i] = pad[i] ^ 0x36, outer[i] = pad[i] ^ 0x5c;
    memcpy(inner + BLOCK, message, size);
    sha256(inner, BLOCK + size, outer + BLOCK);
    sha256(outer, sizeof outer, out);
}

void to_hex(const uint8_t *bytes, size_t size, char *out) {
    for (size_t i = 0; i < 2 * size; i++) out[i] = "0123456789abcdef"[bytes[i / 2] >> (i % 2 ? 0 : 4) & 15];
    out[2 * size] = 0;
}

void to_base64(const uint8_t *bytes, size_t size, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3, out += 4) {
        uint32_t three = (uint32_t)bytes[i] << 16;
        if (i + 1 < size) three |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < size) three |= bytes[i + 2];
        for (int k = 0; k < 4; k++) out[k] = i + (size_t)k > size ? '=' : digits[three >> (18 - 6 * k) & 63];
    }
    *out = 0;
}
