/* The system of rosterd-faulty, which fails on demand: these functions stand before those of the C
 * library for the program and for every library that it uses.
 */
#undef _FILE_OFFSET_BITS /* or `open` would be another name of open64 */
#undef _FORTIFY_SOURCE   /* or the headers would define some of these functions */

#include "control.h"

#include "base/arena.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <zxcvbn.h>

static int connects = -1; /* a file that gets a line for each (CONNECTS_FILE) */
static int changes = -1;  /* and one for each change of files and names (CHANGES_FILE) */
static int (*real_getaddrinfo)(const char *, const char *, const struct addrinfo *,
                               struct addrinfo **);
static int (*real_pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
static int (*real_pthread_setname_np)(pthread_t, const char *);

/* libzxcvbn uses what malloc gives unseen, and ends the process: known, see SECURITY.md. */
static _Thread_local bool is_spared;

__attribute__((constructor)) static void find_real(void) {
    void *found = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&real_pthread_create, &found, sizeof found);
    found = dlsym(RTLD_NEXT, "pthread_setname_np");
    memcpy(&real_pthread_setname_np, &found, sizeof found);
    found = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real_getaddrinfo, &found, sizeof found);
    if (getenv("CONNECTS_FILE"))
        connects = open(getenv("CONNECTS_FILE"), O_WRONLY | O_APPEND | O_CLOEXEC);
    if (getenv("CHANGES_FILE"))
        changes = open(getenv("CHANGES_FILE"), O_WRONLY | O_APPEND | O_CLOEXEC);
}

static bool strikes(enum kind kind) {
    return !is_spared && control_strikes(kind);
}

/* ---- memory: the C library's own functions remain under these names ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size) {
    return strikes(MEMORY) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return strikes(MEMORY) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
    return strikes(MEMORY) ? NULL : __libc_realloc(old, size);
}

double __real_ZxcvbnMatch(const char *password, const char *known[], ZxcMatch_t **info);
double __wrap_ZxcvbnMatch(const char *password, const char *known[], ZxcMatch_t **info);

double __wrap_ZxcvbnMatch(const char *password, const char *known[], ZxcMatch_t **info) {
    is_spared = true;
    double bits = __real_ZxcvbnMatch(password, known, info);
    is_spared = false;
    return bits;
}

/* ---- a request's memory, which comes in chunks: so each piece can fail (ld --wrap) ---- */

void *__real_arena_alloc(struct arena *arena, size_t size);
void *__wrap_arena_alloc(struct arena *arena, size_t size);
void *__real_arena_calloc(struct arena *arena, size_t count, size_t size);
void *__wrap_arena_calloc(struct arena *arena, size_t count, size_t size);
void *__real_arena_grow(struct arena *arena, void *old, size_t old_size, size_t size);
void *__wrap_arena_grow(struct arena *arena, void *old, size_t old_size, size_t size);
bool __real_arena_reserve(struct arena *arena, size_t size);
bool __wrap_arena_reserve(struct arena *arena, size_t size);
void __real_arena_close(struct arena *arena);
void __wrap_arena_close(struct arena *arena);
struct text __real_arena_text(struct arena *arena, struct text text);
struct text __wrap_arena_text(struct arena *arena, struct text text);
struct text __wrap_arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static _Atomic(struct arena *) has_reserve; /* must not fail any more, until it is closed */

static bool arena_strikes(struct arena *arena) {
    if (arena == atomic_load(&has_reserve) || !strikes(ARENA))
        return false;
    arena->failed = true;
    return true;
}

void *__wrap_arena_alloc(struct arena *arena, size_t size) {
    return arena_strikes(arena) ? NULL : __real_arena_alloc(arena, size);
}

void *__wrap_arena_calloc(struct arena *arena, size_t count, size_t size) {
    return arena_strikes(arena) ? NULL : __real_arena_calloc(arena, count, size);
}

void *__wrap_arena_grow(struct arena *arena, void *old, size_t old_size, size_t size) {
    return arena_strikes(arena) ? NULL : __real_arena_grow(arena, old, old_size, size);
}

bool __wrap_arena_reserve(struct arena *arena, size_t size) {
    bool ok = !arena_strikes(arena) && __real_arena_reserve(arena, size);
    if (ok)
        atomic_store(&has_reserve, arena);
    return ok;
}

void __wrap_arena_close(struct arena *arena) {
    struct arena *expected = arena;
    (void)atomic_compare_exchange_strong(&has_reserve, &expected, NULL);
    __real_arena_close(arena);
}

struct text __wrap_arena_text(struct arena *arena, struct text text) {
    struct text nothing = { 0 };
    return arena_strikes(arena) ? nothing : __real_arena_text(arena, text);
}

struct text __wrap_arena_printf(struct arena *arena, const char *format, ...) {
    char printed[4096];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(printed, sizeof printed, format, arguments);
    va_end(arguments);
    if (len < 0 || (size_t)len >= sizeof printed || arena_strikes(arena))
        return (struct text){ 0 };
    return __real_arena_text(arena, (struct text){ printed, (size_t)len });
}

/* ---- threads, disk, clock ---- */

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument) {
    return strikes(THREAD) ? errno : real_pthread_create(thread, attributes, run, argument);
}

static void note_change(const char *what, const char *path, const char *other) {
    int error = errno;
    if (changes >= 0 && dprintf(changes, "%s %s %s\n", what, path, other) < 0)
        abort();
    errno = error;
}

/* Of an open file, by the name that it has now. */
static void note_file(const char *what, int file) {
    char link[64], path[4096] = "";
    int error = errno;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    if (changes >= 0 && readlink(link, path, sizeof path - 1) > 0)
        note_change(what, path, "");
    errno = error;
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
    if (strikes(WRITE))
        return -1;
    note_file("write", file);
    return syscall(SYS_pwrite64, file, bytes, size, at);
}

int ftruncate64(int file, off64_t size) {
    note_file("write", file);
    return (int)syscall(SYS_ftruncate, file, size);
}

/* The owner of a file reaches the disk with the next sync, as its contents do. */
int fchown(int file, uid_t owner, gid_t group) {
    note_file("write", file);
    return (int)syscall(SYS_fchown, file, owner, group);
}

/* ---- names: one may not change, or another program's file be there just before ---- */

static void appear(const char *path) {
    static const char theirs[] = "theirs";
    int file = strikes(APPEAR) ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (file >= 0 && (write(file, theirs, sizeof theirs - 1) < 0 || close(file) != 0))
        abort();
}

/* Only what was done is noted. */
static int change_name(long number, const char *from, const char *to) {
    int result = (int)syscall(number, from, to);
    if (result == 0)
        note_change(number == SYS_link     ? "link"
                    : number == SYS_rename ? "rename"
                                           : "unlink",
                    from, to ? to : "");
    return result;
}

int rename(const char *from, const char *to) {
    appear(to);
    return strikes(RENAME) ? -1 : change_name(SYS_rename, from, to);
}

int link(const char *from, const char *to) {
    appear(to);
    return change_name(SYS_link, from, to);
}

int unlink(const char *path) {
    return change_name(SYS_unlink, path, NULL);
}

/* SQLite's are those above. Regular files alone: what the program says goes through here too. */
ssize_t write(int file, const void *bytes, size_t size) {
    struct stat status;
    bool is_regular = fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    if (is_regular && strikes(PLAIN))
        return -1;
    if (is_regular && file != changes)
        note_file("write", file);
    return syscall(SYS_write, file, bytes, size);
}

/* The thread that commits, as it calls itself; a checkpoint's syncs are others. */
static _Thread_local bool is_writer;

int pthread_setname_np(pthread_t thread, const char *name) {
    is_writer = pthread_equal(thread, pthread_self()) && strcmp(name, "writer") == 0;
    return real_pthread_setname_np(thread, name);
}

static void hold_writer(void) {
    const struct timespec moment = { .tv_nsec = 1000000 };
    if (!control || !is_writer || !atomic_load(&control->holds_writer))
        return;
    atomic_fetch_add(&control->holds, 1);
    while (atomic_load(&control->holds_writer))
        (void)nanosleep(&moment, NULL);
}

static int sync_file(long number, int file) {
    struct timespec delay = { 0 };
    if (control)
        delay.tv_nsec = atomic_load(&control->sync_delay_ms) * 1000000L;
    if (delay.tv_nsec)
        (void)nanosleep(&delay, NULL);
    hold_writer();
    if (strikes(SYNC))
        return -1;
    note_file("sync", file);
    return (int)syscall(number, file);
}

int fsync(int file) {
    return sync_file(SYS_fsync, file);
}

int fdatasync(int file) {
    return sync_file(SYS_fdatasync, file);
}

/* The tests look into /proc and set limits: that, a server that is not dumpable allows root alone.
 */
int prctl(int option, ...) {
    unsigned long arguments[4];
    va_list list;
    va_start(list, option);
    for (int i = 0; i < 4; i++)
        arguments[i] = va_arg(list, unsigned long);
    va_end(list);
    if (option == PR_SET_DUMPABLE)
        return 0;
    return (int)syscall(SYS_prctl, option, arguments[0], arguments[1], arguments[2], arguments[3]);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    long failed = syscall(SYS_clock_gettime, clock, now);
    bool is_wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    if (failed || !control || (!is_wall && clock != CLOCK_BOOTTIME))
        return (int)failed;
    long long offset_ms =
        atomic_load(is_wall ? &control->clock_offset_ms : &control->boot_offset_ms);
    long long ms = now->tv_sec * 1000LL + now->tv_nsec / 1000000 + offset_ms;
    now->tv_sec = ms / 1000;
    now->tv_nsec = ms % 1000 * 1000000 + now->tv_nsec % 1000000;
    return 0;
}

/* ---- clients: what fails is what the system can fail with. It never asks for a call again that it
 * has no event for, so no call says EAGAIN here; with a small buffer it does so by itself, and
 * takes bytes in small parts. ---- */

enum { FILES_MAX = 4096 };

static atomic_bool is_client[FILES_MAX]; /* descriptors of accepted connections */

static bool client_strikes(enum kind kind, int file) {
    return file >= 0 && file < FILES_MAX && atomic_load(&is_client[file]) && strikes(kind);
}

ssize_t recv(int file, void *bytes, size_t size, int flags) {
    return client_strikes(RECV, file) ? -1 : syscall(SYS_recvfrom, file, bytes, size, flags, 0, 0);
}

ssize_t send(int file, const void *bytes, size_t size, int flags) {
    return client_strikes(SEND, file) ? -1 : syscall(SYS_sendto, file, bytes, size, flags, 0, 0);
}

ssize_t sendmsg(int file, const struct msghdr *message, int flags) {
    return client_strikes(SEND, file) ? -1 : syscall(SYS_sendmsg, file, message, flags);
}

/* The C library declares it with a union of all kinds of addresses. */
int take_client(int file, struct sockaddr *address, socklen_t *size, int flags) __asm__("accept4");

int take_client(int file, struct sockaddr *address, socklen_t *size, int flags) {
    int buffer = control ? (int)atomic_load(&control->send_buffer) : 0;
    int taken = strikes(ACCEPT) ? -1 : (int)syscall(SYS_accept4, file, address, size, flags);
    if (taken < 0)
        return taken;
    if (buffer && setsockopt(taken, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer) != 0)
        abort();
    if (taken < FILES_MAX)
        atomic_store(&is_client[taken], true);
    return taken;
}

int epoll_ctl(int file, int how, int other, struct epoll_event *event) {
    return strikes(POLL) ? -1 : (int)syscall(SYS_epoll_ctl, file, how, other, event);
}

int epoll_wait(int file, struct epoll_event *events, int count, int timeout_ms) {
    if (strikes(WAIT))
        return -1;
    return (int)syscall(SYS_epoll_wait, file, events, count, timeout_ms);
}

/* ---- the network: where the server goes is written down, and it gets no further than this
 * machine. A name that ends in `.test` has the addresses that its labels are, with - for . and for
 * :, all at once (`all.10-0-0-1.8-8-8-8.test`) or one after the other from look-up to look-up
 * (`turn.`). ---- */

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 ==
               IN_LOOPBACKNET;
    return address->sa_family != AF_INET6 ||
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

/* The C library declares it with a union of all kinds of addresses. */
int see_connect(int file, const struct sockaddr *address, socklen_t size) __asm__("connect");

int see_connect(int file, const struct sockaddr *address, socklen_t size) {
    char host[NI_MAXHOST], port[NI_MAXSERV];
    bool is_inet = address->sa_family == AF_INET || address->sa_family == AF_INET6;
    if (connects >= 0 && is_inet) {
        if (getnameinfo(address, size, host, sizeof host, port, sizeof port,
                        NI_NUMERICHOST | NI_NUMERICSERV) != 0 ||
            dprintf(connects, "%s %s\n", host, port) < 0)
            abort();
        if (!is_loopback(address)) {
            errno = ENETUNREACH;
            return -1;
        }
    }
    return (int)syscall(SYS_connect, file, address, size);
}

/* One label as an address, of either family. */
static int look_up_label(char *label, const char *service, const struct addrinfo *hints,
                         struct addrinfo **found) {
    struct addrinfo numeric = { .ai_socktype = hints ? hints->ai_socktype : 0 };
    numeric.ai_flags = AI_NUMERICHOST;
    for (const char *between = ".:"; *between; between++) {
        char address[64] = "";
        for (size_t i = 0; label[i] && i + 1 < sizeof address; i++)
            address[i] = label[i];
        for (char *at = address; (at = strchr(at, '-'));)
            *at = *between;
        if (real_getaddrinfo(address, service, &numeric, found) == 0)
            return 0;
    }
    return EAI_NONAME;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *req,
                struct addrinfo **pai) {
    static atomic_uint turns;
    struct addrinfo *all = NULL, **end = &all, here = req ? *req : (struct addrinfo){ 0 };
    char copy[256] = "", *rest = copy, *labels[16];
    size_t count = 0, len = name ? strlen(name) : 0;
    if (connects < 0)
        return real_getaddrinfo(name, service, req, pai);
    if (strcasestr(name, "localhost"))
        (void)snprintf(copy, sizeof copy, "all.127-0-0-1.--1");
    else if (len >= 5 && len < sizeof copy && strcmp(name + len - 5, ".test") == 0)
        memcpy(copy, name, len - 5);
    here.ai_flags |= AI_NUMERICHOST; /* no name server is asked */
    if (!copy[0])
        return real_getaddrinfo(name, service, &here, pai);
    bool takes_turns = strcmp(strsep(&rest, "."), "turn") == 0;
    while (rest && count < sizeof labels / sizeof labels[0])
        labels[count++] = strsep(&rest, ".");
    if (takes_turns && count) {
        labels[0] = labels[atomic_fetch_add(&turns, 1) % count];
        count = 1;
    }
    for (size_t i = 0; i < count; i++) {
        if (look_up_label(labels[i], service, req, end) != 0)
            return EAI_NONAME;
        while (*end)
            end = &(*end)->ai_next;
    }
    *pai = all;
    return all ? 0 : EAI_NONAME;
}
