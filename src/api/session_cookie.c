/* The cookie of a browser's session. */
#include "api/session_cookie.h"

static const char header[] = "Roster-Session";

#define PLAIN_COOKIE "roster-session"
#define SECURE_COOKIE "__Host-roster-session"
#define ATTRIBUTES "; Path=/; HttpOnly; SameSite=Strict"

/* The one value of the header; `at` NULL: none, or several. */
static struct text scheme_of(const struct request *request) {
    unsigned count;
    struct text scheme = exchange_header_list(request->exchange, header, &count);
    bool is_one = text_equal(scheme, TEXT("https")) || text_equal(scheme, TEXT("http"));
    return count == 1 && is_one ? scheme : (struct text){ 0 };
}

bool session_is_asked(const struct request *request) {
    return scheme_of(request).at != NULL;
}

/* A proxy may have ended TLS: then only the page knows that the browser speaks it. */
static bool is_secure(const struct request *request) {
    return exchange_is_secure(request->exchange) || text_equal(scheme_of(request), TEXT("https"));
}

/* Takes the next cookie. HTTP/2 may send each in a header of its own (RFC 9113 section 8.2.3),
 * which exchange_header_list joins by commas; no cookie of ours contains one. */
static struct text next_cookie(struct text *cookies, struct text *value) {
    size_t end = 0;
    while (end < cookies->len && cookies->at[end] != ';' && cookies->at[end] != ',')
        end++;
    struct text cookie = { cookies->at, end };
    size_t taken = end < cookies->len ? end + 1 : end;
    *cookies = (struct text){ cookies->at + taken, cookies->len - taken };
    struct text name = text_trim(text_cut(&cookie, '='));
    *value = text_trim(cookie);
    return name;
}

struct text session_token(const struct request *request) {
    unsigned count, found = 0;
    struct text token = { 0 }, value;
    if (!session_is_asked(request))
        return token;
    struct text wanted = is_secure(request) ? TEXT(SECURE_COOKIE) : TEXT(PLAIN_COOKIE);
    struct text cookies = exchange_header_list(request->exchange, "Cookie", &count);
    while (cookies.len)
        if (text_equal(next_cookie(&cookies, &value), wanted)) {
            token = value;
            found++;
        }
    return found == 1 && token.len ? token : (struct text){ 0 };
}

bool session_begin(struct request *request, struct text token) {
    bool secure = is_secure(request);
    struct text cookie = arena_printf(request->arena, "%s=%.*s" ATTRIBUTES "%s",
                                      secure ? SECURE_COOKIE : PLAIN_COOKIE, (int)token.len,
                                      token.at, secure ? "; Secure" : "");
    if (!cookie.at)
        return false;
    reply_header(request->exchange, "Set-Cookie", cookie.at);
    return true;
}

void session_forget(struct request *request) {
    reply_header(request->exchange, "Set-Cookie",
                 is_secure(request) ? SECURE_COOKIE "=" ATTRIBUTES "; Secure; Max-Age=0"
                                    : PLAIN_COOKIE "=" ATTRIBUTES "; Max-Age=0");
}
