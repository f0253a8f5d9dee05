/* WebSocket frames (RFC 6455, section 5.2), as far as a benchmark meets them. */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { OP_CONTINUATION = 0, OP_TEXT = 1, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };
enum { MASK_SIZE = 4, MAX_HEADER = 10 };

typedef struct {
    uint8_t opcode;
    bool masked;
    size_t header; /* bytes before the payload, mask included */
    size_t length; /* of the payload */
} frame;

/* Whether `bytes` begin with a whole frame. */
static inline bool read_frame(const uint8_t *bytes, size_t size, frame *out) {
    if (size < 2) return false;
    out->opcode = bytes[0] & 15;
    out->masked = bytes[1] & 0x80;
    out->length = bytes[1] & 0x7f;
    out->header = 2;
    size_t extended = out->length == 126 ? 2 : out->length == 127 ? 8 : 0;
    if (size < 2 + extended) return false;
    if (extended) {
        out->length = 0;
        for (size_t i = 0; i < extended; i++) out->length = out->length << 8 | bytes[2 + i];
    }
    out->header += extended + (out->masked ? MASK_SIZE : 0);
    return size - (out->header < size ? out->header : size) >= out->length && size >= out->header;
}

/* Writes the head of a final frame; answers its size. A client adds MASK_SIZE bytes of mask. */
static inline size_t write_header(uint8_t *out, uint8_t opcode, size_t length, bool masked) {
    uint8_t flag = masked ? 0x80 : 0;
    out[0] = 0x80 | opcode;
    if (length < 126) {
        out[1] = flag | (uint8_t)length;
        return 2;
    }
    size_t extended = length < 65536 ? 2 : 8;
    out[1] = flag | (extended == 2 ? 126 : 127);
    for (size_t i = 0; i < extended; i++) out[2 + i] = (uint8_t)(length >> 8 * (extended - 1 - i));
    return 2 + extended;
}

static inline void apply_mask(uint8_t *payload, size_t length, const uint8_t mask[MASK_SIZE]) {
    for (size_t i = 0; i < length; i++) payload[i] ^= mask[i & 3];
}

/* A growing queue of bytes: what a socket did not take at once, what arrived in part. */
typedef struct {
    uint8_t *bytes;
    size_t size, capacity;
} buffer;

void append(buffer *to, const void *bytes, size_t size);
void drop_front(buffer *from, size_t size);
void release(buffer *what);

#endif
