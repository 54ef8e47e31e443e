#ifndef ROSTER_FETCH_STRIP_H
#define ROSTER_FETCH_STRIP_H

#include "base/arena.h"

/**
 * A picture (PNG, JPEG, GIF, WebP) without what is no part of what is seen: places and other
 * metadata (EXIF, XMP, IPTC, comments, texts, previews, unknown blocks), and whatever follows its
 * end. It is not encoded anew. What stays says how to show it: its orientation, colours and their
 * profile, density, frames and their times. Decoders may read on where a part ends too early, so
 * the result, not the content, is what to ask image_type about. `at` NULL: it is none, its parts do
 * not fit together, or memory is short (then the arena has failed). Any thread.
 */
struct text image_strip(struct text content, struct arena *arena)
    __attribute__((warn_unused_result));

#endif
