#include <stdio.h>
#include <stdlib.h>

#include "wire.h"

void append(buffer *to, const void *bytes, size_t size) {
    if (to->size + size > to->capacity) {
        to->capacity = (to->size + size) * 2;
        to->bytes = realloc(to->bytes, to->capacity);
        if (!to->bytes) {
            perror("out of memory");
            exit(2);
        }
    }
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

void drop_front(buffer *from, size_t size) {
    from->size -= size;
    memmove(from->bytes, from->bytes + size, from->size);
}

void release(buffer *what) {
    free(what->bytes);
    *what = (buffer){0};
}
