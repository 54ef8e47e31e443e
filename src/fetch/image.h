#ifndef ROSTER_FETCH_IMAGE_H
#define ROSTER_FETCH_IMAGE_H

#include "base/text.h"

/**
 * Looks at the content, never at a name or a header, and decodes it whole with the format's own
 * library (libpng, libjpeg-turbo, giflib, libwebp) within 4096 x 4096 pixels. A GIF is decoded
 * frame by frame: at most 500, with together at most 8 times that many pixels; of an animated PNG,
 * the picture that is shown without animation. An animated WebP is refused, and so is a JPEG of
 * more than 100 scans or in arithmetic coding; bytes too many before a marker of it are passed
 * over, as browsers do. Returns the media type ("image/png", "image/jpeg", "image/gif",
 * "image/webp"), static, or NULL when it is not such an image, is damaged, or too large. Any
 * thread; at its worst it takes about 1 s and, for a JPEG, 160 MiB.
 */
const char *image_type(struct text content);

/** The same by how the content begins alone: it may be damaged. NULL: none of them. */
const char *image_format(struct text content);

/** The usual file name extension of a type that image_type returned: "png", "jpg" ... Static. */
const char *image_extension(const char *type);

#endif
