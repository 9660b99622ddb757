/* A wall clock that is wrong by CLOCK_OFFSET_S seconds, for programs that preload this. All other
   clocks, and so all waits, stay right. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Chromium's sandbox forbids some of the system calls, which the C library spares. */
static int (*real)(clockid_t, struct timespec *);
static long offset_s;

__attribute__((constructor)) static void read_offset(void) {
    real = dlsym(RTLD_NEXT, "clock_gettime");
    const char *text = getenv("CLOCK_OFFSET_S");
    offset_s = text ? atol(text) : 0;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int status = real ? real(id, now) : (int)syscall(SYS_clock_gettime, id, now);
    if (!status && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += offset_s;
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec exact;
    int status = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return status;
}

time_t time(time_t *kept) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (kept) *kept = now.tv_sec;
    return now.tv_sec;
}
