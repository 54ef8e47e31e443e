/* The head of an HTTP/1 request: where it ends and what it says. The grammar is that of RFC 9112
 * without its options for lenient recipients, so every recipient reads a head that passes here in
 * the same way. */
#include "http/head.h"

#include "http/bytes.h"

#include <ctype.h>

static const struct {
    struct text name;
    enum method method;
} methods[] = {
    { { "GET", 3 }, METHOD_GET },         { { "PUT", 3 }, METHOD_PUT },
    { { "POST", 4 }, METHOD_POST },       { { "HEAD", 4 }, METHOD_GET },
    { { "PATCH", 5 }, METHOD_PATCH },     { { "DELETE", 6 }, METHOD_DELETE },
    { { "OPTIONS", 7 }, METHOD_OPTIONS },
};

void head_set_method(struct head *head, struct text method) {
    head->method = METHOD_OTHER;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (text_equal(methods[i].name, method))
            head->method = methods[i].method;
    head->is_head = text_equal(method, TEXT("HEAD"));
}

/* The parts of a request line, separated by single blanks (RFC 9112 section 3). */
struct request_line {
    struct text method, target, version;
};

static struct request_line split_line(struct text line) {
    struct request_line parts;
    parts.method = text_cut(&line, ' ');
    parts.target = text_cut(&line, ' ');
    parts.version = line;
    return parts;
}

static bool is_version(struct text version) {
    return version.len == 8 && memcmp(version.at, "HTTP/", 5) == 0 && version.at[6] == '.' &&
           isdigit((unsigned char)version.at[5]) && isdigit((unsigned char)version.at[7]);
}

/* True if the target has only the characters of a target. Clients never send a fragment (RFC 9110
 * section 7.1). */
static bool has_target_bytes(struct text target) {
    return target.len && bytes_are(target, BYTES_target);
}

static enum status check_line(struct text line, const char **reason) {
    struct request_line parts = split_line(line);
    struct head head;
    if (!head_check_is_token(parts.method))
        *reason = "The request line must begin with a method.";
    else if (!has_target_bytes(parts.target))
        *reason = "The request line must have a target of printable ASCII, without `#`.";
    else if (!is_version(parts.version))
        *reason = "The request line must be a method, a target and a version like HTTP/1.1, with"
                  " one blank between them.";
    if (*reason)
        return STATUS_BAD_INPUT;
    if (parts.version.at[5] != '1')
        return STATUS_VERSION;
    head_set_method(&head, parts.method);
    return head.method == METHOD_OTHER ? STATUS_NOT_IMPLEMENTED : STATUS_OK;
}

/* True if there are no control characters except HTAB, and CR only at the end, where LF follows or
 * nothing has arrived yet. */
static bool is_clean(struct text part) {
    if (part.len && part.at[part.len - 1] == '\r')
        part.len--;
    return bytes_are(part, BYTES_value);
}

/* Takes note of a line whose LF is at `end`. */
static enum status take_line(struct head_scan *scan, const char *bytes, size_t end,
                             const char **reason) {
    if (end == scan->line || bytes[end - 1] != '\r') {
        *reason = "Each line of a head must end in CR and LF.";
        return STATUS_BAD_INPUT;
    }
    struct text line = { bytes + scan->line, end - 1 - scan->line };
    scan->scanned = scan->line = (uint32_t)end + 1;
    if (line.len) {
        scan->lines++;
        return scan->lines == 1 ? check_line(line, reason) : STATUS_OK;
    }
    /* Empty lines before a request line are skipped (RFC 9112 section 2.2). */
    if (scan->lines)
        scan->is_whole = true;
    else
        scan->skipped = scan->scanned;
    return STATUS_OK;
}

enum status head_scan(struct head_scan *scan, const char *bytes, size_t size, const char **reason) {
    size_t limit = size < HEAD_MAX ? size : HEAD_MAX;
    enum status status = STATUS_OK;
    *reason = NULL;
    while (status == STATUS_OK && !scan->is_whole && scan->scanned < limit) {
        const char *found = memchr(bytes + scan->scanned, '\n', limit - scan->scanned);
        size_t end = found ? (size_t)(found - bytes) : limit;
        bool breaks = scan->scanned && bytes[scan->scanned - 1] == '\r' && end > scan->scanned;
        if (breaks || !is_clean((struct text){ bytes + scan->scanned, end - scan->scanned })) {
            *reason = "A head must not have control characters, and CR only before LF.";
            return STATUS_BAD_INPUT;
        }
        scan->scanned = (uint32_t)end;
        if (found)
            status = take_line(scan, bytes, end, reason);
    }
    if (status != STATUS_OK || scan->is_whole || limit < HEAD_MAX)
        return status;
    return scan->lines ? STATUS_HEAD_TOO_LARGE : STATUS_TARGET_TOO_LONG;
}

bool head_set_target(struct head *head, struct text target, struct text *authority) {
    struct text path = target, query;
    *authority = (struct text){ 0 };
    if (!has_target_bytes(target))
        return false;
    bool is_asterisk = text_equal(target, TEXT("*"));
    if (is_asterisk && head->method != METHOD_OPTIONS) /* RFC 9112 section 3.2.4 */
        return false;
    /* The absolute form: `GET http://host/path` means `GET /path` of that host (RFC 9112 section
     * 3.2.2). */
    if (target.at[0] != '/' && !is_asterisk) {
        size_t scheme = text_starts_nocase(target, TEXT("http://"))    ? 7
                        : text_starts_nocase(target, TEXT("https://")) ? 8
                                                                       : 0;
        if (!scheme)
            return false;
        size_t end = scheme;
        while (end < target.len && target.at[end] != '/' && target.at[end] != '?')
            end++;
        *authority = (struct text){ target.at + scheme, end - scheme };
        path = (struct text){ target.at + end, target.len - end };
        /* A URL without a host is invalid (RFC 9110 section 4.2.1). */
        if (!authority->len || authority->at[0] == ':' || !head_check_is_host(*authority))
            return false;
    }
    query = path;
    head->path = text_cut(&query, '?');
    head->query = query;
    if (!head->path.len)
        head->path = TEXT("/");
    return true;
}

static struct text trim_blanks(struct text text) {
    while (text.len && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = (struct text){ text.at + 1, text.len - 1 };
    while (text.len && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static void terminate(struct text text) {
    ((char *)(uintptr_t)text.at)[text.len] = '\0'; /* over the colon, a blank or the CR after it */
}

static enum status take_header(struct head *head, struct text line, struct head_check *check,
                               const char **reason) {
    if (line.at[0] == ' ' || line.at[0] == '\t') {
        *reason = "A header must not go on in a second line."; /* RFC 9112 section 5.2 */
        return STATUS_BAD_INPUT;
    }
    struct text value = line, name = text_cut(&value, ':');
    if (!value.at) {
        *reason = "A header must be a name, a colon and a value.";
        return STATUS_BAD_INPUT;
    }
    value = trim_blanks(value);
    head_check_add(check, name, value);
    terminate(name);
    terminate(value);
    head->headers[head->count++] = (struct header){ name, value };
    return STATUS_OK;
}

/* The authority of an absolute target replaces the Host header (RFC 9112 section 3.2.2). */
static enum status replace_host(struct head *head, struct text authority) {
    struct text host = arena_text(head->arena, authority);
    for (unsigned i = 0; i < head->count; i++)
        if (text_equal_nocase(head->headers[i].name, TEXT("Host")))
            head->headers[i].value = host;
    return host.at ? STATUS_OK : STATUS_INTERNAL;
}

/* Cuts off the next line without its CRLF, which head_scan has checked. */
static struct text next_line(struct text *rest) {
    struct text line = text_cut(rest, '\n');
    line.len--;
    return line;
}

enum status head_parse(struct head *head, const struct head_scan *scan, struct text bytes,
                       struct head_check *check, const char **reason) {
    struct request_line parts = split_line(next_line(&bytes));
    struct text authority;
    *reason = NULL;
    head->headers = arena_alloc(head->arena, scan->lines * sizeof *head->headers);
    if (!head->headers)
        return STATUS_INTERNAL;
    head_set_method(head, parts.method);
    check->minor = (unsigned)(parts.version.at[7] - '0');
    if (!head_set_target(head, parts.target, &authority)) {
        *reason = "The target must be a path that begins with `/`, a URL of http or https, or `*` "
                  "of OPTIONS.";
        return STATUS_BAD_INPUT;
    }
    enum status status = STATUS_OK;
    for (unsigned i = 1; i < scan->lines && status == STATUS_OK; i++)
        status = take_header(head, next_line(&bytes), check, reason);
    if (status == STATUS_OK && authority.at)
        status = replace_host(head, authority);
    return status;
}

struct text head_value(const struct head *head, struct text name) {
    for (unsigned i = 0; i < head->count; i++)
        if (head->headers[i].name.len == name.len && text_equal_nocase(head->headers[i].name, name))
            return head->headers[i].value;
    return (struct text){ 0 };
}
