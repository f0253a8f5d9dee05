/* Time, and what processes have used. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "load.h"

/* Delays by magnitude: 64 steps in every power of two, so that a percentile is off by 1.6 % at most. */
enum { STEPS = 64, MAGNITUDES = 64 };

static uint64_t delays[MAGNITUDES * STEPS], recorded;

uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void record(uint64_t nanoseconds) {
    int shift = nanoseconds < STEPS ? 0 : 58 - __builtin_clzll(nanoseconds);
    delays[shift * STEPS + (int)(nanoseconds >> shift)]++;
    recorded++;
}

double percentile_ms(double part) {
    uint64_t wanted = (uint64_t)((double)recorded * part), seen = 0;
    for (int i = 0; i < MAGNITUDES * STEPS; i++) {
        seen += delays[i];
        if (seen > wanted) {
            int shift = i < 2 * STEPS ? 0 : i / STEPS - 1;
            return (double)((uint64_t)(i - shift * STEPS) << shift) / 1e6;
        }
    }
    return 0;
}

/* Of the process and all its threads; schedstat counts in nanoseconds. */
usage usage_of(int pid) {
    char path[300];
    usage sum = {0};
    if (pid) snprintf(path, sizeof path, "/proc/%d/task", pid);
    else strcpy(path, "/proc/self/task");
    DIR *threads = opendir(path);
    if (!threads) return sum;
    size_t base = strlen(path);
    for (struct dirent *each; (each = readdir(threads));) {
        if (each->d_name[0] == '.') continue;
        snprintf(path + base, sizeof path - base, "/%.20s/schedstat", each->d_name);
        FILE *file = fopen(path, "r");
        unsigned long long cpu, delayed;
        if (file && fscanf(file, "%llu %llu", &cpu, &delayed) == 2) sum.cpu += cpu, sum.delayed += delayed;
        if (file) fclose(file);
    }
    closedir(threads);
    return sum;
}

long resident_kb(int pid) {
    char path[64], line[256];
    long value = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld", &value) == 1) break;
    fclose(file);
    return value;
}
