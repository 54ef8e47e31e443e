/* The list of fields that begins an HTTP/2 request. nghttp2 has checked it already. This file
 * checks it again by itself, so that a mistake in one of them lets nothing pass. */
#include "http/h2_head.h"

#include "crypto/secret.h"

#include <stdlib.h>

enum {
    FIELD_OVERHEAD = 32, /* bytes that RFC 9113 section 6.5.2 adds for each field */
    FIRST_ROOM = 1024,   /* bytes of the first allocation */
};

struct lengths {
    uint32_t name, value;
};

enum pseudo { PSEUDO_method, PSEUDO_scheme, PSEUDO_authority, PSEUDO_path, PSEUDOS };

static const struct text pseudo_names[PSEUDOS] = {
    [PSEUDO_method] = { ":method", 7 },
    [PSEUDO_scheme] = { ":scheme", 7 },
    [PSEUDO_authority] = { ":authority", 10 },
    [PSEUDO_path] = { ":path", 5 },
};

/* The state while the list is read. */
struct reading {
    struct head *head;
    struct head_check *check;
    struct text pseudo[PSEUDOS];
    struct text host;
    bool is_malformed;
};

bool fields_are_too_many(const struct field_list *list) {
    return list->listed > HEAD_MAX;
}

void fields_drop(struct field_list *list) {
    secret_free(list->bytes, list->size);
    *list = (struct field_list){ 0 };
}

static bool make_room(struct field_list *list, size_t more) {
    size_t capacity = list->capacity ? list->capacity : FIRST_ROOM;
    while (capacity < list->size + more)
        capacity *= 2;
    if (capacity == list->capacity)
        return true;
    char *bytes = secret_grow(list->bytes, list->size, capacity);
    if (!bytes)
        return false;
    list->bytes = bytes;
    list->capacity = (uint32_t)capacity;
    return true;
}

bool fields_add(struct field_list *list, struct text name, struct text value) {
    const struct lengths lengths = { (uint32_t)name.len, (uint32_t)value.len };
    list->listed += name.len + value.len + FIELD_OVERHEAD;
    if (fields_are_too_many(list))
        return true;
    if (!make_room(list, sizeof lengths + name.len + value.len + 2))
        return false;
    char *at = list->bytes + list->size;
    memcpy(at, &lengths, sizeof lengths);
    at += sizeof lengths;
    memcpy(at, name.at, name.len);
    at[name.len] = '\0';
    at += name.len + 1;
    memcpy(at, value.at, value.len);
    at[value.len] = '\0';
    list->size += (uint32_t)(sizeof lengths + name.len + value.len + 2);
    list->count++;
    return true;
}

static struct header take_field(const char **at) {
    struct lengths lengths;
    memcpy(&lengths, *at, sizeof lengths);
    struct text name = { *at + sizeof lengths, lengths.name };
    struct text value = { name.at + name.len + 1, lengths.value };
    *at = value.at + value.len + 1;
    return (struct header){ name, value };
}

/* Pseudo-header fields: those of a request, each at most once, before all other fields (RFC 9113
 * section 8.3). */
static void see_pseudo(struct reading *reading, struct header field) {
    enum pseudo which = 0;
    while (which < PSEUDOS && !text_equal(pseudo_names[which], field.name))
        which++;
    if (which == PSEUDOS || reading->pseudo[which].at || reading->head->count)
        reading->is_malformed = true;
    else
        reading->pseudo[which] = field.value;
}

/* True for fields that concern an HTTP/1.1 connection (RFC 9113 section 8.2.2). */
static bool is_of_connection(struct header field) {
    static const struct text names[] = { { "connection", 10 },
                                         { "keep-alive", 10 },
                                         { "proxy-connection", 16 },
                                         { "transfer-encoding", 17 },
                                         { "upgrade", 7 } };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (text_equal(names[i], field.name))
            return true;
    return text_equal(field.name, TEXT("te")) && !text_equal_nocase(field.value, TEXT("trailers"));
}

static bool has_capitals(struct text name) {
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] != text_lower(name.at[i]))
            return true;
    return false;
}

static bool has_blanks_around(struct text value) {
    static const char blanks[] = " \t";
    return value.len &&
           (memchr(blanks, value.at[0], 2) || memchr(blanks, value.at[value.len - 1], 2));
}

static void see_field(struct reading *reading, struct header field) {
    struct head *head = reading->head;
    /* RFC 9113 sections 8.2 and 8.2.1 */
    reading->is_malformed |= has_capitals(field.name) || has_blanks_around(field.value);
    reading->is_malformed |= is_of_connection(field);
    if (text_equal(field.name, TEXT("host")))
        reading->host = field.value;
    head_check_add(reading->check, field.name, field.value);
    head->headers[head->count++] = field;
}

/* Sets what the request line says in HTTP/1.1 (RFC 9113 section 8.3.1). */
static bool set_target(struct head *head, const struct text *pseudo) {
    struct text scheme = pseudo[PSEUDO_scheme], path = pseudo[PSEUDO_path], authority;
    bool is_http =
        text_equal_nocase(scheme, TEXT("http")) || text_equal_nocase(scheme, TEXT("https"));
    bool is_asterisk = text_equal(path, TEXT("*")) && head->method == METHOD_OPTIONS;
    bool is_path = path.len && (path.at[0] == '/' || is_asterisk);
    return is_http && is_path && head_set_target(head, path, &authority);
}

static bool has_user(struct text authority) {
    return authority.len && memchr(authority.at, '@', authority.len);
}

/* :authority takes the place of Host and must not have a user. If both are sent they must be equal,
 * apart from case, which means nothing in a host (RFC 3986 section 3.2.2). */
static bool set_host(struct reading *reading) {
    struct text authority = reading->pseudo[PSEUDO_authority];
    struct head *head = reading->head;
    if (has_user(authority) || has_user(reading->host))
        return false;
    if (reading->host.at || !authority.at)
        return !authority.at || text_equal_nocase(reading->host, authority);
    head_check_add(reading->check, TEXT("Host"), authority);
    head->headers[head->count++] = (struct header){ TEXT("Host"), authority };
    return true;
}

static enum status check_fields(struct reading *reading) {
    struct head *head = reading->head;
    struct text method = reading->pseudo[PSEUDO_method];
    head_set_method(head, method);
    if (reading->is_malformed || !head_check_is_token(method))
        return STATUS_BAD_INPUT;
    if (head->method == METHOD_OTHER)
        return STATUS_NOT_IMPLEMENTED;
    return set_target(head, reading->pseudo) && set_host(reading) ? STATUS_OK : STATUS_BAD_INPUT;
}

enum status fields_read(const struct field_list *list, struct head *head,
                        struct head_check *check) {
    struct reading reading = { .head = head, .check = check };
    struct text bytes = arena_text(head->arena, (struct text){ list->bytes, list->size });
    head->method = METHOD_OTHER;
    head->headers = arena_alloc(head->arena, (list->count + 1) * sizeof *head->headers);
    if (!bytes.at || !head->headers)
        return STATUS_INTERNAL;
    check->minor = 1;
    const char *at = bytes.at;
    for (uint32_t i = 0; i < list->count; i++) {
        struct header field = take_field(&at);
        if (field.name.len && field.name.at[0] == ':')
            see_pseudo(&reading, field);
        else
            see_field(&reading, field);
    }
    return check_fields(&reading);
}
