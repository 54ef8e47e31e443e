/* Packs rows. A packed row is a head of four bytes and an LZ4 block. The head has the number of the
 * dictionary (8 bits), a bit that is set if the record has members that no field of the writing
 * version has, and the length of the JSON (23 bits). */
#include "store/row_compression.h"

#include "base/log.h"
#include "json/json.h"

#include <limits.h>
#include <lz4.h>
#include <stdlib.h>

enum { HEAD_SIZE = 4, DICTIONARIES_MAX = 255, HAS_MORE = 1 << 7, JSON_MAX = (1 << 23) - 1 };

/* The dictionaries that a session has loaded. The first one has the number 1. */
struct row_compression {
    struct arena arena;
    struct text dictionaries[DICTIONARIES_MAX + 1];
    struct text typical[TABLES];  /* the ones that this version's fields give; `at` NULL: none */
    unsigned own[TABLES];         /* their numbers; 0: not in the database */
    LZ4_stream_t *loaded[TABLES]; /* with the own dictionary in it; made at the first use */
    LZ4_stream_t working;         /* a copy of one of those, for each row: loading takes longer */
};

void row_compression_free(struct row_compression *compression) {
    if (!compression)
        return;
    for (unsigned i = 0; i < TABLES; i++)
        (void)LZ4_freeStream(compression->loaded[i]); /* it always returns 0, and takes NULL */
    arena_close(&compression->arena);
    free(compression);
}

static unsigned table_called(struct text name) {
    unsigned number = 0;
    while (number < TABLES && !text_equal(text_of(tables[number]->name), name))
        number++;
    return number;
}

/* Makes a dictionary: the JSON of a new record, which has only the names of the members and their
 * default values. */
static bool make_typical(struct row_compression *compression, const struct table *table) {
    struct record record = record_new(table, &compression->arena);
    struct buffer json;
    if (!table->is_kept_as_json)
        return true;
    buffer_init(&json, &compression->arena, 4096);
    if (record.values)
        json_add_record(&json, &record);
    compression->typical[table->number] = buffer_text(&json);
    return record.values && !json.failed;
}

static enum status load(struct store_session *session, struct row_compression *compression) {
    enum status status;
    for (unsigned i = 0; i < TABLES; i++)
        if (!make_typical(compression, tables[i]))
            return STATUS_INTERNAL;
    struct sql_statement *statement = sql_statement(session, SQL_dictionaries);
    while ((status = sql_step(statement)) == STATUS_OK) {
        int64_t number = sql_integer(statement, 0);
        unsigned table = table_called(sql_text(statement, 1, &compression->arena));
        struct text text = sql_text(statement, 2, &compression->arena);
        if (number < 1 || number > DICTIONARIES_MAX || !text.at || text.len > INT_MAX ||
            !sql_integer(statement, 3)) {
            status = STATUS_INTERNAL;
            break;
        }
        compression->dictionaries[number] = text;
        if (table < TABLES &&
            text_equal(text, compression->typical[table])) /* otherwise it is another version's */
            compression->own[table] = (unsigned)number;
    }
    sql_done(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* A reading that is stopped, or whose database is lost, while it loads them says so: the row that
 * it has is not damaged. */
static enum status find_compression(struct store_session *session,
                                    struct row_compression **compression) {
    *compression = session->compression;
    if (*compression)
        return STATUS_OK;
    struct row_compression *loaded = calloc(1, sizeof *loaded);
    enum status status = loaded ? load(session, loaded) : STATUS_INTERNAL;
    if (status == STATUS_OK) {
        *compression = session->compression = loaded;
        return STATUS_OK;
    }
    if (status == STATUS_INTERNAL)
        log_error("database: the dictionaries cannot be read");
    row_compression_free(loaded);
    return status;
}

static enum status add_dictionary(struct store_session *session, const struct table *table,
                                  struct text text) {
    struct sql_statement *statement = sql_statement(session, SQL_add_dictionary);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_text(statement, 1, text_of(table->name));
    sql_bind_text(statement, 2, text);
    sql_bind_integer(statement, 3, DICTIONARIES_MAX);
    enum status status = sql_execute(statement);
    if (status != STATUS_OK || sql_changed(statement) == 1)
        return status;
    log_error("database: it has %d dictionaries already, and there can be no more",
              DICTIONARIES_MAX);
    return STATUS_INTERNAL;
}

static void forget(struct store_session *session) {
    row_compression_free(
        session->compression); /* the next use loads them again, with the new one */
    session->compression = NULL;
}

enum status row_keep_dictionaries(struct store_session *session) {
    struct row_compression *compression;
    enum status status = find_compression(session, &compression);
    for (unsigned i = 0; status == STATUS_OK && i < TABLES; i++)
        if (tables[i]->is_kept_as_json && !compression->own[i])
            status = add_dictionary(session, tables[i], compression->typical[i]);
    forget(session);
    return status;
}

/* A stream with the own dictionary of a table. NULL: memory is short. */
static const LZ4_stream_t *loaded_stream(struct row_compression *compression, unsigned table) {
    struct text dictionary = compression->dictionaries[compression->own[table]];
    LZ4_stream_t **loaded = &compression->loaded[table];
    if (!*loaded && (*loaded = LZ4_createStream()))
        (void)LZ4_loadDict(*loaded, dictionary.at, (int)dictionary.len);
    return *loaded;
}

/* The size of the block in `room`, which has `size` bytes. 0: memory is short. */
static int compress(struct row_compression *compression, unsigned table, struct text json,
                    char *room, size_t size) {
    const LZ4_stream_t *loaded = loaded_stream(compression, table);
    if (!loaded)
        return 0;
    compression->working = *loaded;
    return LZ4_compress_fast_continue(&compression->working, json.at, room, (int)json.len,
                                      (int)size, 1);
}

enum { JSON_EXPECTED = 3072 }; /* bytes; the buffer grows if a record has more */

enum status row_pack(struct store_session *session, const struct record *record,
                     struct arena *arena, struct text *packed) {
    struct row_compression *compression;
    struct buffer json;
    enum status status = find_compression(session, &compression);
    if (status != STATUS_OK)
        return status;
    unsigned number = compression->own[record->table->number];
    buffer_init(&json, arena, JSON_EXPECTED);
    json_add_row(&json, record);
    if (!number || json.failed || json.len > JSON_MAX)
        return STATUS_INTERNAL;
    size_t room = (size_t)LZ4_compressBound((int)json.len);
    unsigned char *out = arena_alloc(arena, HEAD_SIZE + room);
    if (!out)
        return STATUS_INTERNAL;
    int size = compress(compression, record->table->number, buffer_text(&json),
                        (char *)out + HEAD_SIZE, room);
    if (size <= 0)
        return STATUS_INTERNAL;
    out[0] = (unsigned char)number;
    out[1] = (unsigned char)(json.len >> 16 | (record->unknown.len ? HAS_MORE : 0));
    out[2] = (unsigned char)(json.len >> 8);
    out[3] = (unsigned char)json.len;
    *packed = (struct text){ (char *)out, HEAD_SIZE + (size_t)size };
    return STATUS_OK;
}

/* Finds a dictionary. One that is missing may have been added after this session loaded them, so
 * they are loaded again. INTERNAL, if it is not there either. */
static enum status find_dictionary(struct store_session *session, unsigned number,
                                   struct text *dictionary) {
    struct row_compression *compression;
    enum status status = find_compression(session, &compression);
    if (status == STATUS_OK && !compression->dictionaries[number].at) {
        forget(session);
        status = find_compression(session, &compression);
    }
    if (status != STATUS_OK)
        return status;
    *dictionary = compression->dictionaries[number];
    return dictionary->at ? STATUS_OK : STATUS_INTERNAL;
}

static enum status decompress(struct store_session *session, struct text packed,
                              struct buffer *json) {
    const unsigned char *head = (const unsigned char *)packed.at;
    struct text dictionary;
    if (packed.len < HEAD_SIZE || packed.len > INT_MAX)
        return STATUS_INTERNAL;
    enum status status = find_dictionary(session, head[0], &dictionary);
    if (status != STATUS_OK)
        return status;
    int len = (head[1] & ~HAS_MORE) << 16 | head[2] << 8 | head[3];
    if (!buffer_reserve(json, (size_t)len))
        return STATUS_INTERNAL;
    int got = LZ4_decompress_safe_usingDict(packed.at + HEAD_SIZE, json->at + json->len,
                                            (int)packed.len - HEAD_SIZE, len, dictionary.at,
                                            (int)dictionary.len);
    if (got != len)
        return STATUS_INTERNAL;
    json->len += (size_t)len;
    return STATUS_OK;
}

enum status row_unpack(struct store_session *session, struct sql_value members,
                       struct buffer *json) {
    if (!members.bytes.at)
        return STATUS_INTERNAL;
    if (members.type == SQL_TEXT) {
        buffer_add(json, members.bytes);
        return json->failed ? STATUS_INTERNAL : STATUS_OK;
    }
    enum status status = decompress(session, members.bytes, json);
    if (status == STATUS_INTERNAL)
        log_error("database: a row cannot be unpacked");
    return status;
}

bool row_is_as_shown(struct store_session *session, const struct table *table,
                     struct sql_value members) {
    const struct row_compression *compression = session->compression;
    const unsigned char *head = (const unsigned char *)members.bytes.at;
    return compression && members.type == SQL_BYTES && members.bytes.len >= HEAD_SIZE &&
           head[0] == compression->own[table->number] && !(head[1] & HAS_MORE);
}
