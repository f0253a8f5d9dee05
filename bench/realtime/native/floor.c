/* The floor: what the kernel alone costs.
 *
 * A server with one epoll loop that answers the WebSocket handshake and pusher:subscribe, and passes client events on to
 * the other subscribers of their channel as it got them: nothing is checked, parsed or counted.
 *
 *     floor PORT plain      one write per event and socket
 *     floor PORT gathered   the events of a channel that arrive in one turn of the loop go out in one write per socket
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "digest.h"
#include "wire.h"

enum { MAX_CHANNELS = 65536, MAX_NAME = 200, TURN = 1024, READ = 1 << 18 };

typedef struct channel channel;

typedef struct {
    channel *where;
    int position;
} seat;

typedef struct {
    int fd;
    bool upgraded, wants_write;
    buffer in, out;
    seat *seats; /* as often as it has subscribed */
    int seated;
} client;

struct channel {
    char name[MAX_NAME + 1];
    client **subscribers;
    int count, capacity;
    buffer pending;
    client *sender; /* of all that is pending */
    bool dirty;
};

static channel *channels[MAX_CHANNELS];
static channel *dirty[MAX_CHANNELS];
static int dirty_count, poller;
static bool gathered;
static unsigned long opened;

static void fail(const char *what) {
    perror(what);
    exit(2);
}

static channel *find_channel(const char *name, size_t size) {
    if (size > MAX_NAME) size = MAX_NAME;
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++) hash = (hash ^ (uint8_t)name[i]) * 16777619u;
    for (;; hash++) {
        channel **slot = &channels[hash % MAX_CHANNELS];
        if (!*slot) {
            *slot = calloc(1, sizeof **slot);
            memcpy((*slot)->name, name, size);
        }
        if (!memcmp((*slot)->name, name, size) && !(*slot)->name[size]) return *slot;
    }
}

static void watch(client *to, bool write) {
    struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = to};
    to->wants_write = write;
    if (epoll_ctl(poller, EPOLL_CTL_MOD, to->fd, &event)) fail("epoll_ctl");
}

static void put(client *to, const uint8_t *bytes, size_t size) {
    if (!to->out.size) {
        ssize_t written = send(to->fd, bytes, size, MSG_NOSIGNAL);
        if (written == (ssize_t)size) return;
        if (written < 0 && errno != EAGAIN) return; /* gone; reading says so */
        if (written > 0) bytes += written, size -= (size_t)written;
    }
    append(&to->out, bytes, size);
    if (!to->wants_write) watch(to, true);
}

static void put_text(client *to, const char *text, size_t size) {
    uint8_t bytes[1024];
    size_t header = write_header(bytes, OP_TEXT, size, false);
    memcpy(bytes + header, text, size);
    put(to, bytes, header + size);
}

static void broadcast(channel *to, const uint8_t *bytes, size_t size, const client *except) {
    for (int i = 0; i < to->count; i++)
        if (to->subscribers[i] != except) put(to->subscribers[i], bytes, size);
}

static void flush(channel *each) {
    broadcast(each, each->pending.bytes, each->pending.size, each->sender);
    each->pending.size = 0;
}

static void publish(channel *to, client *from, const uint8_t *text, size_t size) {
    uint8_t header[MAX_HEADER];
    size_t header_size = write_header(header, OP_TEXT, size, false);
    if (to->pending.size && to->sender != from) flush(to);
    to->sender = from;
    append(&to->pending, header, header_size);
    append(&to->pending, text, size);
    if (!gathered) {
        flush(to);
    } else if (!to->dirty) {
        to->dirty = true;
        dirty[dirty_count++] = to;
    }
}

static void subscribe(channel *to, client *who) {
    if (to->count == to->capacity) {
        to->capacity = to->capacity ? to->capacity * 2 : 8;
        to->subscribers = realloc(to->subscribers, (size_t)to->capacity * sizeof *to->subscribers);
    }
    to->subscribers[to->count] = who;
    who->seats = realloc(who->seats, (size_t)(who->seated + 1) * sizeof *who->seats);
    who->seats[who->seated++] = (seat){to, to->count++};
    char text[MAX_NAME + 100];
    int size = sprintf(text, "{\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"%s\",\"data\":\"{}\"}", to->name);
    put_text(who, text, (size_t)size);
}

static void leave(client *who) {
    for (int i = 0; i < who->seated; i++) {
        channel *from = who->seats[i].where;
        client *last = from->subscribers[--from->count];
        from->subscribers[who->seats[i].position] = last;
        for (int k = 0; k < last->seated; k++)
            if (last->seats[k].where == from) last->seats[k].position = who->seats[i].position;
        if (from->sender == who) from->sender = NULL;
    }
    close(who->fd);
    release(&who->in);
    release(&who->out);
    free(who->seats);
    free(who);
}

static void on_message(client *from, uint8_t *text, size_t size) {
    char *name = memmem(text, size, "\"channel\":\"", 11);
    if (!name) return;
    name += 11;
    char *end = memchr(name, '"', (size_t)((char *)text + size - name));
    if (!end) return;
    channel *to = find_channel(name, (size_t)(end - name));
    if (memmem(text, size, "pusher:subscribe", 16)) subscribe(to, from);
    else publish(to, from, text, size);
}

static void on_handshake(client *from, char *head) {
    char *key = strcasestr(head, "sec-websocket-key: ");
    if (!key) return;
    key += 19;
    char seed[128], accept[32], answer[512];
    uint8_t hash[SHA1_SIZE];
    int size = snprintf(seed, sizeof seed, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", (int)strcspn(key, "\r"), key);
    sha1(seed, (size_t)size, hash);
    to_base64(hash, sizeof hash, accept);
    size = sprintf(answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    char text[200];
    opened++;
    int text_size = sprintf(text, "{\"event\":\"pusher:connection_established\",\"data\":\"{\\\"socket_id\\\":\\\"%lu.%lu\\\","
                                  "\\\"activity_timeout\\\":120}\"}", opened, opened * 7919 % 1000003);
    size_t header = write_header((uint8_t *)answer + size, OP_TEXT, (size_t)text_size, false);
    memcpy(answer + size + header, text, (size_t)text_size);
    put(from, (uint8_t *)answer, (size_t)size + header + (size_t)text_size);
    from->upgraded = true;
}

/* Answers how many of the bytes were understood; the rest waits for more. */
static size_t consume(client *from, uint8_t *bytes, size_t size) {
    size_t done = 0;
    if (!from->upgraded) {
        char *end = memmem(bytes, size, "\r\n\r\n", 4);
        if (!end) return 0;
        *end = 0;
        on_handshake(from, (char *)bytes);
        done = (size_t)(end + 4 - (char *)bytes);
    }
    frame head;
    while (read_frame(bytes + done, size - done, &head)) {
        uint8_t *payload = bytes + done + head.header;
        apply_mask(payload, head.length, payload - MASK_SIZE);
        if (head.opcode == OP_TEXT) on_message(from, payload, head.length);
        done += head.header + head.length;
    }
    return done;
}

static bool on_readable(client *from) {
    static uint8_t bytes[READ];
    size_t kept = from->in.size;
    memcpy(bytes, from->in.bytes, kept);
    ssize_t got = recv(from->fd, bytes + kept, sizeof bytes - kept, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    size_t size = kept + (size_t)got, done = consume(from, bytes, size);
    from->in.size = 0;
    if (done < size) append(&from->in, bytes + done, size - done);
    return true;
}

static void on_writable(client *to) {
    ssize_t written = send(to->fd, to->out.bytes, to->out.size, MSG_NOSIGNAL);
    if (written > 0) drop_front(&to->out, (size_t)written);
    if (!to->out.size) watch(to, false);
}

static void on_connections(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        client *newcomer = calloc(1, sizeof *newcomer);
        newcomer->fd = fd;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = newcomer};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
    }
}

static int listen_on(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) fail("listen");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
    return fd;
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "floor PORT plain|gathered\n");
        return 2;
    }
    gathered = !strcmp(arguments[2], "gathered");
    signal(SIGPIPE, SIG_IGN);
    poller = epoll_create1(0);
    int listener = listen_on((uint16_t)atoi(arguments[1]));
    static struct epoll_event events[TURN];
    for (;;) {
        int ready = epoll_wait(poller, events, TURN, -1);
        for (int i = 0; i < ready; i++) {
            client *each = events[i].data.ptr;
            if (!each) on_connections(listener);
            else if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !on_readable(each)) leave(each);
            else if (events[i].events & EPOLLOUT) on_writable(each);
        }
        for (int i = 0; i < dirty_count; i++) {
            dirty[i]->dirty = false;
            flush(dirty[i]);
        }
        dirty_count = 0;
    }
}
