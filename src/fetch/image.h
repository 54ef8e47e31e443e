#ifndef ROSTER_FETCH_IMAGE_H
#define ROSTER_FETCH_IMAGE_H

#include "base/text.h"

/**
 * Looks at the content, never at a name or a header, and decodes it whole with the format's own
 * library (libpng, libjpeg-turbo, giflib, libwebp) within 4096 x 4096 pixels (a GIF:
 * every frame, at most 500; an animated WebP is refused). Returns the media type ("image/png",
 * "image/jpeg", "image/gif", "image/webp"), static, or NULL when it is not such an image, is
 * damaged, or too large.
 */
const char *image_type(struct text content);

/** The usual file name extension of a type that image_type returned: "png", "jpg" ... Static. */
const char *image_extension(const char *type);

#endif
