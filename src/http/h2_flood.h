#ifndef ROSTER_HTTP_H2_FLOOD_H
#define ROSTER_HTTP_H2_FLOOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Protection against HTTP/2 clients that cause work without asking for anything. Frames are counted
 * as they arrive, before any work is done for them. How many of a kind a client may send depends on
 * what it was sent. */

enum { H2_FRAME_HEAD = 9 /* bytes */ };

/** Kinds of frames that cost work and ask for nothing. */
enum flood {
    FLOOD_reset,     /* RST_STREAM: rapid reset, CVE-2023-44487 */
    FLOOD_own_reset, /* RST_STREAM of the server that the client provoked: CVE-2025-8671 */
    FLOOD_head,      /* HEADERS and CONTINUATION, also of streams that are closed */
    FLOOD_empty,     /* DATA without data that does not end a stream */
    FLOOD_ping,
    FLOOD_settings,
    FLOOD_priority,
    FLOOD_window, /* WINDOW_UPDATE */
    FLOOD_other,  /* GOAWAY, and frames of unknown type */
    FLOODS
};

/** The frames that have arrived on a connection so far. */
struct floods {
    uint32_t left;        /* bytes of the frame's payload that are still to come */
    uint8_t preface_left; /* likewise of the client's preface */
    uint8_t head_size;
    uint8_t head[H2_FRAME_HEAD]; /* head of the frame that is arriving */
    bool is_open;                /* CONTINUATION must follow */
    unsigned counts[FLOODS], useful;
    int64_t minute_ms;
};

/** Begins with the client's preface. */
void floods_begin(struct floods *floods, int64_t now_ms);

/** Counts the frames in the next received bytes. False if there are too many of a kind. */
bool floods_see(struct floods *floods, const char *bytes, size_t size, int64_t now_ms)
    __attribute__((warn_unused_result));

/** Counts an event that the bytes alone do not show. False if there are too many of its kind. */
bool floods_allow(struct floods *floods, enum flood flood) __attribute__((warn_unused_result));

/** The client was sent a reply or a frame of DATA, which raises its allowances. */
void floods_earn(struct floods *floods);

/** True if the preface, a frame or a list of fields has begun and is incomplete. */
bool floods_is_within_frame(const struct floods *floods) __attribute__((warn_unused_result));

#endif
