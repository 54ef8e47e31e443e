/* Each file is two images: what programs see, and what is safe; and between them the list of the
 * changes that were made since the last sync. */
#include "disk.h"

#include "base/container_of.h"
#include "base/mutex.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECTOR = 512, NAME_MAX_LEN = 200, REGION = 32 * 1024, REGIONS = 64 };

struct image {
    unsigned char *bytes;
    size_t size, capacity;
};

/* A change since the last sync; without bytes a truncation to `at`. */
struct pending {
    struct pending *next;
    size_t at, len;
    unsigned char bytes[];
};

struct handle;

struct file {
    struct file *next;
    char name[NAME_MAX_LEN];
    bool exists, name_is_safe, is_journal;
    struct image now, safe;
    struct pending *first, **last;
    unsigned failed_syncs;
    struct image ghost; /* a deleted file of this name that a cut may bring back */
    bool has_ghost;
    unsigned handles, mapped;
    /* Locks (sqlite.org/c3ref/c_lock_exclusive.html). */
    unsigned shared;
    struct handle *reserved, *exclusive;
    unsigned char *regions[REGIONS];
    unsigned shm_shared[SQLITE_SHM_NLOCK];
    struct handle *shm_exclusive[SQLITE_SHM_NLOCK];
};

struct handle {
    sqlite3_file base; /* first */
    struct file *file;
    int lock;
    bool has_map, deletes;
    unsigned failed_syncs; /* of the file, that this handle has reported */
    unsigned shm_mine;     /* a bit for each shared lock of this handle */
};

static struct {
    pthread_mutex_t lock;
    sqlite3_vfs vfs;
    sqlite3_vfs *system;
    struct file *files;
    uint64_t chance;
    unsigned long cut_in; /* 0: no cut is planned */
    bool cuts_a_sync, is_cut, lies;
    unsigned sync_ms;
    struct disk_fault fault;
    bool has_fault, has_struck;
    unsigned long counts[DISK_CALLS];
    struct disk_fates fates;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void lock(void) {
    mutex_lock(&disk.lock);
}

static int unlock(int result) {
    mutex_unlock(&disk.lock);
    return result;
}

/* With the lock held, as everything below. */
static uint64_t chance(uint64_t limit) {
    disk.chance ^= disk.chance << 13;
    disk.chance ^= disk.chance >> 7;
    disk.chance ^= disk.chance << 17;
    return disk.chance % limit;
}

/* ---- images and what is pending ---- */

static void image_resize(struct image *image, size_t size) {
    if (size > image->capacity) {
        image->capacity = size + size / 2 + 4096;
        image->bytes = realloc(image->bytes, image->capacity);
        assert(image->bytes);
    }
    if (size > image->size)
        memset(image->bytes + image->size, 0, size - image->size);
    image->size = size;
}

static void image_write(struct image *image, const void *bytes, size_t len, size_t at) {
    if (at + len > image->size)
        image_resize(image, at + len);
    if (len)
        memcpy(image->bytes + at, bytes, len);
}

static void image_copy(struct image *to, const struct image *from) {
    image_resize(to, 0);
    image_write(to, from->bytes, from->size, 0);
}

static void image_free(struct image *image) {
    free(image->bytes);
    *image = (struct image){ 0 };
}

static void drop_pending(struct file *file) {
    for (struct pending *change = file->first, *next; change; change = next) {
        next = change->next;
        free(change);
    }
    file->first = NULL;
    file->last = &file->first;
}

static void add_pending(struct file *file, const void *bytes, size_t len, size_t at) {
    struct pending *change = malloc(sizeof *change + len);
    assert(change);
    *change = (struct pending){ .at = at, .len = len };
    if (len)
        memcpy(change->bytes, bytes, len);
    *file->last = change;
    file->last = &change->next;
}

static void keep_change(struct image *image, const struct pending *change) {
    if (change->len)
        image_write(image, change->bytes, change->len, change->at);
    else
        image_resize(image, change->at);
}

/* Of a write that was on its way, each sector arrived or did not. */
static void tear_change(struct image *image, const struct pending *change) {
    for (size_t from = 0, to; from < change->len; from = to) {
        to = (change->at + from) / SECTOR * SECTOR + SECTOR - change->at;
        if (to > change->len)
            to = change->len;
        if (chance(2))
            image_write(image, change->bytes + from, to - from, change->at + from);
    }
}

/* The fate of writes that were not synced, after a power cut or a failed sync. Sometimes all of
 * them share one: otherwise no large commit that was not acknowledged would ever survive. */
static void decide_fates(struct file *file) {
    uint64_t shared = chance(8);
    for (const struct pending *change = file->first; change; change = change->next)
        switch (shared < 2 ? shared : chance(3)) {
        case 0: disk.fates.lost++; break;
        case 1:
            disk.fates.kept++;
            keep_change(&file->safe, change);
            break;
        default: disk.fates.torn++; tear_change(&file->safe, change);
        }
    drop_pending(file);
}

static void bring_back(struct file *file) {
    image_copy(&file->safe, &file->ghost);
    file->exists = true;
}

static void survive(struct file *file) {
    bool was_there = file->exists;
    file->exists = was_there && (file->name_is_safe || chance(2));
    decide_fates(file);
    if (!file->exists)
        image_resize(&file->safe, 0);
    if (!file->exists && file->has_ghost && chance(2))
        bring_back(file);
    image_copy(&file->now, &file->safe);
    file->name_is_safe = file->exists;
    file->has_ghost = false;
}

/* ---- calls that may be refused ---- */

static bool is_meant(const struct file *file, const char *ending) {
    size_t len = file ? strlen(file->name) : 0, wanted = ending ? strlen(ending) : 0;
    return wanted <= len && (!wanted || strcmp(file->name + len - wanted, ending) == 0);
}

/* Counts a call; what it has to answer at once, or SQLITE_OK. With the lock held. */
static int admit(const struct file *file, enum disk_call call, int otherwise) {
    disk.counts[call]++;
    bool changes =
        call == DISK_WRITE || call == DISK_TRUNCATE || call == DISK_SYNC || call == DISK_DELETE;
    if (!disk.is_cut && changes && disk.cut_in && --disk.cut_in == 0) {
        disk.is_cut = call == DISK_SYNC || !disk.cuts_a_sync;
        disk.cut_in = 1;
    }
    if (disk.is_cut)
        return otherwise;
    if (!disk.has_fault || disk.fault.call != call || !is_meant(file, disk.fault.ending))
        return SQLITE_OK;
    if (disk.fault.at > 1) {
        disk.fault.at--;
        return SQLITE_OK;
    }
    disk.has_struck = true;
    disk.has_fault = disk.fault.lasts;
    return disk.fault.result;
}

static struct handle *handle_of(sqlite3_file *file) {
    return container_of(file, struct handle, base);
}

static void forget(struct file *file) {
    if (file->name_is_safe) {
        image_copy(&file->ghost, &file->safe);
        file->has_ghost = true;
    }
    file->exists = file->name_is_safe = false;
    drop_pending(file);
    image_resize(&file->now, 0);
    image_resize(&file->safe, 0);
}

static int disk_close(sqlite3_file *base) {
    struct handle *handle = handle_of(base);
    lock();
    handle->file->handles--;
    if (handle->deletes)
        forget(handle->file);
    base->pMethods = NULL;
    return unlock(SQLITE_OK);
}

static int disk_read(sqlite3_file *base, void *bytes, int size, sqlite3_int64 at) {
    const struct file *file = handle_of(base)->file;
    const struct image *now = &file->now;
    size_t wanted = (size_t)size, from = (size_t)at;
    lock();
    int result = admit(file, DISK_READ, SQLITE_IOERR_READ);
    if (result != SQLITE_OK)
        return unlock(result);
    size_t there = from < now->size ? now->size - from : 0;
    if (there > wanted)
        there = wanted;
    if (there)
        memcpy(bytes, now->bytes + from, there);
    memset((char *)bytes + there, 0, wanted - there); /* as SQLite asks of a short read */
    return unlock(there < wanted ? SQLITE_IOERR_SHORT_READ : SQLITE_OK);
}

static int disk_write(sqlite3_file *base, const void *bytes, int size, sqlite3_int64 at) {
    struct file *file = handle_of(base)->file;
    lock();
    int result = admit(file, DISK_WRITE, SQLITE_IOERR_WRITE);
    size_t len = (size_t)size;
    if (result != SQLITE_OK) /* some of it may have been written all the same */
        len = disk.is_cut ? 0 : chance(len + 1);
    if (len) {
        image_write(&file->now, bytes, len, (size_t)at);
        add_pending(file, bytes, len, (size_t)at);
    }
    return unlock(result);
}

static int disk_truncate(sqlite3_file *base, sqlite3_int64 size) {
    struct file *file = handle_of(base)->file;
    lock();
    int result = admit(file, DISK_TRUNCATE, SQLITE_IOERR_TRUNCATE);
    if (result == SQLITE_OK) {
        image_resize(&file->now, (size_t)size);
        add_pending(file, NULL, 0, (size_t)size);
    }
    return unlock(result);
}

/* SQLite's VFS for unix syncs the folder with the first sync of a journal or log that it made. */
static void sync_directory(void) {
    for (struct file *file = disk.files; file; file = file->next) {
        file->name_is_safe = file->exists;
        file->has_ghost = false;
    }
}

static void make_safe(struct file *file) {
    for (const struct pending *change = file->first; change; change = change->next)
        keep_change(&file->safe, change);
    drop_pending(file);
    if (!file->name_is_safe && file->is_journal)
        sync_directory();
    file->name_is_safe = file->exists;
}

/* As Linux does it: after a failure the pages stay readable, count as clean, and are never written.
 * Each descriptor that was open reports it once (errseq_t). */
static int sync_file(struct handle *handle) {
    struct file *file = handle->file;
    int result = admit(file, DISK_SYNC, SQLITE_IOERR_FSYNC);
    if (disk.is_cut)
        return result;
    if (result != SQLITE_OK) {
        file->failed_syncs++;
        decide_fates(file);
    }
    bool is_told = handle->failed_syncs == file->failed_syncs;
    handle->failed_syncs = file->failed_syncs;
    if (!is_told)
        return SQLITE_IOERR_FSYNC;
    if (!disk.lies)
        make_safe(file);
    return SQLITE_OK;
}

static int disk_sync(sqlite3_file *base, int flags) {
    (void)flags;
    lock();
    int result = sync_file(handle_of(base));
    unsigned sync_ms = disk.sync_ms;
    (void)unlock(result);
    if (sync_ms)
        (void)usleep(sync_ms * 1000);
    return result;
}

static int disk_size(sqlite3_file *base, sqlite3_int64 *size) {
    const struct file *file = handle_of(base)->file;
    lock();
    int result = admit(file, DISK_SIZE, SQLITE_IOERR_FSTAT);
    *size = (sqlite3_int64)file->now.size;
    return unlock(result);
}

/* ---- locks ---- */

static bool others_read(const struct handle *handle) {
    return handle->file->shared > (handle->lock >= SQLITE_LOCK_SHARED ? 1U : 0U);
}

static int take_lock(struct handle *handle, int level) {
    struct file *file = handle->file;
    if (file->exclusive && file->exclusive != handle)
        return SQLITE_BUSY;
    if (level >= SQLITE_LOCK_RESERVED && file->reserved && file->reserved != handle)
        return SQLITE_BUSY;
    if (level == SQLITE_LOCK_EXCLUSIVE && others_read(handle))
        return SQLITE_BUSY;
    if (handle->lock == SQLITE_LOCK_NONE)
        file->shared++;
    if (level >= SQLITE_LOCK_RESERVED)
        file->reserved = handle;
    if (level == SQLITE_LOCK_EXCLUSIVE)
        file->exclusive = handle;
    handle->lock = level;
    return SQLITE_OK;
}

static int disk_lock(sqlite3_file *base, int level) {
    struct handle *handle = handle_of(base);
    lock();
    return unlock(handle->lock >= level ? SQLITE_OK : take_lock(handle, level));
}

static int disk_unlock(sqlite3_file *base, int level) {
    struct handle *handle = handle_of(base);
    struct file *file = handle->file;
    lock();
    if (handle->lock <= level)
        return unlock(SQLITE_OK);
    if (file->reserved == handle)
        file->reserved = NULL;
    if (file->exclusive == handle)
        file->exclusive = NULL;
    if (level == SQLITE_LOCK_NONE)
        file->shared--;
    handle->lock = level;
    return unlock(SQLITE_OK);
}

static int disk_check_reserved(sqlite3_file *base, int *is_reserved) {
    lock();
    *is_reserved = handle_of(base)->file->reserved != NULL;
    return unlock(SQLITE_OK);
}

static int disk_control(sqlite3_file *base, int operation, void *argument) {
    (void)base;
    (void)operation;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int disk_sector_size(sqlite3_file *base) {
    (void)base;
    return 4096; /* as SQLite's own VFS for unix says */
}

static int disk_characteristics(sqlite3_file *base) {
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* likewise */
}

/* ---- shared memory of the log's index: lost with the last one who maps it ---- */

static int shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **at) {
    struct handle *handle = handle_of(base);
    struct file *file = handle->file;
    assert(size == REGION && region < REGIONS);
    lock();
    if (!handle->has_map) {
        handle->has_map = true;
        file->mapped++;
    }
    if (!file->regions[region] && extend) {
        file->regions[region] = calloc(1, REGION);
        assert(file->regions[region]);
    }
    *at = file->regions[region];
    return unlock(SQLITE_OK);
}

static void shm_unlock(struct handle *handle, int slot) {
    struct file *file = handle->file;
    if (file->shm_exclusive[slot] == handle)
        file->shm_exclusive[slot] = NULL;
    if (handle->shm_mine >> slot & 1) {
        handle->shm_mine &= ~(1U << slot);
        file->shm_shared[slot]--;
    }
}

static bool shm_is_free(const struct handle *handle, int slot, bool exclusively) {
    const struct file *file = handle->file;
    const struct handle *owner = file->shm_exclusive[slot];
    bool mine = handle->shm_mine >> slot & 1;
    return (!owner || owner == handle) &&
           (!exclusively || file->shm_shared[slot] == (mine ? 1U : 0U));
}

static int shm_lock(sqlite3_file *base, int first, int count, int flags) {
    struct handle *handle = handle_of(base);
    struct file *file = handle->file;
    bool exclusively = flags & SQLITE_SHM_EXCLUSIVE;
    lock();
    for (int slot = first; slot < first + count; slot++)
        if (flags & SQLITE_SHM_LOCK && !shm_is_free(handle, slot, exclusively))
            return unlock(SQLITE_BUSY);
    for (int slot = first; slot < first + count; slot++) {
        if (flags & SQLITE_SHM_UNLOCK) {
            shm_unlock(handle, slot);
        } else if (exclusively) {
            file->shm_exclusive[slot] = handle;
        } else if (!(handle->shm_mine >> slot & 1)) {
            handle->shm_mine |= 1U << slot;
            file->shm_shared[slot]++;
        }
    }
    return unlock(SQLITE_OK);
}

static void shm_barrier(sqlite3_file *base) {
    (void)base;
    lock(); /* a full barrier, and known as one to the thread sanitizer */
    (void)unlock(SQLITE_OK);
}

static int shm_unmap(sqlite3_file *base, int deletes) {
    struct handle *handle = handle_of(base);
    struct file *file = handle->file;
    (void)deletes;
    lock();
    if (handle->has_map && --file->mapped == 0)
        for (int i = 0; i < REGIONS; i++) {
            free(file->regions[i]);
            file->regions[i] = NULL;
        }
    handle->has_map = false;
    return unlock(SQLITE_OK);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = disk_close,
    .xRead = disk_read,
    .xWrite = disk_write,
    .xTruncate = disk_truncate,
    .xSync = disk_sync,
    .xFileSize = disk_size,
    .xLock = disk_lock,
    .xUnlock = disk_unlock,
    .xCheckReservedLock = disk_check_reserved,
    .xFileControl = disk_control,
    .xSectorSize = disk_sector_size,
    .xDeviceCharacteristics = disk_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* ---- names ---- */

static struct file *find_file(const char *name) {
    for (struct file *file = disk.files; file; file = file->next)
        if (strcmp(file->name, name) == 0)
            return file;
    return NULL;
}

static struct file *add_file(const char *name) {
    struct file *file = calloc(1, sizeof *file);
    assert(file && strlen(name) < sizeof file->name);
    (void)snprintf(file->name, sizeof file->name, "%s", name);
    file->last = &file->first;
    file->next = disk.files;
    disk.files = file;
    return file;
}

static int open_file(struct handle *handle, const char *name, int flags) {
    struct file *file = find_file(name);
    int result = admit(file, DISK_OPEN, SQLITE_CANTOPEN);
    if (result != SQLITE_OK)
        return result;
    if (!(file && file->exists) && !(flags & SQLITE_OPEN_CREATE))
        return SQLITE_CANTOPEN;
    if (!file)
        file = add_file(name);
    file->exists = true;
    file->is_journal = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL);
    file->handles++;
    *handle = (struct handle){ .base = { &methods },
                               .file = file,
                               .failed_syncs = file->failed_syncs,
                               .deletes = flags & SQLITE_OPEN_DELETEONCLOSE };
    return SQLITE_OK;
}

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *base, int flags,
                    int *out_flags) {
    static unsigned temporary;
    char made[32];
    (void)vfs;
    base->pMethods = NULL;
    lock();
    if (!name)
        (void)snprintf(made, sizeof made, "temporary-%u", temporary++);
    int result = open_file(handle_of(base), name ? name : made, flags);
    if (out_flags)
        *out_flags = flags;
    return unlock(result);
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int syncs_directory) {
    (void)vfs;
    lock();
    struct file *file = find_file(name);
    int result = admit(file, DISK_DELETE, SQLITE_IOERR_DELETE);
    if (result != SQLITE_OK || !file || !file->exists)
        return unlock(result != SQLITE_OK ? result : SQLITE_IOERR_DELETE_NOENT);
    forget(file);
    if (syncs_directory && !disk.lies)
        sync_directory();
    return unlock(SQLITE_OK);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *result) {
    (void)vfs;
    (void)flags;
    lock();
    const struct file *file = find_file(name);
    *result = file && file->exists && (flags != SQLITE_ACCESS_EXISTS || file->now.size);
    return unlock(SQLITE_OK);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int size, char *out) {
    (void)vfs;
    int len = snprintf(out, (size_t)size, "%s", name);
    return len >= 0 && len < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_randomness(sqlite3_vfs *vfs, int size, char *out) {
    (void)vfs;
    return disk.system->xRandomness(disk.system, size, out);
}

static int vfs_sleep(sqlite3_vfs *vfs, int us) {
    (void)vfs;
    return disk.system->xSleep(disk.system, us);
}

static int vfs_time(sqlite3_vfs *vfs, double *days) {
    (void)vfs;
    return disk.system->xCurrentTime(disk.system, days);
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *out) {
    (void)vfs;
    (void)size;
    (void)out;
    return 0;
}

/* ---- what the tests call ---- */

void disk_seed(uint64_t seed) {
    disk.chance = seed * 2 + 1; /* never 0 */
}

void disk_install(uint64_t seed) {
    disk.system = sqlite3_vfs_find("unix");
    assert(disk.system);
    disk_seed(seed);
    disk.vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = sizeof(struct handle),
        .mxPathname = NAME_MAX_LEN,
        .zName = "disk",
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
    };
    int result = sqlite3_vfs_register(&disk.vfs, 1);
    assert(result == SQLITE_OK);
    (void)result;
}

void disk_format(void) {
    for (struct file *file = disk.files, *next; file; file = next) {
        next = file->next;
        assert(!file->handles);
        drop_pending(file);
        image_free(&file->now);
        image_free(&file->safe);
        image_free(&file->ghost);
        free(file);
    }
    disk.files = NULL;
    disk.is_cut = false;
    disk.cut_in = 0;
}

void disk_cut_at(unsigned long n) {
    lock();
    disk.cut_in = n;
    disk.cuts_a_sync = chance(2);
    disk.is_cut = n == 0;
    (void)unlock(SQLITE_OK);
}

uint64_t disk_random(uint64_t limit) {
    lock();
    uint64_t number = chance(limit);
    (void)unlock(SQLITE_OK);
    return number;
}

bool disk_is_cut(void) {
    lock();
    bool is_cut = disk.is_cut;
    (void)unlock(SQLITE_OK);
    return is_cut;
}

void disk_power_on(void) {
    for (struct file *file = disk.files; file; file = file->next) {
        assert(!file->handles);
        if (disk.is_cut)
            survive(file);
    }
    disk.is_cut = false;
    disk.cut_in = 0;
}

void disk_lie(bool lies) {
    disk.lies = lies;
}

void disk_slow(unsigned sync_ms) {
    lock();
    disk.sync_ms = sync_ms;
    (void)unlock(SQLITE_OK);
}

void disk_inject(const struct disk_fault *fault) {
    lock();
    disk.fault = *fault;
    disk.has_fault = true;
    disk.has_struck = false;
    (void)unlock(SQLITE_OK);
}

bool disk_mend(void) {
    lock();
    bool has_struck = disk.has_struck;
    disk.has_fault = false;
    (void)unlock(SQLITE_OK);
    return has_struck;
}

unsigned long disk_count(enum disk_call call) {
    lock();
    unsigned long count = disk.counts[call];
    (void)unlock(SQLITE_OK);
    return count;
}

struct disk_fates disk_fates(void) {
    return disk.fates;
}
