/* Sockets: opening, greeting, subscribing, and counting what arrives. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "digest.h"
#include "load.h"

enum { TURN = 4096, READ = 1 << 20, STAMP_DIGITS = 19, PAUSE = 20000 /* ns */ };

static const uint8_t MASK[MASK_SIZE] = {0x12, 0x34, 0x56, 0x78};
static peer *subscribers;
static int poller, opened;

void give_up(const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    vfprintf(stderr, format, rest);
    va_end(rest);
    fputc('\n', stderr);
    exit(3);
}

void start_sockets(void) {
    poller = epoll_create1(0);
    subscribers = calloc((size_t)option.sockets, sizeof *subscribers);
}

void open_socket(peer *p, int index, bool publisher, bool http) {
    int one = 1;
    struct linger reset = {1, 0}; /* no TIME_WAIT: thousands of sockets come and go between one pair of addresses */
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)option.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = p};
    *p = (peer){.index = index, .publisher = publisher, .http = http};
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (p->fd < 0) give_up("socket: %s", strerror(errno));
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (connect(p->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) give_up("connect: %s", strerror(errno));
    if (epoll_ctl(poller, EPOLL_CTL_ADD, p->fd, &event)) give_up("epoll_ctl: %s", strerror(errno));
}

void open_more(void) {
    int wanted = (int)counter.connected + option.concurrency;
    for (; opened < option.sockets && opened < wanted; opened++) open_socket(&subscribers[opened], opened, false, false);
}

static void lose(peer *p, const char *why) {
    if (counter.lost++ < 3) fprintf(stderr, "socket %d lost: %s\n", p->index, why);
    if (counter.lost > 100) give_up("too many sockets lost");
    p->stage = DEAD;
    close(p->fd);
}

static void flush(peer *p) {
    while (p->out.size) {
        ssize_t written = send(p->fd, p->out.bytes, p->out.size, MSG_NOSIGNAL);
        if (written <= 0) return; /* full, or gone: reading says so */
        drop_front(&p->out, (size_t)written);
    }
}

void send_bytes(peer *p, const void *bytes, size_t size) {
    append(&p->out, bytes, size);
    flush(p);
}

void send_text(peer *p, const char *text, size_t size) {
    static uint8_t bytes[1 << 17];
    size_t header = write_header(bytes, OP_TEXT, size, true);
    memcpy(bytes + header, MASK, MASK_SIZE);
    header += MASK_SIZE;
    memcpy(bytes + header, text, size);
    apply_mask(bytes + header, size, MASK);
    send_bytes(p, bytes, header + size);
}

static void upgrade(peer *p) {
    char head[1024];
    int size = snprintf(head, sizeof head,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                        "Origin: http://127.0.0.1\r\n\r\n", option.path, option.port);
    p->stage = UPGRADING;
    send_bytes(p, head, (size_t)size);
}

static void subscribe(peer *p, int channel) {
    char name[256], text[600], signature[2 * SHA256_SIZE + 1];
    snprintf(name, sizeof name, "%s%d", option.prefix, channel);
    if (option.socketio) {
        send_text(p, text, (size_t)snprintf(text, sizeof text, "42[\"subscribe\",\"%s\"]", name));
    } else if (strncmp(name, "private-", 8)) {
        send_text(p, text, (size_t)snprintf(text, sizeof text, "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\"}}", name));
    } else {
        uint8_t digest[SHA256_SIZE];
        int size = snprintf(text, sizeof text, "%s:%s", p->socket_id, name);
        hmac_sha256(option.secret, strlen(option.secret), text, (size_t)size, digest);
        to_hex(digest, sizeof digest, signature);
        size = snprintf(text, sizeof text, "{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":\"%s:%s\",\"channel\":\"%s\"}}",
                        option.key, signature, name);
        send_text(p, text, (size_t)size);
    }
}

/* Subscribers have one channel each, the publisher has all. */
static void subscribe_all(peer *p) {
    p->stage = SUBSCRIBING;
    p->unanswered = p->publisher ? option.channels : 1;
    if (!p->publisher) subscribe(p, p->index % option.channels);
    else for (int i = 0; i < option.channels; i++) subscribe(p, i);
}

static void subscribed(peer *p) {
    if (--p->unanswered) return;
    p->stage = RUNNING;
    if (p->publisher) return;
    counter.connected++;
    counter.connected_at = now_ns();
    open_more();
}

static void read_socket_id(peer *p, const char *text, size_t size) {
    const char *at = memmem(text, size, "socket_id", 9);
    if (!at) return;
    at += 9;
    at += strcspn(at, "0123456789");
    snprintf(p->socket_id, sizeof p->socket_id, "%.*s", (int)strspn(at, "0123456789."), at);
}

static bool has(const uint8_t *text, size_t size, const char *what) { return memmem(text, size, what, strlen(what)); }

static void greet(peer *p, const uint8_t *text, size_t size) {
    if (option.socketio) {
        if (text[0] == '0') send_text(p, "40", 2);
        else if (size > 1 && text[0] == '4' && text[1] == '0') subscribe_all(p);
    } else if (has(text, size, "connection_established")) {
        read_socket_id(p, (const char *)text, size);
        subscribe_all(p);
    }
}

/* An event of ours carries "@T", the time of its sending in nanoseconds, and padding. */
static bool count_delivery(peer *p, const uint8_t *text, size_t size, uint64_t now) {
    const uint8_t *at = memchr(text, '@', size);
    if (!at || at + 2 + STAMP_DIGITS > text + size || at[1] != 'T') return false;
    if (p->publisher) return true; /* a server that echoes */
    counter.deliveries++;
    if (timing) {
        uint64_t sent = 0;
        for (int i = 0; i < STAMP_DIGITS; i++) sent = sent * 10 + (at[2 + i] - '0');
        record(now > sent ? now - sent : 0);
    }
    return true;
}

static void on_text(peer *p, const uint8_t *text, size_t size, uint64_t now) {
    if (p->stage == RUNNING && count_delivery(p, text, size, now)) return;
    if (has(text, size, "pusher:error")) give_up("error from the server: %.*s", (int)size, text);
    if (has(text, size, "pusher:ping")) send_text(p, "{\"event\":\"pusher:pong\",\"data\":{}}", 33);
    else if (option.socketio && size == 1 && text[0] == '2') send_text(p, "3", 1);
    else if (p->stage == GREETING) greet(p, text, size);
    else if (p->stage == SUBSCRIBING && has(text, size, "subscription_succeeded")) subscribed(p);
}

static void pong(peer *p, const uint8_t *payload, size_t size) {
    uint8_t bytes[2 + MASK_SIZE + 125] = {0};
    size_t header = write_header(bytes, OP_PONG, size, true) + MASK_SIZE; /* a mask of zeros */
    memcpy(bytes + header, payload, size);
    send_bytes(p, bytes, header + size);
}

/* Answers how many of the bytes were understood. `bytes` end with a zero that is not counted. */
static size_t consume(peer *p, const uint8_t *bytes, size_t size, uint64_t now) {
    size_t done = 0;
    if (p->http) return read_answers(p, bytes, size);
    if (p->stage == UPGRADING) {
        const uint8_t *end = memmem(bytes, size, "\r\n\r\n", 4);
        if (!end) return 0;
        if (!has(bytes, size, "HTTP/1.1 101")) give_up("handshake refused: %.*s", (int)size, bytes);
        p->stage = GREETING;
        done = (size_t)(end + 4 - bytes);
    }
    frame head;
    while (p->stage != DEAD && read_frame(bytes + done, size - done, &head)) {
        const uint8_t *payload = bytes + done + head.header;
        if (head.opcode == OP_TEXT) on_text(p, payload, head.length, now);
        else if (head.opcode == OP_PING && head.length <= 125) pong(p, payload, head.length);
        else if (head.opcode == OP_CLOSE) lose(p, "close frame");
        done += head.header + head.length;
    }
    return done;
}

static void reopen(peer *p) {
    close(p->fd);
    release(&p->in);
    release(&p->out);
    open_socket(p, p->index, true, true);
}

static void on_readable(peer *p) {
    static uint8_t bytes[READ];
    while (p->stage != DEAD) {
        size_t kept = p->in.size, room = sizeof bytes - kept - 1;
        if (kept) memcpy(bytes, p->in.bytes, kept);
        ssize_t got = recv(p->fd, bytes + kept, room, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0 && p->http && !p->unanswered) {
            reopen(p);
            return;
        }
        if (got <= 0) {
            lose(p, got ? strerror(errno) : "closed by the server");
            return;
        }
        size_t size = kept + (size_t)got;
        bytes[size] = 0;
        size_t done = consume(p, bytes, size, now_ns());
        p->in.size = 0;
        if (done < size) append(&p->in, bytes + done, size - done);
        if (p->must_close && !p->unanswered) {
            reopen(p);
            return;
        }
        if ((size_t)got < room) return; /* edge-triggered, and all of it was taken */
    }
}

/* Asking without pause would keep the kernel's list of ready sockets from the server that wants to add to it. */
static void pause_briefly(void) {
    uint64_t until = now_ns() + PAUSE;
    while (now_ns() < until) continue;
}

void turn(int milliseconds) {
    static struct epoll_event events[TURN];
    int ready = epoll_wait(poller, events, TURN, milliseconds);
    if (!ready && !milliseconds) pause_briefly();
    for (int i = 0; i < ready; i++) {
        peer *p = events[i].data.ptr;
        if (p->stage == DEAD) continue;
        if (events[i].events & (EPOLLERR | EPOLLHUP) && p->stage == CONNECTING) give_up("cannot connect to port %d", option.port);
        if (events[i].events & EPOLLOUT) {
            if (p->stage != CONNECTING) flush(p);
            else if (p->http) p->stage = RUNNING;
            else upgrade(p);
        }
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable(p);
    }
}
