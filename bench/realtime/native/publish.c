/* Events out: as client events of one socket, or as prepared requests to the HTTP API. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "load.h"

enum { MAX_UNSENT = 1 << 16, MAX_REFUSED = 20 };

typedef struct {
    const char *bytes;
    size_t size;
} request;

static peer *publishers;
static request *requests;
static int request_count;

static void read_requests(void) {
    FILE *file = fopen(option.requests, "rb");
    if (!file) give_up("cannot read %s", option.requests);
    char size[16];
    while (fgets(size, sizeof size, file)) { /* a line with the size, then the bytes */
        request each = {.size = (size_t)atol(size)};
        char *bytes = malloc(each.size);
        if (!bytes || fread(bytes, 1, each.size, file) != each.size) give_up("%s is cut short", option.requests);
        each.bytes = bytes;
        requests = realloc(requests, (size_t)(request_count + 1) * sizeof *requests);
        requests[request_count++] = each;
    }
    fclose(file);
    if (!request_count) give_up("%s is empty", option.requests);
}

static bool ready(const peer *p) {
    return p->stage == RUNNING && p->out.size < MAX_UNSENT && !(p->http && (p->unanswered || p->must_close));
}

void open_publishers(void) {
    bool http = option.requests != NULL;
    if (http) read_requests();
    publishers = calloc((size_t)option.publishers, sizeof *publishers);
    for (int i = 0; i < option.publishers; i++) open_socket(&publishers[i], -1 - i, true, http);
    uint64_t deadline = now_ns() + 10000000000u;
    for (int i = 0; i < option.publishers; i++) {
        while (!ready(&publishers[i])) {
            if (now_ns() > deadline) give_up("the publisher cannot connect");
            turn(1);
        }
    }
}

static void publish_by_http(peer *p) {
    static int next;
    const request *each = &requests[next++ % request_count];
    p->unanswered++;
    counter.sent += (uint64_t)option.events_per_request;
    send_bytes(p, each->bytes, each->size);
}

static void publish_by_socket(peer *p) {
    static char text[1 << 16];
    static char padding[1 << 15];
    static int next;
    if (!padding[0]) memset(padding, 'x', sizeof padding);
    int channel = next++ % option.channels;
    const char *form = option.socketio ? "42[\"publish\",\"%s%d\",\"@T%019llu@%.*s\"]"
                                       : "{\"event\":\"client-m\",\"channel\":\"%s%d\",\"data\":\"@T%019llu@%.*s\"}";
    int rest = option.payload > 22 ? option.payload - 22 : 0;
    int size = snprintf(text, sizeof text, form, option.prefix, channel, (unsigned long long)now_ns(), rest, padding);
    counter.sent++;
    send_text(p, text, (size_t)size);
}

static bool due(uint64_t now, uint64_t started) {
    if (option.rate > 0) return (double)(now - started) / 1e9 * option.rate >= (double)counter.sent;
    /* Saturated: so many events are under way, counted by the deliveries they cause. */
    double receivers = (double)option.sockets / option.channels;
    return (double)counter.sent - (double)counter.deliveries / receivers < option.window;
}

void publish_some(uint64_t now, uint64_t started) {
    static int next;
    for (int tries = 0; tries < option.publishers && due(now, started);) {
        peer *p = &publishers[next++ % option.publishers];
        tries = ready(p) ? 0 : tries + 1;
        if (tries) continue;
        if (p->http) publish_by_http(p);
        else publish_by_socket(p);
    }
}

size_t read_answers(peer *p, const uint8_t *bytes, size_t size) {
    size_t done = 0;
    for (;;) {
        const char *head = (const char *)bytes + done;
        const char *end = memmem(head, size - done, "\r\n\r\n", 4);
        if (!end) return done;
        end += 4;
        const char *length = strcasestr(head, "content-length:");
        const char *close = strcasestr(head, "connection: close");
        const char *chunked = strcasestr(head, "transfer-encoding: chunked");
        size_t whole = (size_t)(end - head);
        if (chunked && chunked < end) {
            const char *last = memmem(end, size - done - whole, "0\r\n\r\n", 5);
            if (!last) return done;
            whole = (size_t)(last + 5 - head);
        } else if (length && length < end) {
            whole += (size_t)atol(length + 15);
        }
        if (done + whole > size) return done;
        if (head[9] != '2') {
            if (counter.refused++ < 3) fprintf(stderr, "refused: %.*s\n", (int)whole, head);
            if (counter.refused > MAX_REFUSED) give_up("too many requests refused");
        }
        if (close && close < end) p->must_close = true;
        p->unanswered--;
        done += whole;
    }
}
