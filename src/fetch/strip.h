#ifndef ROSTER_FETCH_STRIP_H
#define ROSTER_FETCH_STRIP_H

#include "base/arena.h"

/**
 * Copies a picture (PNG, JPEG, GIF, WebP) without everything that is not needed to show it: places
 * and other metadata (EXIF, XMP, IPTC, comments, texts, previews, unknown parts), and whatever
 * follows its end. The picture is not encoded again. Orientation, colours and their profile,
 * density, frames and their timing stay.
 *
 * Decoders may read on where a part ends too early, so pass the result, not the original content,
 * to image_type. `at` NULL: the content is no such picture, its parts do not fit together, or
 * memory is short (the arena has then failed). Any thread.
 */
struct text image_strip(struct text content, struct arena *arena)
    __attribute__((warn_unused_result));

#endif
