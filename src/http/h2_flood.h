#ifndef ROSTER_HTTP_H2_FLOOD_H
#define ROSTER_HTTP_H2_FLOOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Clients of HTTP/2 that cause work without asking for anything. Frames are counted as they come,
 * before anybody has worked for them; how many of a kind a client may send follows what it was
 * sent.
 */

enum { H2_FRAME_HEAD = 9 /* bytes */ };

/** Frames that cost work and ask for nothing. */
enum flood {
    FLOOD_reset,     /* RST_STREAM: rapid reset, CVE-2023-44487 */
    FLOOD_own_reset, /* RST_STREAM that the client brought about: CVE-2025-8671 */
    FLOOD_head,      /* HEADERS and CONTINUATION, also of streams that are closed */
    FLOOD_empty,     /* DATA without data, that ends nothing */
    FLOOD_ping,
    FLOOD_settings,
    FLOOD_priority,
    FLOOD_window, /* WINDOW_UPDATE */
    FLOOD_other,  /* GOAWAY, and frames of unknown type */
    FLOODS
};

/** The frames of a connection so far. */
struct floods {
    uint32_t left;        /* bytes of the frame's payload that are to come */
    uint8_t preface_left; /* likewise of the client's preface */
    uint8_t head_size;
    uint8_t head[H2_FRAME_HEAD]; /* of the frame that comes */
    bool is_open;                /* CONTINUATION is to come */
    unsigned counts[FLOODS], useful;
    int64_t minute_ms;
};

/** Begins with the client's preface. */
void floods_begin(struct floods *floods, int64_t now_ms);

/** Counts the frames in the next bytes that came. False: there are too many of a kind. */
bool floods_see(struct floods *floods, const char *bytes, size_t size, int64_t now_ms)
    __attribute__((warn_unused_result));

/** Counts what is not to be seen from outside. False: there is too much of it. */
bool floods_allow(struct floods *floods, enum flood flood) __attribute__((warn_unused_result));

/** The client was sent a reply, or a frame of DATA. */
void floods_earn(struct floods *floods);

/** Is the preface, a frame or a list of fields begun, and not whole? */
bool floods_is_within_frame(const struct floods *floods) __attribute__((warn_unused_result));

#endif
