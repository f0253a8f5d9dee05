/* load: opens sockets on a Pusher-protocol server on loopback, publishes events, counts and times what arrives.
 *
 *     load --port 6001 --path "/app/key?protocol=7" --sockets 1000 --channels 1 [--window 16 | --rate 20] [--requests FILE]
 *
 * One JSON object on standard output. Socket i subscribes to channel i mod --channels.
 * --hold S         instead of publishing: waits so long, then reads the memory of --server
 * --window N       so many events are under way at any time (saturation)
 * --rate R         so many events a second, whatever happens to them
 * --requests FILE  events go through the HTTP API as prepared there, --events-per-request in each
 *
 * It never sleeps while it publishes: waking it up would be charged to the server's writes.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

options option = {
    .path = "/", .prefix = "bench-", .key = "", .secret = "", .port = 6001, .sockets = 1000, .channels = 1,
    .concurrency = 64, .baseline = 1, .payload = 100, .publishers = 1, .window = 16, .events_per_request = 1,
    .seconds = 3, .warmup = 1,
};
counters counter;
bool timing;

static const uint64_t SECOND = 1000000000u;
static const uint64_t CONNECT_WITHIN = 120, DRAIN_WITHIN = 10, STALLED_AFTER = 10; /* seconds */

typedef struct {
    const char *name;
    enum { TEXT, NUMBER, REAL, FLAG } kind;
    void *value;
} argument;

static const argument known[] = {
    {"--path", TEXT, &option.path}, {"--prefix", TEXT, &option.prefix}, {"--key", TEXT, &option.key},
    {"--secret", TEXT, &option.secret}, {"--requests", TEXT, &option.requests}, {"--socketio", FLAG, &option.socketio},
    {"--port", NUMBER, &option.port}, {"--sockets", NUMBER, &option.sockets}, {"--channels", NUMBER, &option.channels},
    {"--concurrency", NUMBER, &option.concurrency}, {"--baseline", NUMBER, &option.baseline},
    {"--payload", NUMBER, &option.payload}, {"--publishers", NUMBER, &option.publishers},
    {"--window", NUMBER, &option.window}, {"--events-per-request", NUMBER, &option.events_per_request},
    {"--server", NUMBER, &option.server}, {"--rate", REAL, &option.rate}, {"--seconds", REAL, &option.seconds},
    {"--warmup", REAL, &option.warmup}, {"--hold", REAL, &option.hold},
};

static void read_arguments(int count, char **arguments) {
    for (int i = 1; i < count; i++) {
        const argument *found = NULL;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (!strcmp(arguments[i], known[k].name)) found = &known[k];
        if (!found || (found->kind != FLAG && i + 1 == count)) give_up("load: what is %s?", arguments[i]);
        if (found->kind == FLAG) *(bool *)found->value = true;
        else if (found->kind == TEXT) *(const char **)found->value = arguments[++i];
        else if (found->kind == NUMBER) *(int *)found->value = atoi(arguments[++i]);
        else *(double *)found->value = atof(arguments[++i]);
    }
}

static void print_usage(const char *name, usage from, usage to, double seconds) {
    printf(",\"%s_cpu\":%.3f,\"%s_delayed\":%.3f", name, (double)(to.cpu - from.cpu) / 1e9 / seconds, name,
           (double)(to.delayed - from.delayed) / 1e9 / seconds);
}

/* Answers the server's memory when `baseline` sockets were there. */
static long connect_all(void) {
    usage before = usage_of(option.server), mine = usage_of(0);
    uint64_t started = now_ns();
    long baseline = 0;
    open_more();
    while ((int)counter.connected < option.sockets) {
        turn(0);
        if (!baseline && (int)counter.connected >= option.baseline) baseline = resident_kb(option.server);
        if (now_ns() > started + CONNECT_WITHIN * SECOND) give_up("only %llu sockets connected", (unsigned long long)counter.connected);
    }
    double seconds = (double)(counter.connected_at - started) / 1e9;
    usage after = usage_of(option.server);
    printf("{\"connects\":%.0f,\"cpu_us\":%.1f", option.sockets / seconds, (double)(after.cpu - before.cpu) / 1e3 / option.sockets);
    print_usage("connect_server", before, after, seconds);
    print_usage("connect_client", mine, usage_of(0), seconds);
    return baseline;
}

static void hold(long baseline) {
    uint64_t until = now_ns() + (uint64_t)(option.hold * 1e9);
    while (now_ns() < until) turn(10);
    long resident = resident_kb(option.server);
    printf(",\"resident_kb\":%ld,\"kb_per_socket\":%.3f", resident,
           (double)(resident - baseline) / (option.sockets - option.baseline));
}

static void drain(void) {
    uint64_t until = now_ns() + DRAIN_WITHIN * SECOND;
    uint64_t expected = counter.sent * (uint64_t)(option.sockets / option.channels);
    timing = false;
    while (counter.deliveries < expected && now_ns() < until) turn(0);
    printf(",\"sent\":%llu,\"missing\":%lld", (unsigned long long)counter.sent, (long long)(expected - counter.deliveries));
}

static void publish(void) {
    open_publishers();
    uint64_t started = now_ns(), begin = started + (uint64_t)(option.warmup * 1e9);
    uint64_t end = begin + (uint64_t)(option.seconds * 1e9), progress = started, last = 0;
    counters at_begin = {0};
    usage server = {0}, mine = {0};
    uint64_t now = started;
    bool measuring = false;
    while (now < end) {
        turn(0);
        now = now_ns();
        if (!measuring && now >= begin) {
            measuring = true;
            timing = option.rate > 0;
            begin = now;
            at_begin = counter;
            server = usage_of(option.server);
            mine = usage_of(0);
        }
        if (counter.deliveries != last || option.rate > 0) last = counter.deliveries, progress = now;
        else if (now - progress > STALLED_AFTER * SECOND) give_up("stalled: %llu events sent", (unsigned long long)counter.sent);
        publish_some(now, started);
    }
    double seconds = (double)(now - begin) / 1e9;
    printf(",\"deliveries\":%.0f,\"events\":%.1f", (double)(counter.deliveries - at_begin.deliveries) / seconds,
           (double)(counter.sent - at_begin.sent) / seconds);
    print_usage("server", server, usage_of(option.server), seconds);
    print_usage("client", mine, usage_of(0), seconds);
    drain();
    printf(",\"p50_ms\":%.3f,\"p99_ms\":%.3f", percentile_ms(0.5), percentile_ms(0.99));
}

int main(int count, char **arguments) {
    read_arguments(count, arguments);
    signal(SIGPIPE, SIG_IGN);
    start_sockets();
    long baseline = connect_all();
    if (option.hold > 0) hold(baseline);
    else publish();
    printf(",\"lost\":%llu,\"refused\":%llu}\n", (unsigned long long)counter.lost, (unsigned long long)counter.refused);
    return 0;
}
