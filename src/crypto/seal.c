/* Encrypted fields, and the file of their key.
 *
 * XChaCha20-Poly1305 has nonces of 192 bits, which can be drawn at random without a risk of drawing
 * one twice. The key file appears under its name complete or not at all: it is written and synced
 * under a temporary name and then linked, and link(2) never replaces a file. */
#include "crypto/seal.h"

#include "crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    KEY_SIZE = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    NONCE_SIZE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_SIZE = crypto_aead_xchacha20poly1305_ietf_ABYTES,
};

struct seal_key {
    unsigned char bytes[KEY_SIZE];
};

/* The file, and where seal_key_open describes what went wrong. */
struct reason {
    const char *path;
    char *why;
    size_t size;
};

/* Writes "PATH: what" and returns false. */
static bool fail(struct reason *reason, const char *what) {
    (void)snprintf(reason->why, reason->size, "%s: %s", reason->path, what);
    return false;
}

static bool fail_errno(struct reason *reason, const char *what) {
    char both[160];
    int error = errno;
    (void)snprintf(both, sizeof(both), "%s: %s", what, strerrordesc_np(error));
    return fail(reason, both);
}

/* Reads `size` bytes, or fewer up to the end of the file. -1 on failure. */
static ssize_t read_all(int file, unsigned char *out, size_t size) {
    size_t len = 0;
    while (len < size) {
        ssize_t got = read(file, out + len, size - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

static bool write_all(int file, const unsigned char *from, size_t size) {
    while (size) {
        ssize_t written = write(file, from, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        from += written;
        size -= (size_t)written;
    }
    return true;
}

static bool check_file(int file, struct reason *reason) {
    struct stat facts;
    if (fstat(file, &facts) != 0)
        return fail_errno(reason, "cannot be examined");
    if (!S_ISREG(facts.st_mode))
        return fail(reason, "is not a regular file");
    if (facts.st_mode & (S_IRWXG | S_IRWXO)) {
        (void)snprintf(reason->why, reason->size,
                       "others can use the key (mode %04o): chmod 600 %s",
                       (unsigned)(facts.st_mode & 07777), reason->path);
        return false;
    }
    if (facts.st_size != KEY_SIZE)
        return fail(reason, "is not a key: it must hold exactly 32 bytes");
    return true;
}

/* Fills the key from an open file. */
static bool read_key(int file, struct seal_key *key, struct reason *reason) {
    if (!check_file(file, reason))
        return false;
    ssize_t len = read_all(file, key->bytes, KEY_SIZE);
    if (len < 0)
        return fail_errno(reason, "cannot be read");
    return len == KEY_SIZE || fail(reason, "changed while it was read");
}

/* Syncs the folder of `path`, which makes the names in it durable. */
static bool sync_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int opened = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(folder);
    if (opened < 0)
        return false;
    bool synced = fsync(opened) == 0;
    int error = errno;
    (void)close(opened); /* nothing was written that could be lost */
    errno = error;
    return synced;
}

/* Writes a new key to the open and empty file `temporary`, and links it under its real name. */
static bool place_key(int file, const char *temporary, struct reason *reason) {
    unsigned char bytes[KEY_SIZE];
    random_bytes(bytes, sizeof(bytes));
    bool written = write_all(file, bytes, sizeof(bytes)) && fsync(file) == 0;
    secret_wipe(bytes, sizeof(bytes));
    if (!written)
        return fail_errno(reason, "cannot be written");
    /* If another process was faster, its key counts. */
    if (link(temporary, reason->path) != 0 && errno != EEXIST)
        return fail_errno(reason, "cannot be created");
    return true;
}

static bool create_key(struct reason *reason) {
    char *temporary;
    if (asprintf(&temporary, "%s.XXXXXX", reason->path) < 0)
        return fail(reason, "cannot be created: there is no memory");
    int file = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    if (file < 0) {
        free(temporary);
        return fail_errno(reason, "cannot be created");
    }
    bool placed = place_key(file, temporary, reason);
    if (close(file) != 0 && placed)
        placed = fail_errno(reason, "cannot be written");
    if (unlink(temporary) != 0 && placed)
        placed = fail_errno(reason, "its temporary file cannot be removed");
    free(temporary);
    if (placed && !sync_folder(reason->path))
        placed = fail_errno(reason, "its folder cannot be synced");
    return placed;
}

/* O_NONBLOCK: to open a FIFO of that name would wait for a writer. */
static int open_key_file(const char *path) {
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static bool load_key(struct seal_key *key, bool may_create, struct reason *reason) {
    int file = open_key_file(reason->path);
    if (file < 0 && errno == ENOENT && may_create) {
        if (!create_key(reason))
            return false;
        file = open_key_file(reason->path);
    }
    if (file < 0)
        return errno == ENOENT ? fail(reason, "there is no such key file")
                               : fail_errno(reason, "cannot be opened");
    bool loaded = read_key(file, key, reason);
    (void)close(file); /* nothing was written that could be lost */
    return loaded;
}

struct seal_key *seal_key_open(const char *path, bool may_create, char *why, size_t why_size) {
    struct reason reason = { path, why, why_size };
    struct seal_key *key = sodium_malloc(sizeof(*key));
    if (!key) {
        (void)fail(&reason, "there is no memory for the key");
        return NULL;
    }
    if (load_key(key, may_create, &reason) &&
        (sodium_mprotect_readonly(key) == 0 || fail_errno(&reason, "cannot be protected")))
        return key;
    seal_key_free(key);
    return NULL;
}

bool seal_key_replace(const struct seal_key_paths *paths, char *why, size_t why_size) {
    struct reason reason = { paths->key, why, why_size };
    if (link(paths->key, paths->old) != 0 && errno != EEXIST) {
        reason.path = paths->old;
        return fail_errno(&reason, "cannot be created");
    }
    return (sync_folder(paths->key) && rename(paths->next, paths->key) == 0 &&
            sync_folder(paths->key)) ||
           fail_errno(&reason, "cannot be replaced");
}

void seal_key_free(struct seal_key *key) {
    sodium_free(key);
}

struct text seal_place(const struct table *table, int64_t id, unsigned field, struct arena *arena) {
    return arena_printf(arena, "%s:%lld:%s", table->name, (long long)id,
                        table->fields[field].name.at);
}

struct text seal(const struct seal_key *key, struct text plain, struct text bound_to,
                 struct arena *arena) {
    size_t size;
    if (__builtin_add_overflow(plain.len, NONCE_SIZE + TAG_SIZE, &size))
        return (struct text){ 0 };
    unsigned char *out = arena_alloc(arena, size);
    if (!out)
        return (struct text){ 0 };
    random_bytes(out, NONCE_SIZE);
    int failed = crypto_aead_xchacha20poly1305_ietf_encrypt(
        out + NONCE_SIZE, NULL, (const unsigned char *)plain.at, plain.len,
        (const unsigned char *)bound_to.at, bound_to.len, NULL, out, key->bytes);
    if (failed)
        return (struct text){ 0 };
    return (struct text){ (const char *)out, size };
}

struct text unseal(const struct seal_key *key, struct text sealed, struct text bound_to,
                   struct arena *arena) {
    if (sealed.len < NONCE_SIZE + TAG_SIZE)
        return (struct text){ 0 };
    size_t size = sealed.len - NONCE_SIZE - TAG_SIZE;
    unsigned char *out = arena_alloc(arena, size + 1);
    if (!out)
        return (struct text){ 0 };
    const unsigned char *nonce = (const unsigned char *)sealed.at;
    int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
        out, NULL, NULL, nonce + NONCE_SIZE, sealed.len - NONCE_SIZE,
        (const unsigned char *)bound_to.at, bound_to.len, nonce, key->bytes);
    if (failed)
        return (struct text){ 0 };
    return (struct text){ (const char *)out, size };
}

struct token_hash seal_mark(const struct seal_key *key) {
    static const unsigned char purpose[] = "roster: which key this is";
    struct token_hash mark;
    /* Fails only for invalid sizes, and these are constant. */
    (void)crypto_generichash(mark.bytes, sizeof mark.bytes, purpose, sizeof purpose, key->bytes,
                             sizeof key->bytes);
    return mark;
}

/* A key should have one use, and this one encrypts; so the hash has a key that is derived from it.
 */
struct token_hash seal_mac(const struct seal_key *key, struct text text) {
    static const unsigned char purpose[] = "roster: recognising bodies";
    unsigned char own[crypto_generichash_KEYBYTES];
    struct token_hash mac;
    /* These fail only for invalid sizes, and these are constant. */
    (void)crypto_generichash(own, sizeof own, purpose, sizeof purpose, key->bytes,
                             sizeof key->bytes);
    (void)crypto_generichash(mac.bytes, sizeof mac.bytes, (const unsigned char *)text.at, text.len,
                             own, sizeof own);
    sodium_memzero(own, sizeof own);
    return mac;
}

void seal_name(const struct token_hash *mark, char out[SEAL_NAME_SIZE + 1]) {
    (void)sodium_bin2hex(out, SEAL_NAME_SIZE + 1, mark->bytes, SEAL_NAME_SIZE / 2);
}
