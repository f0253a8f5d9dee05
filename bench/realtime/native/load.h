/* The load client: one thread, one epoll loop, many sockets. See load.c for what it measures. */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "wire.h"

typedef struct {
    const char *path;     /* of the WebSocket */
    const char *prefix;   /* of channel names; "private-…" means that subscriptions are signed */
    const char *key, *secret;
    const char *requests; /* file of prepared HTTP requests */
    bool socketio;        /* speaks Socket.IO 5 instead of Pusher's protocol */
    int port, sockets, channels, concurrency, baseline, payload, publishers, window, events_per_request, server;
    double rate, seconds, warmup, hold;
} options;

typedef enum { CONNECTING, UPGRADING, GREETING, SUBSCRIBING, RUNNING, DEAD } stage;

typedef struct {
    int fd, index;
    stage stage;
    bool http, publisher; /* `http` connections carry the server's API */
    bool must_close;      /* HTTP: the answer said so */
    int unanswered;       /* requests, or subscriptions of the publisher */
    buffer in, out;
    char socket_id[64];
} peer;

typedef struct {
    uint64_t deliveries, sent, connected, connected_at, refused, lost;
} counters;

typedef struct {
    uint64_t cpu, delayed; /* nanoseconds on a processor, and waiting for one */
} usage;

extern options option;
extern counters counter;
extern bool timing; /* deliveries are timed */

/* sockets.c */
void open_socket(peer *p, int index, bool publisher, bool http);
void open_more(void);
void send_bytes(peer *p, const void *bytes, size_t size);
void send_text(peer *p, const char *text, size_t size);
void start_sockets(void);
/* Handles what has happened; waits for it at most `milliseconds`. */
void turn(int milliseconds);
_Noreturn void give_up(const char *format, ...);

/* publish.c */
void open_publishers(void);
void publish_some(uint64_t now, uint64_t started);
/* The HTTP answers at the beginning of `bytes`; answers how many bytes they take. */
size_t read_answers(peer *p, const uint8_t *bytes, size_t size);

/* meter.c */
uint64_t now_ns(void);
void record(uint64_t nanoseconds);
double percentile_ms(double part);
usage usage_of(int pid); /* 0 for this process */
long resident_kb(int pid);

#endif
