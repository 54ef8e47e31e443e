/* Packed rows: four bytes of head (which dictionary, how long the JSON is), then an LZ4 block. */
#include "store/sqlite/pack.h"

#include "base/log.h"
#include "json/json.h"

#include <limits.h>
#include <lz4.h>
#include <stdlib.h>

enum { HEAD_SIZE = 4, DICTIONARIES_MAX = 255, JSON_MAX = (1 << 24) - 1 };

/* What a connection knows of the dictionaries. The first is number 1. */
struct packing {
    struct arena arena;
    struct text dictionaries[DICTIONARIES_MAX + 1];
    unsigned newest[TABLES]; /* of each table; 0: none */
    LZ4_stream_t *stream;    /* to pack with; made by the first who packs */
};

void packing_free(struct packing *packing) {
    if (!packing)
        return;
    (void)LZ4_freeStream(packing->stream); /* it always says 0, and takes NULL */
    arena_close(&packing->arena);
    free(packing);
}

static unsigned table_called(struct text name) {
    unsigned number = 0;
    while (number < TABLES && !text_equal(text_of(tables[number]->name), name))
        number++;
    return number;
}

static enum status load(struct store_view *view, struct packing *packing) {
    enum status status;
    sqlite3_stmt *statement = view_statement(view, SQL_dictionaries);
    while ((status = view_step(view, statement)) == STATUS_OK) {
        int64_t number = sqlite3_column_int64(statement, 0);
        unsigned table = table_called(column_text(statement, 1, &packing->arena));
        struct text text = column_text(statement, 2, &packing->arena);
        if (number < 1 || number > DICTIONARIES_MAX || !text.at || text.len > INT_MAX) {
            status = STATUS_BROKEN;
            break;
        }
        packing->dictionaries[number] = text;
        if (table < TABLES) /* else one that is no more */
            packing->newest[table] = (unsigned)number;
    }
    if (statement)
        (void)sqlite3_reset(statement); /* repeats the error of the step */
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static struct packing *packing_of(struct store_view *view) {
    if (view->packing)
        return view->packing;
    struct packing *packing = calloc(1, sizeof *packing);
    if (packing && load(view, packing) == STATUS_OK)
        return view->packing = packing;
    log_error("database: the dictionaries cannot be read");
    packing_free(packing);
    return NULL;
}

/* The JSON of a record with nothing in it but what most have. */
static struct text typical(const struct table *table, struct arena *arena) {
    struct record record = record_new(table, arena);
    struct buffer json;
    buffer_init(&json, arena, 4096);
    if (record.values)
        json_add_record(&json, &record);
    return record.values && !json.failed ? buffer_text(&json) : (struct text){ 0 };
}

static enum status add_dictionary(struct store_view *view, const struct table *table,
                                  struct text text) {
    sqlite3_stmt *statement = view_statement(view, SQL_add_dictionary);
    if (!statement)
        return STATUS_BROKEN;
    bind_text(statement, 1, text_of(table->name));
    bind_text(statement, 2, text);
    bind_integer(statement, 3, DICTIONARIES_MAX);
    enum status status = view_execute(view, statement);
    if (status != STATUS_OK || sqlite3_changes(view->db) == 1)
        return status;
    log_error("database: it has %d dictionaries already, and there can be no more",
              DICTIONARIES_MAX);
    return STATUS_BROKEN;
}

static enum status keep_dictionary(struct store_view *view, unsigned table) {
    struct packing *packing = packing_of(view);
    struct arena arena = { 0 };
    enum status status = STATUS_BROKEN;
    struct text wanted = typical(tables[table], &arena);
    if (packing && wanted.at)
        status = text_equal(packing->dictionaries[packing->newest[table]], wanted)
                     ? STATUS_OK
                     : add_dictionary(view, tables[table], wanted);
    arena_close(&arena);
    return status;
}

enum status pack_keep_dictionaries(struct store_view *view) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < TABLES; i++)
        if (tables[i]->is_kept_as_json)
            status = keep_dictionary(view, i);
    packing_free(view->packing); /* to be read anew, with what is new */
    view->packing = NULL;
    return status;
}

static int compress(struct packing *packing, struct text dictionary, struct text json,
                    struct text room) {
    LZ4_resetStream_fast(packing->stream);
    (void)LZ4_loadDict(packing->stream, dictionary.at, (int)dictionary.len);
    return LZ4_compress_fast_continue(packing->stream, json.at, (char *)(uintptr_t)room.at,
                                      (int)json.len, (int)room.len, 1);
}

enum status pack(struct store_view *view, const struct table *table, struct text json,
                 struct arena *arena, struct text *packed) {
    struct packing *packing = packing_of(view);
    unsigned number = packing ? packing->newest[table->number] : 0;
    if (!number || json.len > JSON_MAX)
        return STATUS_BROKEN;
    if (!packing->stream)
        packing->stream = LZ4_createStream();
    size_t room = (size_t)LZ4_compressBound((int)json.len);
    unsigned char *out = arena_alloc(arena, HEAD_SIZE + room);
    if (!packing->stream || !out)
        return STATUS_BROKEN;
    int size = compress(packing, packing->dictionaries[number], json,
                        (struct text){ (char *)out + HEAD_SIZE, room });
    if (size <= 0)
        return STATUS_BROKEN;
    out[0] = (unsigned char)number;
    out[1] = (unsigned char)(json.len >> 16);
    out[2] = (unsigned char)(json.len >> 8);
    out[3] = (unsigned char)json.len;
    *packed = (struct text){ (char *)out, HEAD_SIZE + (size_t)size };
    return STATUS_OK;
}

static bool decompress(const struct packing *packing, struct text packed, struct buffer *json) {
    const unsigned char *head = (const unsigned char *)packed.at;
    if (packed.len < HEAD_SIZE || packed.len > INT_MAX || !packing->dictionaries[head[0]].at)
        return false;
    struct text dictionary = packing->dictionaries[head[0]];
    int len = head[1] << 16 | head[2] << 8 | head[3];
    if (!buffer_reserve(json, (size_t)len))
        return false;
    int got = LZ4_decompress_safe_usingDict(packed.at + HEAD_SIZE, json->at + json->len,
                                            (int)packed.len - HEAD_SIZE, len, dictionary.at,
                                            (int)dictionary.len);
    if (got != len)
        return false;
    json->len += (size_t)len;
    return true;
}

enum status unpack(struct store_view *view, sqlite3_value *members, struct buffer *json) {
    struct text stored = { sqlite3_value_blob(members), 0 };
    struct packing *packing = packing_of(view);
    stored.len = (size_t)sqlite3_value_bytes(members);
    if (!packing || !stored.at)
        return STATUS_BROKEN;
    if (sqlite3_value_type(members) == SQLITE_TEXT) {
        buffer_add(json, stored);
        return json->failed ? STATUS_BROKEN : STATUS_OK;
    }
    if (decompress(packing, stored, json))
        return STATUS_OK;
    log_error("database: a row cannot be unpacked");
    return STATUS_BROKEN;
}
