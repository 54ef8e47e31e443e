/* The way of the log's lines to standard error.
 *
 * The reader of the log may stand still: a full disk, a stopped journal, a terminal on which
 * somebody has pressed Ctrl-S. A thread that serves clients must not wait for that. So lines go
 * into a buffer, and one thread writes it. Two buffers take turns: threads add to `filling` while
 * the thread writes the other one. When `filling` is full, lines are dropped and counted.
 *
 * The thread gathers lines for LINGER_MS before it writes, so a busy server makes a hundred system
 * calls a second for its log, not one for each request. Errors and warnings do not wait.
 *
 * Before the start and after the stop of the thread, lines are written at once. Then poll(2) says
 * whether the line would have to wait: a line is no longer than PIPE_BUF, so a pipe that can be
 * written to takes all of it. */
#include "base/log_output.h"

#include "base/mutex.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum {
    ROOM = 512 * 1024,
    LINGER_MS = 10,
    PATIENCE_MS = 1000, /* of a start or a stop with a reader that stands still */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more, ended;
    pthread_t thread;
    atomic_bool runs;
    atomic_bool is_stuck; /* a line was not taken within PATIENCE_MS */
    bool stops, is_urgent, has_ended;
    char *filling, *writing;
    size_t filled;
    atomic_uint_fast64_t dropped;
    uint64_t reported; /* of `dropped` */
    char room[2][ROOM];
} output = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Nothing can be done about errors: there is no other place to report them. */
static void write_all(const char *bytes, size_t size) {
    while (size) {
        ssize_t written = write(STDERR_FILENO, bytes, size);
        if (written < 0 && errno == EAGAIN) { /* whoever started the program shares the file */
            struct pollfd wait = { STDERR_FILENO, POLLOUT, 0 };
            (void)poll(&wait, 1, -1);
        } else if (written < 0 && errno != EINTR) {
            return;
        } else if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
}

static void write_at_once(struct text line) {
    struct pollfd wait = { STDERR_FILENO, POLLOUT, 0 };
    if (poll(&wait, 1, atomic_load(&output.is_stuck) ? 0 : PATIENCE_MS) != 1) {
        atomic_store(&output.is_stuck, true);
        atomic_fetch_add(&output.dropped, 1);
        return;
    }
    ssize_t written = write(STDERR_FILENO, line.at, line.len);
    (void)written;
}

static struct timespec time_after(long ms) {
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at); /* fails for unknown clocks only */
    at.tv_nsec += ms * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

/* Waits for lines. False: there are none, and none will come. With the lock held. */
static bool wait_for_lines(void) {
    while (!output.filled && !output.stops)
        (void)pthread_cond_wait(&output.more, &output.lock);
    const struct timespec end = time_after(LINGER_MS);
    while (!output.is_urgent && !output.stops &&
           pthread_cond_timedwait(&output.more, &output.lock, &end) == 0)
        ;
    return output.filled;
}

static void *run(void *argument) {
    (void)argument;
    mutex_lock(&output.lock);
    while (wait_for_lines()) {
        char *bytes = output.filling;
        size_t size = output.filled;
        output.filling = output.writing;
        output.writing = bytes;
        output.filled = 0;
        output.is_urgent = false;
        mutex_unlock(&output.lock);
        write_all(bytes, size);
        mutex_lock(&output.lock);
    }
    output.has_ended = true;
    mutex_unlock(&output.lock);
    (void)pthread_cond_signal(&output.ended);
    return NULL;
}

static bool prepare_waits(void) {
    pthread_condattr_t monotonic;
    if (pthread_condattr_init(&monotonic) != 0)
        return false;
    bool ok = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(&output.more, &monotonic) == 0 &&
              pthread_cond_init(&output.ended, &monotonic) == 0;
    (void)pthread_condattr_destroy(&monotonic);
    return ok;
}

bool log_output_start(void) {
    output.filling = output.room[0];
    output.writing = output.room[1];
    if (!prepare_waits())
        return false;
    if (pthread_create(&output.thread, NULL, run, NULL) == 0) {
        (void)pthread_setname_np(output.thread, "log");
        atomic_store(&output.runs, true);
        return true;
    }
    return false;
}

bool log_output_runs(void) {
    return atomic_load_explicit(&output.runs, memory_order_relaxed);
}

static void add(struct text line, bool is_urgent) {
    mutex_lock(&output.lock);
    bool was_empty = !output.filled, has_room = line.len <= ROOM - output.filled;
    if (has_room) {
        memcpy(output.filling + output.filled, line.at, line.len);
        output.filled += line.len;
    } else {
        atomic_fetch_add(&output.dropped, 1);
    }
    bool hurries = (is_urgent || output.filled > ROOM / 2) && !output.is_urgent;
    output.is_urgent |= hurries;
    mutex_unlock(&output.lock);
    if (was_empty || hurries)
        (void)pthread_cond_signal(&output.more);
}

void log_output_add(struct text line, bool is_urgent) {
    if (log_output_runs())
        add(line, is_urgent);
    else
        write_at_once(line);
}

/* Asks the thread to end. False if it does not within PATIENCE_MS. */
static bool end_thread(void) {
    const struct timespec end = time_after(PATIENCE_MS);
    mutex_lock(&output.lock);
    output.stops = true;
    (void)pthread_cond_signal(&output.more);
    while (!output.has_ended && pthread_cond_timedwait(&output.ended, &output.lock, &end) == 0)
        ;
    bool has_ended = output.has_ended;
    mutex_unlock(&output.lock);
    return has_ended && pthread_join(output.thread, NULL) == 0;
}

void log_output_stop(void) {
    if (!log_output_runs())
        return;
    if (!end_thread())
        atomic_store(&output.is_stuck, true); /* the end of the process ends the thread */
    atomic_store(&output.runs, false);
}

uint64_t log_output_dropped(void) {
    return atomic_load_explicit(&output.dropped, memory_order_relaxed);
}

uint64_t log_output_take_unreported(void) {
    mutex_lock(&output.lock);
    uint64_t dropped = log_output_dropped(), unreported = dropped - output.reported;
    bool has_room = !output.filled || output.filled < ROOM / 2;
    if (has_room)
        output.reported = dropped;
    mutex_unlock(&output.lock);
    return has_room ? unreported : 0;
}
