#ifndef ROSTER_STORE_OWN_COLUMNS_H
#define ROSTER_STORE_OWN_COLUMNS_H

/* All columns of the tables that only the server uses, in the order in which copies and sums have
 * them. */

#define DATABASE_GUID_COLUMNS "prefix"
#define DICTIONARIES_COLUMNS "id, kind, text"
#define NEXT_IDS_COLUMNS "kind, next"
#define UNKNOWN_LOGINS_COLUMNS "sign_ins"
#define PAYLOADS_COLUMNS "id, text"
#define LINKS_COLUMNS "field, target, owner"
#define AVATARS_COLUMNS "user_id, type, content"
#define TOKENS_COLUMNS                                                                             \
    "hash, kind, user_id, client_id, issued_ms, expires_ms, id, family, parent, ends_ms,"          \
    " signed_in_ms, client_address"
#define AUDIT_COLUMNS                                                                              \
    "id, entity, entity_id, property, old_value, new_value, action_by, at_ms, type, business_id,"  \
    " request_id"
#define IDEMPOTENCY_KEYS_COLUMNS "caller, key, mac, record_id, at_ms, author"
#define SEAL_MARK_COLUMNS "mark"

#endif
