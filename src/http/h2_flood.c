/* How many frames that cause work and ask for nothing an HTTP/2 client may send. */
#include "http/h2_flood.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

enum { MINUTE_MS = 60 * 1000 };

/* How many frames of a kind a client may send, and how many more for each reply and each frame of
 * DATA that it was sent. Each minute all counts are halved. A client that exceeds its allowance
 * loses the connection (ENHANCE_YOUR_CALM). */
static const struct allowance {
    unsigned base, each;
} allowances[FLOODS] = {
    [FLOOD_reset] = { 200, 1 },
    [FLOOD_own_reset] = { 200, 1 },
    [FLOOD_head] = { 500, 2 }, /* 100 streams with CONTINUATION and trailers */
    [FLOOD_empty] = { 200, 1 },
    [FLOOD_ping] = { 200, 1 }, /* some measure the round trip with each request */
    [FLOOD_settings] = { 20, 0 },
    [FLOOD_priority] = { 200, 4 },
    [FLOOD_window] = { 1000, 8 }, /* one for the stream and one for the connection, each 4 KiB */
    [FLOOD_other] = { 200, 2 },   /* some send frames of unknown type with each request */
};

void floods_begin(struct floods *floods, int64_t now_ms) {
    *floods = (struct floods){ .preface_left = NGHTTP2_CLIENT_MAGIC_LEN, .minute_ms = now_ms };
}

bool floods_allow(struct floods *floods, enum flood flood) {
    const struct allowance *allowance = &allowances[flood];
    return ++floods->counts[flood] <= allowance->base + allowance->each * floods->useful;
}

void floods_earn(struct floods *floods) {
    floods->useful++;
}

/* Halves frames and replies alike, so that frames that still belong to replies of the last minute
 * stay in proportion. */
static void begin_minute(struct floods *floods, int64_t now_ms) {
    floods->minute_ms = now_ms;
    floods->useful /= 2;
    for (enum flood flood = 0; flood < FLOODS; flood++)
        floods->counts[flood] /= 2;
}

/* Counts a frame whose head is complete. False if there are too many of its kind. */
static bool count_frame(struct floods *floods) {
    const uint8_t *head = floods->head;
    bool ends_stream = head[4] & NGHTTP2_FLAG_END_STREAM;
    switch (head[3]) {
    case NGHTTP2_DATA: return floods->left || ends_stream || floods_allow(floods, FLOOD_empty);
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
        floods->is_open = !(head[4] & NGHTTP2_FLAG_END_HEADERS);
        return floods_allow(floods, FLOOD_head);
    case NGHTTP2_PRIORITY: return floods_allow(floods, FLOOD_priority);
    case NGHTTP2_RST_STREAM: return floods_allow(floods, FLOOD_reset);
    case NGHTTP2_SETTINGS: return floods_allow(floods, FLOOD_settings);
    case NGHTTP2_PING: return floods_allow(floods, FLOOD_ping);
    case NGHTTP2_WINDOW_UPDATE: return floods_allow(floods, FLOOD_window);
    default: return floods_allow(floods, FLOOD_other);
    }
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Consumes a part of the preface, of a payload or of a frame's head; returns the number of
 * bytes. */
static size_t take_part(struct floods *floods, const char *bytes, size_t size) {
    size_t part;
    if (floods->preface_left) {
        part = least(floods->preface_left, size);
        floods->preface_left -= (uint8_t)part;
    } else if (floods->left) {
        part = least(floods->left, size);
        floods->left -= (uint32_t)part;
    } else {
        part = least(H2_FRAME_HEAD - floods->head_size, size);
        memcpy(floods->head + floods->head_size, bytes, part);
        floods->head_size += (uint8_t)part;
    }
    return part;
}

bool floods_see(struct floods *floods, const char *bytes, size_t size, int64_t now_ms) {
    if (now_ms - floods->minute_ms >= MINUTE_MS)
        begin_minute(floods, now_ms);
    while (size) {
        size_t part = take_part(floods, bytes, size);
        bytes += part;
        size -= part;
        if (floods->head_size < H2_FRAME_HEAD)
            continue;
        const uint8_t *head = floods->head;
        floods->head_size = 0;
        floods->left = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
        if (!count_frame(floods))
            return false;
    }
    return true;
}

bool floods_is_within_frame(const struct floods *floods) {
    return floods->preface_left || floods->head_size || floods->left || floods->is_open;
}
