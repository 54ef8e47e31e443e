/* The trailer of a backup. Its length is found from the end of the file: the last line has a fixed
 * size, and the lines before it begin where the pages end. */
#include "store/sqlite/trailer.h"

#include "base/text.h"
#include "base/time.h"
#include "crypto/digest.h"
#include "version.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGEST_NAME "blake2b-256: "
#define FORM "\nRoster backup\nprogram: %s\nmade: %s\nkey: %s\n"

enum {
    DIGEST_LINE = sizeof DIGEST_NAME - 1 + DIGEST_HEX_SIZE + 1,
    LINES_MAX = (int)sizeof FORM + 3 * TRAILER_WORD_MAX,
    /* sqlite.org/fileformat2.html section 1.3: the header, the size of a page, their number. */
    HEADER = 100,
    PAGE_SIZE_AT = 16,
    PAGE_COUNT_AT = 28,
};

static bool write_all(int file, const char *bytes, size_t size, int64_t at) {
    while (size) {
        ssize_t written = pwrite(file, bytes, size, at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        size -= (size_t)written;
        at += written;
    }
    return true;
}

bool trailer_add(int file, const char *key) {
    char lines[LINES_MAX], made[TIME_TEXT_MAX + 1], digest[DIGEST_HEX_SIZE + 1];
    char last[DIGEST_LINE + 1];
    struct stat facts;
    if (fstat(file, &facts) != 0)
        return false;
    made[time_format(time_now_ms(), made)] = '\0';
    int len = snprintf(lines, sizeof lines, FORM, ROSTER_VERSION, made, key);
    int64_t end = facts.st_size + len;
    if (!write_all(file, lines, (size_t)len, facts.st_size) || !digest_file(file, end, digest))
        return false;
    (void)snprintf(last, sizeof last, DIGEST_NAME "%s\n", digest);
    return write_all(file, last, DIGEST_LINE, end);
}

static bool is_database(int file) {
    static const char magic[16] = "SQLite format 3";
    char begin[sizeof magic];
    return pread(file, begin, sizeof begin, 0) == (ssize_t)sizeof begin &&
           memcmp(begin, magic, sizeof magic) == 0;
}

/* The bytes of the pages, by the database's header. 0: it has none. */
static int64_t size_of_pages(int file) {
    unsigned char header[HEADER];
    if (pread(file, header, sizeof header, 0) != (ssize_t)sizeof header)
        return 0;
    uint32_t size = (uint32_t)header[PAGE_SIZE_AT] << 8 | header[PAGE_SIZE_AT + 1], count = 0;
    for (int i = 0; i < 4; i++)
        count = count << 8 | header[PAGE_COUNT_AT + i];
    return (int64_t)(size == 1 ? 65536 : size) * count;
}

/* Reads the lines before the last one; the digest has confirmed them. */
static bool read_lines(int file, int64_t end, struct trailer *trailer) {
    char lines[LINES_MAX];
    int64_t from = size_of_pages(file);
    ssize_t got =
        from < end && end - from < LINES_MAX ? pread(file, lines, (size_t)(end - from), from) : -1;
    lines[got < 0 ? 0 : got] = '\0';
    return sscanf(lines, "\nRoster backup\nprogram: %31s\nmade: %31s\nkey: %31s", trailer->program,
                  trailer->made, trailer->key) == 3;
}

enum trailer_state trailer_check(int file, struct trailer *trailer) {
    char last[DIGEST_LINE + 1] = "", digest[DIGEST_HEX_SIZE + 1];
    struct stat facts;
    if (fstat(file, &facts) != 0)
        return TRAILER_UNREADABLE;
    if (!is_database(file))
        return TRAILER_FOREIGN;
    int64_t end = facts.st_size - DIGEST_LINE;
    if (end > 0 && pread(file, last, DIGEST_LINE, end) != DIGEST_LINE)
        return TRAILER_UNREADABLE;
    if (strncmp(last, DIGEST_NAME, sizeof DIGEST_NAME - 1) != 0)
        return size_of_pages(file) == facts.st_size ? TRAILER_NONE : TRAILER_WRONG;
    if (!digest_file(file, end, digest))
        return TRAILER_UNREADABLE;
    bool is_same = strncmp(last + sizeof DIGEST_NAME - 1, digest, DIGEST_HEX_SIZE) == 0 &&
                   last[DIGEST_LINE - 1] == '\n';
    return is_same && read_lines(file, end, trailer) ? TRAILER_RIGHT : TRAILER_WRONG;
}

/* The numbers of a version, comparable as one; 0: there are not three. */
static int64_t rank(const char *version) {
    enum { LIMIT = 100000 };
    struct text rest = text_of(version);
    int64_t whole = 0, number;
    for (int i = 0; i < 3; i++) {
        if (!text_to_int64(text_cut(&rest, '.'), &number) || number < 0 || number >= LIMIT)
            return 0;
        whole = whole * LIMIT + number;
    }
    return whole;
}

bool trailer_is_newer(const struct trailer *trailer) {
    return rank(trailer->program) > rank(ROSTER_VERSION);
}
