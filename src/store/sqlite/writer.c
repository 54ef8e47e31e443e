/* The store's life: opening, the one thread that writes, the one that checkpoints.
 *
 * The writer takes all commands that wait and commits them together, so one fsync serves them all.
 * The checkpointer copies the log (WAL) back into the database on its own time, and only when the
 * log has grown past a bound it asks the writer to rest, so that the log can begin anew. */
#include "store/sqlite/sqlite.h"

#include "base/log.h"
#include "base/mutex.h"
#include "base/time.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    LOOK_EVERY_MS = 200,
    CHECKPOINT_AFTER_MS = 3000,
    PAGES_AT_ONCE = 48,
    CATCH_UP_TURNS = 3,
    WRITER_NICE = -10,
    READER_THREADS = 2,
    WAL_BOUND_PAGES = 64 * 1024 * 1024 / 4096, /* it grows on meanwhile: 256 MB are promised */
    RESTART_WAIT_MS = 50,                      /* for which the writer rests in vain */
    PAGE_BYTES = 4096,
    TRY_EVERY_MS = 1000, /* so often room is looked for */
    SEARCH_LIMIT_MS = 10000,
    USER_TOKENS = 100,
    COMMANDS_MAX = 4096, /* that may wait for the writer: about a second of its work */
};

struct store {
    char path[PATH_MAX];
    int look_every_ms, log_bound_pages;
    int64_t checkpoint_after_ms;
    atomic_int log_pages; /* after the last commit */
    int directory;        /* held open and locked: one server a folder */
    int database;         /* for the checkpoints' pace; closing it would drop SQLite's own locks */
    struct store_view *writer_view, *checkpoint_view;
    pthread_t writer, checkpointer;
    bool writer_runs, checkpointer_runs;
    struct queue commands;
    struct reader_pool *reader_pool;
    struct queue stop;       /* nothing is put in: closing it ends the checkpointer */
    pthread_mutex_t turn;    /* held while a group is written, or the log is begun anew */
    atomic_bool wants_turn;  /* the checkpointer waits for the turn */
    atomic_bool must_forget; /* the log has what was erased: it must begin anew, and empty */
    atomic_bool wants_log;   /* and for those who read for long: the log is far past its bound */
    atomic_bool is_closing;
    int64_t search_limit_ms;
    int64_t user_tokens;
    atomic_bool is_broken; /* a sync failed: what reached the disk is not known any more */
    atomic_bool keeps_log; /* a checkpoint's: only the log has all that was acknowledged */
    atomic_uint_fast64_t access_epoch;
    atomic_uint_fast64_t commits;
    atomic_uint_fast64_t outbox_changes;
    atomic_uint_fast64_t commands_run; /* only the writer adds */
    atomic_uint_fast64_t groups[STORE_GROUP_SIZES], grouped;
    atomic_int
        refused_pages; /* of a command that the disk refused; 0: none since it took as many */
    int64_t tried_ms;  /* the writer's own: when room was last looked for */
    bool had_room;     /* and whether there was any */
    pthread_mutex_t readers_lock;
    struct store_view *readers;
    uint64_t readings; /* of the readers that are gone */
};

uint64_t store_access_epoch(const struct store *store) {
    return atomic_load_explicit(&store->access_epoch, memory_order_acquire);
}

bool store_access_changes(const struct store_view *view) {
    return view->access_changed;
}

bool store_access_stands(const struct store_view *view, uint64_t epoch) {
    return epoch == store_access_epoch(view->store) && !view->access_changed;
}

static enum status confirm_nobody(struct store_view *view, struct authority *authority) {
    (void)view;
    (void)authority;
    return STATUS_OK;
}

struct authority store_nobody = { confirm_nobody };

enum status command_run(struct store_view *view, struct store_command *command) {
    enum status status = command->on_behalf_of->confirm(view, command->on_behalf_of);
    return status == STATUS_OK ? command->run(view, command) : status;
}

int64_t store_user_tokens(const struct store *store) {
    return store->user_tokens;
}

uint64_t store_commits(const struct store *store) {
    return atomic_load_explicit(&store->commits, memory_order_acquire);
}

uint64_t store_outbox_changes(const struct store *store) {
    return atomic_load_explicit(&store->outbox_changes, memory_order_acquire);
}

bool store_wants_no_snapshots(const struct store *store) {
    return atomic_load_explicit(&store->wants_turn, memory_order_acquire);
}

enum status store_ends_reading(const struct store *store) {
    if (atomic_load_explicit(&store->is_closing, memory_order_relaxed))
        return STATUS_UNAVAILABLE;
    return atomic_load_explicit(&store->wants_log, memory_order_relaxed) ? STATUS_BUSY : STATUS_OK;
}

void store_end_reading(struct store *store) {
    atomic_store(&store->is_closing, true);
}

void store_register(struct store *store, struct store_view *view) {
    mutex_lock(&store->readers_lock);
    view->next = store->readers;
    store->readers = view;
    view->is_reader = true;
    mutex_unlock(&store->readers_lock);
}

void store_unregister(struct store *store, struct store_view *view) {
    mutex_lock(&store->readers_lock);
    struct store_view **place = &store->readers;
    while (*place != view)
        place = &(*place)->next;
    *place = view->next;
    store->readings += atomic_load_explicit(&view->readings, memory_order_relaxed);
    mutex_unlock(&store->readers_lock);
}

static uint64_t count_readings(struct store *store) {
    mutex_lock(&store->readers_lock);
    uint64_t count = store->readings;
    for (const struct store_view *view = store->readers; view; view = view->next)
        count += atomic_load_explicit(&view->readings, memory_order_relaxed);
    mutex_unlock(&store->readers_lock);
    return count;
}

/* False when somebody reads for long and keeps his. */
static bool end_snapshots(struct store *store) {
    bool ended = true;
    mutex_lock(&store->readers_lock);
    for (struct store_view *view = store->readers; view; view = view->next)
        ended &= view_end_snapshot(view) || !view->may_read_long;
    mutex_unlock(&store->readers_lock);
    return ended;
}

struct store_view *store_view_open(struct store *store) {
    struct store_view *view = view_open(store, store->path, false);
    if (view)
        store_register(store, view);
    return view;
}

static struct store_command *command_of(struct queue_item *item) {
    return (struct store_command *)item;
}

/* Was it a sync? Then the kernel may have dropped the pages, and no later success can be trusted.
 */
static bool note_sync_failure(struct store *store, int code) {
    if (code != SQLITE_IOERR_FSYNC && code != SQLITE_IOERR_DIR_FSYNC)
        return false;
    atomic_store(&store->is_broken, true);
    log_error("database: the disk refused to sync; no more changes are taken until a restart");
    return true;
}

/* How many pages the writer's connection wrote, or tried to, since it was asked last. */
static int take_written(struct store *store) {
    int pages = 0, most = 0;
    int result =
        sqlite3_db_status(store->writer_view->db, SQLITE_DBSTATUS_CACHE_WRITE, &pages, &most, true);
    assert(result == SQLITE_OK); /* else this is no connection */
    (void)result;
    return pages;
}

/* A group of several is tried again command by command: of what size the disk refuses is seen then.
 */
static void note_failure(struct store *store, bool is_single) {
    int code = sqlite3_extended_errcode(store->writer_view->db), primary = code & 0xFF;
    int pages = take_written(store), refused = atomic_load(&store->refused_pages);
    (void)note_sync_failure(store, code);
    if (!is_single ||
        (primary != SQLITE_IOERR && primary != SQLITE_FULL && primary != SQLITE_CANTOPEN &&
         primary != SQLITE_READONLY && primary != SQLITE_CORRUPT))
        return;
    if (!refused)
        log_error("database: the disk refuses changes: is %s full?", store->path);
    pages = pages > 0 ? pages : 1;
    atomic_store(&store->refused_pages, pages > refused ? pages : refused);
}

/* Looks, now and then, whether the disk would take as much again as it refused. */
static bool has_room(struct store *store) {
    int64_t now_ms = time_monotonic_ms();
    int refused = atomic_load(&store->refused_pages);
    if (refused && (!store->tried_ms || now_ms - store->tried_ms >= TRY_EVERY_MS)) {
        /* The log has more than the pages, and all of it goes into the database later. */
        store->had_room = room_is_there(store->path, INT64_C(2) * refused * PAGE_BYTES);
        store->tried_ms = time_monotonic_ms();
    }
    return !refused || store->had_room;
}

enum status store_try_room(struct store_view *tx) {
    return has_room(tx->store) ? STATUS_OK : STATUS_UNAVAILABLE;
}

/* What is less than it refused may fit in where that did not: it tells nothing by itself. */
static void note_success(struct store *store) {
    int pages = take_written(store), refused = atomic_load(&store->refused_pages);
    if (!refused || !pages || (pages < refused && !has_room(store)))
        return;
    atomic_store(&store->refused_pages, 0);
    log_info("database: the disk takes changes again");
}

bool store_is_broken(const struct store *store) {
    return atomic_load(&store->is_broken);
}

bool store_keeps_log(const struct store *store) {
    return atomic_load(&store->keeps_log);
}

static void count_group(struct store *store, unsigned size) {
    unsigned at = 0;
    while (at < STORE_GROUP_SIZES - 1 && size > 1U << at)
        at++;
    atomic_fetch_add_explicit(&store->groups[at], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->grouped, size, memory_order_relaxed);
}

/* Runs the commands from `first` up to `end` in one transaction; true when it is durable. */
static bool write_group(struct store *store, struct queue_item *first, struct queue_item *end) {
    struct store_view *tx = store->writer_view;
    tx->access_changed = tx->outbox_changed = tx->erased = false;
    (void)take_written(store);
    if (atomic_load(&store->is_broken))
        return false;
    bool ok = view_execute(tx, view_statement(tx, SQL_begin)) == STATUS_OK;
    unsigned size = 0;
    for (struct queue_item *item = first; ok && item != end; item = item->next, size++) {
        struct store_command *command = command_of(item);
        command->status = command_run(tx, command);
        ok = command->status != STATUS_BROKEN;
    }
    ok = ok && view_execute(tx, view_statement(tx, SQL_commit)) == STATUS_OK;
    if (!ok)
        note_failure(store, first->next == end);
    if (!ok && !sqlite3_get_autocommit(tx->db) &&
        view_execute(tx, view_statement(tx, SQL_rollback)) != STATUS_OK)
        atomic_store(&store->is_broken, true);
    if (!ok)
        tx->hooks = HOOKS_UNKNOWN; /* what was known of them may have been rolled back */
    if (ok) {
        note_success(store);
        atomic_fetch_add_explicit(&store->commits, 1, memory_order_release);
        count_group(store, size);
    }
    if (ok && tx->erased)
        atomic_store(&store->must_forget, true);
    if (ok && tx->access_changed)
        atomic_fetch_add_explicit(&store->access_epoch, 1, memory_order_release);
    if (ok && tx->outbox_changed)
        atomic_fetch_add_explicit(&store->outbox_changes, 1, memory_order_release);
    return ok;
}

static void write_commands(struct store *store, struct queue_item *first) {
    bool together = write_group(store, first, NULL);
    for (struct queue_item *item = first, *next; item; item = next) {
        next = item->next;
        if (!together && !write_group(store, item, next))
            command_of(item)->status = STATUS_BROKEN;
        atomic_fetch_add_explicit(&store->commands_run, 1, memory_order_relaxed);
        command_of(item)->done(command_of(item));
    }
}

/* All that changes anything waits for this one thread, so it goes before those that serve. The
 * system may refuse (it takes CAP_SYS_NICE or RLIMIT_NICE); then it is served like all others. */
static void hurry(void) {
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), WRITER_NICE);
    (void)pthread_setname_np(pthread_self(), "writer"); /* for those who look at a server */
}

static void *run_writer(void *argument) {
    struct store *store = argument;
    struct queue_item *first;
    hurry();
    while ((first = queue_take_all(&store->commands, -1))) {
        /* A mutex is not fair: without this the writer would take it back at once. */
        while (atomic_load(&store->wants_turn))
            (void)usleep(100);
        mutex_lock(&store->turn);
        write_commands(store, first);
        mutex_unlock(&store->turn);
    }
    return NULL;
}

/* What a checkpoint writes would all be flushed at its end by one fsync, and the writer's own small
 * syncs would wait in the disk's queue behind it. So the checkpoint connection's file gets a write
 * function that has the pages flushed a few at a time. */
static _Thread_local struct {
    const sqlite3_io_methods *real;
    sqlite3_io_methods methods;
    int fd;
    int pages;
} paced;

static int write_paced(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at) {
    int result = paced.real->xWrite(file, bytes, size, at);
    if (result != SQLITE_OK || ++paced.pages < PAGES_AT_ONCE)
        return result;
    paced.pages = 0;
    /* Only for the pace: whether pages are safe is up to the fsync that follows. */
    (void)sync_file_range(paced.fd, 0, 0,
                          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                              SYNC_FILE_RANGE_WAIT_AFTER);
    return result;
}

static void pace_checkpoints(struct store *store) {
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(store->checkpoint_view->db, "main", SQLITE_FCNTL_FILE_POINTER,
                             &file) != SQLITE_OK ||
        !file || !file->pMethods)
        return;
    paced.real = file->pMethods;
    paced.methods = *file->pMethods;
    paced.methods.xWrite = write_paced;
    paced.fd = store->database;
    file->pMethods = &paced.methods;
}

static void unpace_checkpoints(struct store *store) {
    sqlite3_file *file = NULL;
    if (paced.real && sqlite3_file_control(store->checkpoint_view->db, "main",
                                           SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK)
        file->pMethods = paced.real;
}

/* False when the log could not be copied, or must stay as it is. SQLite syncs the database only
 * once all of the log is in it: the sync that fails may be for pages of earlier checkpoints too,
 * which no later one would write again. */
static bool checkpoint(struct store *store, int mode, int *pages_in_log) {
    int copied = 0;
    if (atomic_load(&store->is_broken))
        return false;
    int result =
        sqlite3_wal_checkpoint_v2(store->checkpoint_view->db, NULL, mode, pages_in_log, &copied);
    if (result != SQLITE_OK && (result & 0xFF) != SQLITE_BUSY) {
        view_log(store->checkpoint_view, "copying the log back");
        if (note_sync_failure(store, result))
            atomic_store(&store->keeps_log, true);
    }
    return result == SQLITE_OK;
}

static int note_log(void *argument, sqlite3 *db, const char *name, int pages) {
    struct store *store = argument;
    (void)db;
    (void)name;
    atomic_store_explicit(&store->log_pages, pages, memory_order_relaxed);
    return SQLITE_OK;
}

/* A page that changes again is copied once for all its changes, so the log is left to grow while
 * changes come: up to its bound, or for so long. */
static bool is_due(const struct store *store, uint64_t *commits, int64_t *since_ms) {
    uint64_t commits_now = store_commits(store);
    int64_t now_ms = time_monotonic_ms();
    bool is_idle = commits_now == *commits;
    *commits = commits_now;
    if (!is_idle && now_ms - *since_ms < store->checkpoint_after_ms &&
        atomic_load_explicit(&store->log_pages, memory_order_relaxed) < store->log_bound_pages)
        return false;
    *since_ms = now_ms;
    return true;
}

static void *run_checkpointer(void *argument) {
    struct store *store = argument;
    uint64_t commits = 0, begun_at = UINT64_MAX; /* after how many commits the log began anew */
    int64_t since_ms = time_monotonic_ms();
    (void)pthread_setname_np(pthread_self(), "checkpointer");
    pace_checkpoints(store);
    while (!queue_is_done(&store->stop)) {
        int pages = 0;
        (void)queue_take_all(&store->stop, store->look_every_ms);
        bool must_forget = atomic_load(&store->must_forget);
        if (!is_due(store, &commits, &since_ms) && !must_forget)
            continue;
        (void)end_snapshots(store); /* one that is kept by an idle thread would hold the log */
        if (!checkpoint(store, SQLITE_CHECKPOINT_PASSIVE, &pages) ||
            (pages < store->log_bound_pages && !must_forget))
            continue;
        /* The writer went on meanwhile. What it wrote is copied while it writes on, and so forth:
         * each turn is shorter, and so little is left to do while it rests. */
        for (int turn = 0; turn < CATCH_UP_TURNS; turn++)
            (void)checkpoint(store, SQLITE_CHECKPOINT_PASSIVE, &pages);
        bool is_urgent = pages > store->log_bound_pages * 3;
        if ((begun_at == commits && !must_forget) || (!end_snapshots(store) && !is_urgent))
            continue; /* or it begins anew with the next commit already */
        atomic_store(&store->wants_log, is_urgent);
        atomic_store(&store->wants_turn, true);
        mutex_lock(&store->turn);
        (void)end_snapshots(store);
        int mode = must_forget ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART;
        if (checkpoint(store, mode, &pages)) { /* else tried again next time */
            begun_at = store_commits(store);
            if (must_forget)
                atomic_store(&store->must_forget, false); /* nobody commits during the turn */
        }
        atomic_store(&store->wants_turn, false);
        atomic_store(&store->wants_log, false);
        mutex_unlock(&store->turn);
    }
    unpace_checkpoints(store);
    return NULL;
}

struct store_figures store_figures(struct store *store) {
    char path[PATH_MAX + 8];
    struct stat facts = { 0 };
    (void)snprintf(path, sizeof path, "%s-wal", store->path);
    if (stat(path, &facts) != 0)
        facts.st_size = 0; /* there is none before the first change */
    struct store_figures figures = {
        .commands = atomic_load_explicit(&store->commands_run, memory_order_relaxed),
        .commits = store_commits(store),
        .grouped = atomic_load_explicit(&store->grouped, memory_order_relaxed),
        .readings = count_readings(store),
        .waiting = queue_length(&store->commands),
        .refused = queue_refused(&store->commands),
        .reads_waiting = readers_waiting(store->reader_pool),
        .reads_refused = readers_refused(store->reader_pool),
        .log_bytes = (uint64_t)facts.st_size,
        .refuses = atomic_load(&store->refused_pages) || atomic_load(&store->is_broken),
    };
    for (unsigned i = 0; i < STORE_GROUP_SIZES; i++)
        figures.groups[i] = atomic_load_explicit(&store->groups[i], memory_order_relaxed);
    return figures;
}

enum status store_submit(struct store *store, struct store_command *command) {
    assert(command->on_behalf_of);
    if (queue_put(&store->commands, &command->item))
        return STATUS_OK;
    return atomic_load(&store->is_closing) ? STATUS_UNAVAILABLE : STATUS_BUSY;
}

enum status store_read(struct store *store, struct store_command *command) {
    assert(command->on_behalf_of);
    if (atomic_load(&store->is_closing))
        return STATUS_UNAVAILABLE;
    return readers_submit(store->reader_pool, command);
}

/* A command that somebody sleeps on, wrapped around the real one. Whoever is woken by a semaphore
 * may destroy it at once; a queue is still in use by the one that put. */
struct waiting {
    struct store_command command; /* first */
    struct store_command *real;
    sem_t finished;
};

static enum status run_real(struct store_view *tx, struct store_command *command) {
    struct waiting *waiting = (struct waiting *)command;
    return waiting->real->run(tx, waiting->real);
}

static void wake_waiting(struct store_command *command) {
    struct waiting *waiting = (struct waiting *)command;
    int failed = sem_post(&waiting->finished);
    assert(!failed);
    (void)failed;
}

enum status store_run(struct store *store, struct store_command *command) {
    assert(command->on_behalf_of);
    struct waiting waiting = {
        .command = { .on_behalf_of = command->on_behalf_of, .run = run_real, .done = wake_waiting },
        .real = command
    };
    if (sem_init(&waiting.finished, 0, 0) != 0)
        return STATUS_BROKEN;
    enum status status = STATUS_UNAVAILABLE;
    if (queue_put_always(&store->commands, &waiting.command.item)) {
        while (sem_wait(&waiting.finished) != 0)
            ; /* a signal came */
        status = waiting.command.status;
    }
    (void)sem_destroy(&waiting.finished);
    return status;
}

/* Each connection is used by one thread at a time. Statistics of memory are a lock that all threads
 * share, for figures that nobody reads. */
static bool start_library(void) {
    int result = sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    if (result == SQLITE_OK)
        result = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (result == SQLITE_MISUSE) /* a process's second store finds the library running */
        result = SQLITE_OK;
    return result == SQLITE_OK && sqlite3_initialize() == SQLITE_OK;
}

int directory_lock(const char *directory, int *opened, char *why, size_t why_size) {
    *opened = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*opened < 0 || access(directory, W_OK | X_OK) != 0) {
        (void)snprintf(why, why_size, "%s: %s; give a folder that can be written (--data)",
                       directory, strerror(errno));
        return EX_CANTCREAT;
    }
    if (flock(*opened, LOCK_EX | LOCK_NB) != 0) {
        (void)snprintf(why, why_size,
                       "%s: in use by another rosterd; stop it or take another"
                       " folder (--data)",
                       directory);
        return EX_TEMPFAIL;
    }
    return EX_OK;
}

/* The log that an unclean end leaves may be in the kernel's memory alone, after a failed sync. What
 * is committed behind it would be lost with it, so all of it goes into the database first. */
static enum status copy_log_back(struct store_view *view) {
    if (sqlite3_wal_checkpoint_v2(view->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
        SQLITE_OK)
        return STATUS_OK;
    view_log(view, "copying the last run's log back");
    return STATUS_BROKEN;
}

/* The log and its index have the database's mode, from when they are made. */
static void close_to_others(const char *database) {
    static const char *const endings[] = { "", "-wal", "-shm" };
    char path[PATH_MAX + 8];
    struct stat facts;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", database, endings[i]);
        /* SQLite opens no log through a link, and what is behind one is none of ours. */
        int links = i ? AT_SYMLINK_NOFOLLOW : 0;
        if (fstatat(AT_FDCWD, path, &facts, links) != 0 || S_ISLNK(facts.st_mode) ||
            !(facts.st_mode & 077))
            continue;
        bool closed = fchmodat(AT_FDCWD, path, facts.st_mode & 0700, links) == 0;
        log_warning("%s: was open to others (mode %04o), %s", path, facts.st_mode & 07777u,
                    closed ? "and is not any more" : strerror(errno));
    }
}

static int miss_database(const struct store *store, char *why, size_t why_size) {
    (void)snprintf(why, why_size,
                   "%s: is not there, or empty, while its key is; is the right folder mounted?"
                   " --init makes a new database beside the key",
                   store->path);
    return EX_NOINPUT;
}

static void log_unknown(const char *line) {
    log_info("database: %s", line);
}

static int open_database(struct store *store, const struct store_options *options, char *why,
                         size_t why_size) {
    struct stat facts;
    int len = snprintf(store->path, sizeof store->path, "%s/roster.db", options->directory);
    if (len < 0 || (size_t)len >= sizeof store->path) {
        (void)snprintf(why, why_size, "the path of the data folder is too long");
        return EX_USAGE;
    }
    if (options->must_exist && (stat(store->path, &facts) != 0 || facts.st_size == 0))
        return miss_database(store, why, why_size);
    close_to_others(store->path);
    if (fstat(store->directory, &facts) == 0 && facts.st_mode & 077)
        log_warning(
            "%s: is open to others (mode %04o): chmod 700 it, or give Roster a folder of its"
            " own",
            options->directory, facts.st_mode & 07777u);
    mode_t mask = umask(0077); /* the database is for nobody else to read */
    store->writer_view = view_open(store, store->path, true);
    enum status status = store->writer_view ? copy_log_back(store->writer_view) : STATUS_BROKEN;
    bool is_missed =
        status == STATUS_OK && options->must_exist && schema_is_empty(store->writer_view);
    if (status == STATUS_OK && !is_missed)
        status = schema_migrate(store->writer_view, options);
    (void)umask(mask);
    if (is_missed)
        return miss_database(store, why, why_size);
    if (status == STATUS_STALE) {
        (void)snprintf(why, why_size,
                       "%s: made by a newer version of Roster; use that version, or"
                       " restore a backup of this one",
                       store->path);
        return EX_CONFIG;
    }
    if (status != STATUS_OK) {
        (void)snprintf(why, why_size, "%s: cannot be opened as a database (see above)",
                       store->path);
        return EX_IOERR;
    }
    char difference[256];
    if (schema_check(store->writer_view, difference, sizeof difference) != STATUS_OK) {
        (void)snprintf(why, why_size, "%s: not as this version left it: %s", store->path,
                       difference);
        return EX_DATAERR;
    }
    schema_tell_unknown(store->writer_view, log_unknown);
    (void)sqlite3_wal_hook(store->writer_view->db, note_log, store); /* there was none before */
    store->checkpoint_view = view_open(store, store->path, false);
    store->database = open(store->path, O_RDWR | O_CLOEXEC);
    if (!store->checkpoint_view || store->database < 0 ||
        sqlite3_busy_timeout(store->checkpoint_view->db, RESTART_WAIT_MS) != SQLITE_OK)
        return EX_IOERR;
    return EX_OK;
}

static int start_threads(struct store *store, char *why, size_t why_size) {
    (void)snprintf(why, why_size, "the system refuses threads for the database");
    if (pthread_create(&store->writer, NULL, run_writer, store) != 0)
        return EX_OSERR;
    store->writer_runs = true;
    if (pthread_create(&store->checkpointer, NULL, run_checkpointer, store) != 0)
        return EX_OSERR;
    store->checkpointer_runs = true;
    store->reader_pool = readers_start(store, READER_THREADS, store->search_limit_ms);
    return store->reader_pool ? EX_OK : EX_OSERR;
}

struct store *store_open(const struct store_options *options, char *why, size_t why_size,
                         int *exit_code) {
    struct store *store = calloc(1, sizeof *store);
    *exit_code = EX_OSERR;
    (void)snprintf(why, why_size, "no memory to open the database");
    if (!store || !queue_init(&store->commands, COMMANDS_MAX) || !queue_init(&store->stop, 0) ||
        pthread_mutex_init(&store->turn, NULL) != 0 ||
        pthread_mutex_init(&store->readers_lock, NULL) != 0 || !start_library()) {
        free(store);
        return NULL;
    }
    store->database = -1;
    store->look_every_ms = options->look_every_ms ? options->look_every_ms : LOOK_EVERY_MS;
    store->checkpoint_after_ms =
        options->checkpoint_after_ms ? options->checkpoint_after_ms : CHECKPOINT_AFTER_MS;
    store->log_bound_pages = options->log_bound_pages ? options->log_bound_pages : WAL_BOUND_PAGES;
    store->search_limit_ms = options->search_limit_ms ? options->search_limit_ms : SEARCH_LIMIT_MS;
    store->user_tokens = options->user_tokens ? options->user_tokens : USER_TOKENS;
    atomic_init(&store->access_epoch, 1);
    *exit_code = directory_lock(options->directory, &store->directory, why, why_size);
    if (*exit_code == EX_OK)
        *exit_code = open_database(store, options, why, why_size);
    if (*exit_code == EX_OK)
        *exit_code = start_threads(store, why, why_size);
    if (*exit_code == EX_OK)
        return store;
    store_close(store);
    return NULL;
}

static void join(pthread_t thread) {
    int failed = pthread_join(thread, NULL);
    assert(!failed);
    (void)failed;
}

void store_close(struct store *store) {
    if (!store)
        return;
    store_end_reading(store);
    readers_stop(store->reader_pool);
    queue_close(&store->commands);
    if (store->writer_runs)
        join(store->writer);
    queue_close(&store->stop);
    if (store->checkpointer_runs)
        join(store->checkpointer);
    if (atomic_load(&store->commands_run))
        log_info("database: %llu commands in %llu commits",
                 (unsigned long long)atomic_load(&store->commands_run),
                 (unsigned long long)store_commits(store));
    store_view_close(store->checkpoint_view);
    store_view_close(store->writer_view); /* the last one out copies the log back and removes it */
    queue_destroy(&store->commands);
    queue_destroy(&store->stop);
    (void)pthread_mutex_destroy(&store->turn);
    (void)pthread_mutex_destroy(&store->readers_lock);
    if (store->database >= 0)
        (void)close(store->database);
    if (store->directory >= 0)
        (void)close(store->directory); /* also unlocks */
    free(store);
}
