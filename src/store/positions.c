/* Keeps where pages begin (positions.h).
 *
 * The writer counts `version` up before a COMMIT that changes keys, and again when the numbers are
 * those after it: an odd version means that a commit is under way. A reader takes an even version,
 * begins its snapshot, and looks for its page only if the version is still the same. Numbers and
 * snapshot then show the same state.
 *
 * The first reader that wants an order builds it: it walks along the index in one snapshot. Changes
 * that are committed meanwhile wait in a list, and are applied when the walk has ended. If a part
 * becomes too long, or memory runs out, the order is dropped, and the next reader builds it again.
 */
#include "store/positions.h"

#include "base/mutex.h"
#include "base/time.h"
#include "store/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PART_ROWS = 256,
    PART_ROWS_MAX = 4 * PART_ROWS, /* a longer part is too slow to walk */
    WAITING_MAX = 100000,          /* changes during a walk */
    NEAR_ROWS = 1000,              /* so many are walked sooner than they are looked up */
    TRIES = 3,
    COMMIT_WAIT_MS = 100, /* for a commit: one that takes longer holds up no search */
};

/* The fields that order. */
static const unsigned orders[] = { USER_Id, USER_FullName, USER_Email };
enum { ORDERS = sizeof orders / sizeof *orders };

struct key {
    struct text text; /* without upper case, as the index compares it */
    int64_t id;
};

/* Rows from `first` up to the next part's; the first part begins at the very beginning. */
struct part {
    struct key first;
    int64_t rows;
};

struct change {
    struct change *next;
    unsigned order;
    struct key key;
    int by; /* 1: the key comes, -1: it goes */
};

struct changes {
    struct change *first, **end;
    struct arena arena;
    unsigned count;
};

struct order {
    enum { NOT_KEPT, BEING_BUILT, KEPT } state;
    uint64_t build; /* the number of the walk that builds it */
    struct arena arena;
    struct part *parts;
    size_t count, room;
    struct changes waiting; /* BEING_BUILT: since its snapshot */
};

struct positions {
    pthread_mutex_t lock;
    pthread_cond_t is_even;
    uint64_t version, builds;
    struct order orders[ORDERS];
    /* The writer's own: what the running transaction has changed. */
    struct changes noted;
    bool has_failed; /* and not all of it could be noted */
};

/* ---- Keys ---- */

/* As SQLite's NOCASE: letters of ASCII without case, then bytes, then length. */
static int compare(const struct key *a, const struct key *b) {
    size_t len = a->text.len < b->text.len ? a->text.len : b->text.len;
    int order = len ? memcmp(a->text.at, b->text.at, len) : 0;
    if (order == 0)
        order = (a->text.len > b->text.len) - (a->text.len < b->text.len);
    return order ? order : (a->id > b->id) - (a->id < b->id);
}

/* False if there is no memory. */
static bool key_of(struct text text, int64_t id, struct arena *arena, struct key *key) {
    char *lower = arena_alloc(arena, text.len + 1);
    *key = (struct key){ { lower, lower ? text.len : 0 }, id };
    for (size_t i = 0; lower && i < text.len; i++)
        lower[i] = text_lower(text.at[i]);
    return lower;
}

static struct text ordered_text(const struct record *record, unsigned order) {
    if (orders[order] == USER_Id)
        return (struct text){ 0 };
    return value_as_text(&record->values[orders[order]]);
}

/* ---- Changes ---- */

static void forget(struct changes *changes) {
    arena_close(&changes->arena);
    *changes = (struct changes){ .end = &changes->first };
}

static bool add_change(struct changes *changes, unsigned order, struct text text, int64_t id,
                       int by) {
    struct change *change = arena_alloc(&changes->arena, sizeof *change);
    if (!change)
        return false;
    *change = (struct change){ .order = order, .by = by };
    if (!key_of(text, id, &changes->arena, &change->key))
        return false;
    *changes->end = change;
    changes->end = &change->next;
    changes->count++;
    return true;
}

void positions_note(struct store_tx *tx, const struct record *before, const struct record *after) {
    struct positions *positions = tx->session->store ? tx->session->store->positions : NULL;
    const struct record *any = after ? after : before;
    if (!positions || any->table != &user_table)
        return;
    for (unsigned i = 0; i < ORDERS; i++) {
        if (before && after && value_equal(&before->values[orders[i]], &after->values[orders[i]]))
            continue;
        const int64_t id = record_id(any);
        if (before && !add_change(&positions->noted, i, ordered_text(before, i), id, -1))
            positions->has_failed = true;
        if (after && !add_change(&positions->noted, i, ordered_text(after, i), id, 1))
            positions->has_failed = true;
    }
}

/* ---- Orders ---- */

static void drop(struct order *order) {
    arena_close(&order->arena);
    arena_close(&order->waiting.arena);
    *order = (struct order){ .state = NOT_KEPT };
    forget(&order->waiting);
}

/* The part in which a key lies. */
static struct part *part_of(const struct order *order, const struct key *key) {
    size_t low = 0, high = order->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (compare(&order->parts[middle].first, key) <= 0)
            low = middle;
        else
            high = middle;
    }
    return &order->parts[low];
}

static void apply(struct order *order, const struct change *change) {
    struct part *part = part_of(order, &change->key);
    part->rows += change->by;
    if (part->rows < 0 || part->rows > PART_ROWS_MAX)
        drop(order);
}

static void keep_waiting(struct order *order, const struct change *change) {
    if (order->waiting.count >= WAITING_MAX ||
        !add_change(&order->waiting, change->order, change->key.text, change->key.id, change->by))
        drop(order);
}

static void take_noted(struct positions *positions) {
    for (const struct change *change = positions->noted.first; change; change = change->next) {
        struct order *order = &positions->orders[change->order];
        if (order->state == KEPT)
            apply(order, change);
        else if (order->state == BEING_BUILT)
            keep_waiting(order, change);
    }
    for (unsigned i = 0; positions->has_failed && i < ORDERS; i++)
        drop(&positions->orders[i]);
}

static bool has_noted(const struct positions *positions) {
    return positions->noted.first || positions->has_failed;
}

void positions_begin_commit(struct positions *positions) {
    if (!positions || !has_noted(positions))
        return;
    mutex_lock(&positions->lock);
    positions->version++;
    mutex_unlock(&positions->lock);
}

void positions_end_commit(struct positions *positions, bool is_committed) {
    if (!positions || !has_noted(positions))
        return;
    mutex_lock(&positions->lock);
    if (is_committed)
        take_noted(positions);
    positions->version += positions->version % 2; /* odd, unless the COMMIT was not tried */
    (void)pthread_cond_broadcast(&positions->is_even);
    mutex_unlock(&positions->lock);
    forget(&positions->noted);
    positions->has_failed = false;
}

/* ---- Opening and closing ---- */

struct positions *positions_open(void) {
    struct positions *positions = calloc(1, sizeof *positions);
    if (!positions || pthread_mutex_init(&positions->lock, NULL) != 0 ||
        pthread_cond_init(&positions->is_even, NULL) != 0) {
        free(positions);
        return NULL;
    }
    forget(&positions->noted);
    for (unsigned i = 0; i < ORDERS; i++)
        drop(&positions->orders[i]);
    return positions;
}

void positions_close(struct positions *positions) {
    if (!positions)
        return;
    forget(&positions->noted);
    for (unsigned i = 0; i < ORDERS; i++)
        drop(&positions->orders[i]);
    (void)pthread_cond_destroy(&positions->is_even);
    (void)pthread_mutex_destroy(&positions->lock);
    free(positions);
}

/* ---- Readers ---- */

/* The index of a search's order among those that can be kept; ORDERS: it is none of them. */
static unsigned order_of(const struct search *search) {
    unsigned at = 0;
    if (search->table != &user_table)
        return ORDERS;
    while (at < ORDERS && orders[at] != search->order)
        at++;
    return at;
}

bool positions_help(const struct store *store, const struct search *search) {
    return store && store->positions && !search->filters && !search->behind &&
           search->skip > NEAR_ROWS && order_of(search) < ORDERS;
}

bool positions_are_kept(const struct store *store, const struct search *search) {
    struct positions *positions = store->positions;
    mutex_lock(&positions->lock);
    bool is_kept = positions->orders[order_of(search)].state == KEPT;
    mutex_unlock(&positions->lock);
    return is_kept;
}

/* An even version; with `may_wait` after the commit that is under way. 0: there is none in time. */
static uint64_t even_version(struct positions *positions, bool may_wait) {
    const int64_t end_ms = time_monotonic_ms() + COMMIT_WAIT_MS;
    const struct timespec end = { end_ms / 1000, end_ms % 1000 * 1000000 };
    mutex_lock(&positions->lock);
    while (may_wait && positions->version % 2)
        may_wait = pthread_cond_clockwait(&positions->is_even, &positions->lock, CLOCK_MONOTONIC,
                                          &end) == 0;
    uint64_t version = positions->version % 2 ? 0 : positions->version + 2; /* never 0 */
    mutex_unlock(&positions->lock);
    return version;
}

static bool is_current(const struct positions *positions, uint64_t version) {
    return version == positions->version + 2;
}

/* Begins reading, and makes the snapshot be taken: SQLite takes it with the first row. */
static enum status begin_snapshot(struct store_session *session, int64_t *rows) {
    enum status status = engine_begin_reading(session);
    if (status != STATUS_OK)
        return status;
    struct sql_statement *statement =
        sql_text_statement(session, "SELECT rows FROM row_counts WHERE kind = 'users'");
    status = sql_step(statement);
    if (status == STATUS_OK)
        *rows = sql_integer(statement, 0);
    sql_done(statement);
    if (status != STATUS_OK)
        engine_end_reading(session);
    return status;
}

/* ---- Building an order ---- */

static bool add_part(struct order *order, const struct key *first) {
    if (order->count == order->room) {
        size_t room = order->room ? 2 * order->room : 64;
        struct part *parts = arena_grow(&order->arena, order->parts, order->room * sizeof *parts,
                                        room * sizeof *parts);
        if (!parts)
            return false;
        order->parts = parts;
        order->room = room;
    }
    order->parts[order->count++] = (struct part){ .first = *first };
    return true;
}

static enum status add_row(struct order *order, struct text text, int64_t id) {
    struct part *last = &order->parts[order->count - 1];
    struct key key;
    if (last->rows == PART_ROWS) {
        if (!key_of(text, id, &order->arena, &key) || !add_part(order, &key))
            return STATUS_INTERNAL;
        last = &order->parts[order->count - 1];
    }
    last->rows++;
    return STATUS_OK;
}

/* Walks along the whole order. `order` is the reader's own. */
static enum status walk(struct store_session *session, unsigned which, struct order *order) {
    const struct field *field = &user_table.fields[orders[which]];
    const struct engine_spelling without_case = session->engine->dialect->without_case;
    char sql[256];
    if (field->type == TYPE_id)
        (void)snprintf(sql, sizeof sql, "SELECT '', Id FROM users ORDER BY Id");
    else
        (void)snprintf(sql, sizeof sql, "SELECT %s, Id FROM users ORDER BY %s%s%s, Id",
                       field->name.at, without_case.before, field->name.at, without_case.after);
    struct sql_statement *statement = sql_text_statement(session, sql);
    enum status status = add_part(order, &(struct key){ 0 }) ? STATUS_OK : STATUS_INTERNAL;
    while (status == STATUS_OK && (status = sql_step(statement)) == STATUS_OK)
        status = add_row(order, sql_bytes(statement, 0), sql_integer(statement, 1));
    sql_done(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Puts the order that was walked in its place, and brings it up to date. */
static void put_in_place(struct order *place, struct order *walked, bool is_whole) {
    if (place->state != BEING_BUILT || place->build != walked->build || !is_whole) {
        if (place->build == walked->build) /* else it was dropped, and perhaps begun again */
            drop(place);
        arena_close(&walked->arena);
        return;
    }
    struct changes waiting = place->waiting;
    walked->state = KEPT;
    *place = *walked;
    forget(&place->waiting);
    for (const struct change *change = waiting.first; change && place->state == KEPT;
         change = change->next)
        apply(place, change);
    arena_close(&waiting.arena);
}

/* Claims the building of an order, as of a snapshot that it begins. False: it is not to be built,
 * or cannot be now. */
static bool begin_building(struct store_session *session, unsigned which, uint64_t *build) {
    struct positions *positions = session->store->positions;
    struct order *order = &positions->orders[which];
    int64_t rows;
    for (int i = 0; i < TRIES; i++) {
        uint64_t version = even_version(positions, true);
        if (begin_snapshot(session, &rows) != STATUS_OK)
            return false;
        mutex_lock(&positions->lock);
        bool is_wanted = order->state == NOT_KEPT, is_right = is_current(positions, version);
        if (is_wanted && is_right) {
            order->state = BEING_BUILT;
            order->build = *build = ++positions->builds;
        }
        mutex_unlock(&positions->lock);
        if (is_wanted && is_right)
            return true;
        engine_end_reading(session);
        if (!is_wanted)
            return false;
    }
    return false;
}

static enum status build(struct store_session *session, unsigned which) {
    struct positions *positions = session->store->positions;
    struct order walked = { 0 };
    if (!begin_building(session, which, &walked.build))
        return STATUS_OK;
    enum status status = walk(session, which, &walked);
    engine_end_reading(session);
    mutex_lock(&positions->lock);
    put_in_place(&positions->orders[which], &walked, status == STATUS_OK);
    mutex_unlock(&positions->lock);
    return status;
}

/* ---- Finding a page ---- */

/* Finds the part that has the page's first row, and how many rows of it come before. In a
 * descending order the next part's first key bounds it. False if there is no memory. */
static bool find_part(const struct order *order, const struct search *search, int64_t rows,
                      struct arena *arena, struct position *position) {
    const int64_t wanted = search->descending ? rows - search->skip : search->skip;
    int64_t before = 0;
    size_t at = 0;
    while (at + 1 < order->count && before + order->parts[at].rows < wanted + !search->descending)
        before += order->parts[at++].rows;
    const size_t bound = search->descending ? at + 1 : at;
    position->has_key = bound > 0 && bound < order->count;
    position->skip = search->descending ? before + order->parts[at].rows - wanted : wanted - before;
    if (!position->has_key)
        return true;
    const struct key *key = &order->parts[bound].first;
    position->id = key->id;
    if (search->order == USER_Id)
        return true;
    position->key = arena_text(arena, key->text);
    return position->key.at;
}

enum status positions_begin_reading(struct store_session *session, const struct search *search,
                                    bool may_be_slow, struct arena *arena,
                                    struct position *position) {
    struct positions *positions = session->store->positions;
    const unsigned which = order_of(search);
    enum status status = may_be_slow && !positions_are_kept(session->store, search)
                             ? build(session, which)
                             : STATUS_OK;
    for (int i = 0; status == STATUS_OK; i++) {
        int64_t rows;
        const uint64_t version = even_version(positions, may_be_slow);
        *position = (struct position){ .skip = search->skip };
        status = begin_snapshot(session, &rows);
        if (status != STATUS_OK)
            break;
        mutex_lock(&positions->lock);
        const struct order *order = &positions->orders[which];
        const bool is_kept = order->state == KEPT, is_right = is_current(positions, version);
        if (is_kept && is_right && !find_part(order, search, rows, arena, position))
            status = STATUS_INTERNAL;
        mutex_unlock(&positions->lock);
        if (status == STATUS_OK && (!is_kept || is_right || !may_be_slow || i + 1 == TRIES))
            return STATUS_OK;
        engine_end_reading(session);
    }
    return status;
}
