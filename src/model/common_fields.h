#ifndef ROSTER_MODEL_COMMON_FIELDS_H
#define ROSTER_MODEL_COMMON_FIELDS_H

/** The fields that every resource has, after its own. */
#define COMMON_FIELDS(prefix)                                                                      \
    FIELD(prefix, Id, id, 0, REQUIRED)                                                             \
    FIELD(prefix, UpdatedOn, date, 0, READ_ONLY | ALWAYS)                                          \
    FIELD(prefix, CreatedOn, date, 0, READ_ONLY | ALWAYS)                                          \
    FIELD(prefix, UniqueId, guid, 0, READ_ONLY | ALWAYS)                                           \
    FIELD(prefix, UpdatedBy, text, 254, READ_ONLY | ALWAYS | ADDRESS)                              \
    FIELD(prefix, IsNew, no, 0, 0)                                                                 \
    FIELD(prefix, SystemId, text, 255, STICKY)                                                     \
    FIELD(prefix, ToStringText, text, 0, READ_ONLY | ALWAYS)                                       \
    FIELD(prefix, LocalizationDetails, empty, 0, 0)                                                \
    FIELD(prefix, CustomFields, empty, 0, 0)

#endif
