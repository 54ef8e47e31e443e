/* The text index: blocks of folded texts, and the scan that searches them.
 *
 * A row of a table of blocks has the block's key and the block. A block consists of
 * - the size of its list of Ids, in two bytes;
 * - the Ids in ascending order, each as its distance to the one before (the first one's to the
 *   block's key), in groups of seven bits;
 * - the texts in the order of the Ids, each followed by the byte 0xFF, which UTF-8 never contains.
 *
 * A search runs over the bytes of all blocks and never looks at single texts: only where the needle
 * is found does it count the end marks before it, which gives the Id. A block is at most as large
 * as a page of the database, unless a single text is larger. One that grows beyond that is split in
 * two, and an empty one is deleted. */
#include "store/sqlite/text_index.h"

#include "base/log.h"
#include "store/rows.h"

#include <assert.h>
#include <stdio.h>

/* The bytes of a page of 4,096 that are left beside SQLite's own. */
enum { BLOCK_MAX = 4040 };
enum { HEAD_SIZE = 2, IDS_SIZE_MAX = 0xFFFF, TEXT_END = 0xFF };

/* The most Ids that a search returns. If more records match, a page after the first ones is found
 * by walking along an index instead, where matches are then frequent. */
enum { MATCHES_KEPT = 100000 };

struct entry {
    int64_t id;
    struct text text;
};

struct block {
    int64_t key; /* its Ids are >= key, and those of the block before are less */
    struct entry *entries;
    size_t count;
};

/* A stored block that is being read: the Ids and texts that are still to come. */
struct stored {
    const unsigned char *ids, *ids_end;
    const char *texts, *end;
    int64_t id; /* the last one read */
};

static bool open_stored(struct sql_statement *row, struct stored *stored) {
    const struct text block = sql_bytes(row, 1);
    const unsigned char *at = (const unsigned char *)block.at;
    size_t len = block.len;
    stored->id = sql_integer(row, 0);
    if (!at || len < HEAD_SIZE || len - HEAD_SIZE < (size_t)(at[0] << 8 | at[1]))
        return false;
    stored->ids = at + HEAD_SIZE;
    stored->ids_end = stored->ids + (at[0] << 8 | at[1]);
    stored->texts = (const char *)stored->ids_end;
    stored->end = (const char *)at + len;
    return stored->texts == stored->end || (unsigned char)stored->end[-1] == TEXT_END;
}

static bool next_id(struct stored *stored) {
    uint64_t distance = 0;
    for (unsigned shift = 0; shift < 63 && stored->ids < stored->ids_end; shift += 7) {
        unsigned char byte = *stored->ids++;
        distance |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            stored->id = (int64_t)((uint64_t)stored->id + distance);
            return true;
        }
    }
    return false;
}

static size_t count_ends(const char *at, const char *end) {
    size_t count = 0;
    for (; at < end; at++)
        count += (unsigned char)*at == TEXT_END;
    return count;
}

static const char *text_end(const char *at, const char *end) {
    return memchr(at, TEXT_END, (size_t)(end - at));
}

static enum status broken(const struct text_index *index) {
    log_error("database: a block of texts of %s.%s is damaged", index->table->name,
              index->field->name.at);
    return STATUS_INTERNAL;
}

/* Reads a block; `entries` has room for one more entry. */
static bool read_block(struct sql_statement *row, struct arena *arena, struct block *block) {
    struct stored stored;
    if (!open_stored(row, &stored))
        return false;
    block->key = stored.id;
    block->count = count_ends(stored.texts, stored.end);
    block->entries = arena_calloc(arena, block->count + 1, sizeof *block->entries);
    struct text texts =
        arena_text(arena, (struct text){ stored.texts, (size_t)(stored.end - stored.texts) });
    const char *at = texts.at;
    for (size_t i = 0; block->entries && at && i < block->count; i++) {
        const char *end = text_end(at, texts.at + texts.len);
        if (!next_id(&stored))
            return false;
        block->entries[i] = (struct entry){ stored.id, { at, (size_t)(end - at) } };
        at = end + 1;
    }
    return block->entries && texts.at && stored.ids == stored.ids_end;
}

static void add_distance(struct buffer *out, uint64_t distance) {
    for (; distance >= 0x80; distance >>= 7)
        buffer_add_char(out, (char)(distance | 0x80));
    buffer_add_char(out, (char)distance);
}

static struct text make_block(const struct block *block, struct arena *arena) {
    struct buffer out;
    int64_t before = block->key;
    buffer_init(&out, arena, BLOCK_MAX);
    buffer_add(&out, (struct text){ "\0", HEAD_SIZE });
    for (size_t i = 0; i < block->count; before = block->entries[i++].id)
        add_distance(&out, (uint64_t)block->entries[i].id - (uint64_t)before);
    size_t ids_size = out.len - HEAD_SIZE;
    for (size_t i = 0; i < block->count; i++) {
        buffer_add(&out, block->entries[i].text);
        buffer_add_char(&out, (char)TEXT_END);
    }
    if (out.failed || ids_size > IDS_SIZE_MAX)
        return (struct text){ 0 };
    out.at[0] = (char)(ids_size >> 8);
    out.at[1] = (char)ids_size;
    return buffer_text(&out);
}

enum text_statement { TEXTS_FIND, TEXTS_SET, TEXTS_DROP, TEXTS_ALL };

static struct sql_statement *statement_of(const struct text_index *index,
                                          enum text_statement which) {
    static const struct {
        const char *before, *after;
    } parts[] = {
        [TEXTS_FIND] = { "SELECT first, texts FROM",
                         "WHERE first <= ?1 ORDER BY first DESC LIMIT 1" },
        [TEXTS_SET] = { "INSERT INTO", "(first, texts) VALUES (?1, ?2)"
                                       " ON CONFLICT DO UPDATE SET texts = ?2" },
        [TEXTS_DROP] = { "DELETE FROM", "WHERE first = ?1" },
        [TEXTS_ALL] = { "SELECT first, texts FROM", "ORDER BY first" },
    };
    char sql[256];
    int len = snprintf(sql, sizeof sql, "%s %s_%s_texts %s", parts[which].before,
                       index->table->name, index->field->name.at, parts[which].after);
    assert(len > 0 && (size_t)len < sizeof sql);
    return sql_text_statement(index->session, sql);
}

/* Finds the block that an Id belongs to. The first block has the key 0. */
static enum status find_block(const struct text_index *index, int64_t id, struct arena *arena,
                              struct block *block) {
    struct sql_statement *row = statement_of(index, TEXTS_FIND);
    if (!row)
        return STATUS_INTERNAL;
    sql_bind_integer(row, 1, id);
    enum status status = sql_step(row);
    if (status == STATUS_OK && !read_block(row, arena, block))
        status = arena->failed ? STATUS_INTERNAL : broken(index);
    if (status == STATUS_NOT_FOUND) {
        *block = (struct block){ .entries = arena_calloc(arena, 1, sizeof *block->entries) };
        status = block->entries ? STATUS_OK : STATUS_INTERNAL;
    }
    sql_done(row);
    return status;
}

static enum status store_block(const struct text_index *index, int64_t key, struct text made) {
    struct sql_statement *statement = statement_of(index, TEXTS_SET);
    if (!made.at || !statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, key);
    sql_bind_bytes(statement, 2, made);
    return sql_execute(statement);
}

static enum status drop_block(const struct text_index *index, int64_t key) {
    struct sql_statement *statement = statement_of(index, TEXTS_DROP);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, key);
    return sql_execute(statement);
}

/* Splits a block and returns the second part. If the changed entry is the last one, only that entry
 * is moved, so that blocks become full where Ids ascend; otherwise the second half is. */
static struct block split(struct block *block, size_t changed) {
    size_t at = changed == block->count - 1 ? changed : block->count / 2;
    struct block rest = { block->entries[at].id, block->entries + at, block->count - at };
    block->count = at;
    return rest;
}

static enum status write_block(const struct text_index *index, struct block *block, size_t changed,
                               struct arena *arena) {
    if (!block->count)
        return drop_block(index, block->key);
    struct text made = make_block(block, arena);
    if (made.len > BLOCK_MAX && block->count > 1) {
        struct block rest = split(block, changed);
        enum status status = store_block(index, rest.key, make_block(&rest, arena));
        if (status != STATUS_OK)
            return status;
        made = make_block(block, arena);
    }
    return store_block(index, block->key, made);
}

/* Sets or removes a text; returns the position of the change. */
static size_t edit(struct block *block, int64_t id, struct text text) {
    struct entry *entries = block->entries;
    size_t at = 0;
    while (at < block->count && entries[at].id < id)
        at++;
    bool was = at < block->count && entries[at].id == id, is = text.at != NULL;
    memmove(&entries[at + is], &entries[at + was], (block->count - at - was) * sizeof *entries);
    block->count = block->count - was + is;
    if (is)
        entries[at] = (struct entry){ id, text };
    return at;
}

static enum status set_text(const struct text_index *index, int64_t id, struct text text) {
    struct arena arena = { 0 };
    struct block block;
    enum status status = find_block(index, id, &arena, &block);
    if (status == STATUS_OK) {
        size_t changed = edit(&block, id, text);
        status = write_block(index, &block, changed, &arena);
    }
    arena_close(&arena);
    return status;
}

/* A vector compares many positions at once. GCC and clang support any width. */
typedef unsigned char places __attribute__((vector_size(16)));

static places load(const char *at) {
    places loaded;
    memcpy(&loaded, at, sizeof loaded);
    return loaded;
}

/* The number of bytes, of eight in the order of memory, before the first marked one. */
static size_t unmarked(uint64_t marks) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(marks) / 8;
#else
    return (size_t)__builtin_clzll(marks) / 8;
#endif
}

/* The first of the positions at which the first and the last byte of the needle match; the number
 * of positions if there is none. */
static size_t first_possible(const char *at, places first, places last, size_t to_last) {
    const places marks = (places)((load(at) == first) & (load(at + to_last) == last));
    uint64_t halves[2];
    memcpy(halves, &marks, sizeof halves);
    if (halves[0])
        return unmarked(halves[0]);
    return halves[1] ? sizeof halves[0] + unmarked(halves[1]) : sizeof marks;
}

/* Finds the first occurrence of a needle; NULL: there is none. memmem(3) is slower here: its
 * preparation at each call takes longer than most of these searches. */
static const char *find(const char *at, const char *end, struct text needle) {
    const size_t to_last = needle.len - 1;
    const places none = { 0 }, first = none + (unsigned char)needle.at[0],
                 last = none + (unsigned char)needle.at[to_last];
    while ((size_t)(end - at) > to_last) {
        if ((size_t)(end - at) - to_last >= sizeof(places)) {
            size_t skip = first_possible(at, first, last, to_last);
            at += skip;
            if (skip == sizeof(places))
                continue;
        }
        if (memcmp(at, needle.at, needle.len) == 0)
            return at;
        at++;
    }
    return NULL;
}

struct scan {
    struct text needle;
    struct arena *arena;
    struct text_matches *matches;
    size_t room, exact_room;
};

static bool add_id(struct scan *scan, int64_t **ids, size_t *count, size_t *room, int64_t id) {
    if (*count == MATCHES_KEPT)
        return true;
    if (*count == *room) {
        size_t wanted = *room ? 2 * *room : 128;
        int64_t *more = arena_grow(scan->arena, *ids, *room * sizeof **ids, wanted * sizeof **ids);
        if (!more)
            return false;
        *ids = more;
        *room = wanted;
    }
    (*ids)[(*count)++] = id;
    return true;
}

static bool add_match(struct scan *scan, int64_t id, bool is_exact) {
    struct text_matches *matches = scan->matches;
    matches->exact_is_cut |= is_exact && matches->exact_count == MATCHES_KEPT;
    return add_id(scan, &matches->ids, &matches->count, &scan->room, id) &&
           (!is_exact ||
            add_id(scan, &matches->exact, &matches->exact_count, &scan->exact_room, id));
}

static bool scan_block(struct scan *scan, struct stored *stored) {
    const char *from = stored->texts, *read_to = from, *at; /* up to `read_to` the Ids are read */
    while ((at = find(from, stored->end, scan->needle))) {
        const char *end = text_end(at + scan->needle.len, stored->end);
        from = end + 1;
        bool is_exact = end - at == (ptrdiff_t)scan->needle.len &&
                        (at == stored->texts || (unsigned char)at[-1] == TEXT_END);
        scan->matches->total++;
        if (!is_exact && scan->matches->count == MATCHES_KEPT)
            continue; /* it is only counted */
        for (size_t skip = count_ends(read_to, at) + 1; skip; skip--)
            if (!next_id(stored))
                return false;
        read_to = from;
        if (!add_match(scan, stored->id, is_exact))
            return false;
    }
    return true;
}

static enum status search_blocks(const struct text_index *index, struct text needle,
                                 struct arena *arena, struct text_matches *matches) {
    struct scan scan = { .needle = needle, .arena = arena, .matches = matches };
    struct stored stored;
    enum status status;
    *matches = (struct text_matches){ 0 };
    if (memchr(needle.at, TEXT_END, needle.len))
        return STATUS_OK; /* UTF-8 never contains it */
    struct sql_statement *row = statement_of(index, TEXTS_ALL);
    while ((status = sql_step(row)) == STATUS_OK)
        if (!open_stored(row, &stored) || !scan_block(&scan, &stored)) {
            status = arena->failed ? STATUS_INTERNAL : broken(index);
            break;
        }
    sql_done(row);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

void text_index_add_tables(struct buffer *sql, const struct table *table) {
    for (unsigned i = 0; i < table->count; i++)
        if (table->fields[i].flags & SEARCHED)
            buffer_printf(sql,
                          "CREATE TABLE IF NOT EXISTS %s_%s_texts (first INTEGER PRIMARY KEY,"
                          " texts BLOB NOT NULL) STRICT;",
                          table->name, table->fields[i].name.at);
}

/* Selects from the records whose text, named t in the condition, fulfils a condition. */
static struct sql_statement *select_where(const struct text_index *index, const char *columns,
                                          const char *condition) {
    struct arena arena = { 0 };
    struct buffer sql;
    struct sql_statement *statement = NULL;
    buffer_init(&sql, &arena, 256);
    buffer_printf(&sql, "SELECT %s FROM (SELECT Id, ", columns);
    row_add_value(&sql, index->table, index->field, index->table->name);
    buffer_printf(&sql, " AS t FROM %s) WHERE %s ORDER BY Id", index->table->name, condition);
    buffer_add_char(&sql, '\0');
    if (!sql.failed)
        statement = sql_prepare(index->session, sql.at);
    arena_close(&arena);
    return statement;
}

static struct sql_statement *select_texts(const struct text_index *index) {
    return select_where(index, "Id, fold(t)", "t IS NOT NULL");
}

struct sql_statement *text_index_accented(const struct text_index *index) {
    return select_where(index, "Id, fold(t), fold_case(t)", "fold(t) IS NOT fold_case(t)");
}

enum status text_index_fill(const struct text_index *index) {
    struct sql_statement *record = select_texts(index);
    enum status status;
    while ((status = sql_step(record)) == STATUS_OK) {
        struct arena arena = { 0 };
        struct text text = sql_text(record, 1, &arena);
        status = text.at ? set_text(index, sql_integer(record, 0), text) : STATUS_INTERNAL;
        arena_close(&arena);
        if (status != STATUS_OK)
            break;
    }
    sql_free(record);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status compare_block(const struct block *block, struct sql_statement *record, char *why,
                                 size_t why_size) {
    for (size_t i = 0; i < block->count; i++) {
        const struct entry *entry = &block->entries[i];
        enum status status = sql_step(record);
        int64_t id = status == STATUS_OK ? sql_integer(record, 0) : INT64_MAX;
        struct text text = status == STATUS_OK ? sql_bytes(record, 1) : (struct text){ 0 };
        if (status == STATUS_OK && id == entry->id && text_equal(text, entry->text))
            continue;
        (void)snprintf(why, why_size, "%lld is not found by what it has",
                       (long long)(id < entry->id ? id : entry->id));
        return STATUS_INTERNAL;
    }
    return STATUS_OK;
}

static enum status check_blocks(const struct text_index *index, char *why, size_t why_size) {
    struct sql_statement *record = select_texts(index);
    struct sql_statement *row = statement_of(index, TEXTS_ALL);
    enum status status = record ? STATUS_OK : STATUS_INTERNAL;
    (void)snprintf(why, why_size, "it cannot be read");
    while (status == STATUS_OK && (status = sql_step(row)) == STATUS_OK) {
        struct arena arena = { 0 };
        struct block block;
        status = read_block(row, &arena, &block) ? compare_block(&block, record, why, why_size)
                                                 : STATUS_INTERNAL;
        arena_close(&arena);
    }
    if (status == STATUS_NOT_FOUND && (status = sql_step(record)) == STATUS_OK)
        (void)snprintf(why, why_size, "%lld is not found by what it has",
                       (long long)sql_integer(record, 0));
    sql_done(row);
    sql_free(record);
    return status == STATUS_NOT_FOUND ? STATUS_OK : STATUS_INTERNAL;
}

const struct engine_text_index text_index_calls = {
    .set = set_text,
    .search = search_blocks,
    .check = check_blocks,
};
