/* Questions about a request. */
#include "api/request.h"

bool request_is_strict(const struct request *request) {
    unsigned count;
    struct text list = exchange_header_list(request->exchange, "Prefer", &count);
    while (list.at) {
        struct text value = text_cut(&list, ','), name = text_cut(&value, '=');
        value = text_trim(value);
        if (value.len > 2 && value.at[0] == '"')
            value = (struct text){ value.at + 1, value.len - 2 };
        if (text_equal_nocase(text_trim(name), TEXT("handling")) &&
            text_equal_nocase(value, TEXT("strict")))
            return true;
    }
    return false;
}

_Static_assert((int)REQUEST_ID_MAX <= (int)LOG_REQUEST_MAX, "the log has room for the Id");

struct log_origin request_origin(const struct request *request) {
    return (struct log_origin){ exchange_peer(request->exchange), request->exchange->request_id };
}

int request_lacking(const struct request *request) {
    uint64_t missing = request->needs & ~request->principal.permissions;
    int own = request->route->permission;
    if (!missing)
        return -1;
    return own >= 0 && missing >> own & 1 ? own : __builtin_ctzll(missing);
}
