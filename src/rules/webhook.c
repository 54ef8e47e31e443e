/* Decides about webhooks: events, bodies, pauses between attempts, and when to give up. */
#include "rules/webhook.h"

#include "json/json.h"

enum web_hook_action webhook_action(const struct table *table, enum audit_type change) {
    static const enum web_hook_action of_users[] = {
        [AUDIT_CREATE] = ACTION_USER_CREATE,
        [AUDIT_UPDATE] = ACTION_USER_UPDATE,
        [AUDIT_DELETE] = ACTION_USER_DELETE,
    };
    return table == &user_table ? of_users[change] : ACTION_NONE;
}

void webhook_add_payload(struct buffer *payload, const struct record *record) {
    buffer_add_char(payload, '[');
    json_add_record(payload, record);
    buffer_add_char(payload, ']');
}

bool webhook_may_tell(const struct principal *maker) {
    return principal_may(maker, PERMISSION(User, Read));
}

static int64_t pause_after(int64_t pause_ms, int64_t attempts) {
    return pause_ms << (attempts - 1);
}

int64_t webhook_next_attempt(int64_t now_ms, int64_t pause_ms, int64_t attempts) {
    return attempts < WEBHOOK_ATTEMPTS_MAX ? now_ms + pause_after(pause_ms, attempts) : 0;
}

int64_t webhook_longest_pause(int64_t pause_ms) {
    return pause_after(pause_ms, WEBHOOK_ATTEMPTS_MAX - 1);
}

bool webhook_stays_active(int64_t failures) {
    return failures < WEBHOOK_FAILURES_MAX;
}
