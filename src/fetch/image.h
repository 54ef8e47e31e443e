#ifndef ROSTER_FETCH_IMAGE_H
#define ROSTER_FETCH_IMAGE_H

#include "base/text.h"

/**
 * Finds the type of a picture by its content, never by a name or a header, and decodes all of it
 * with the library of its format (libpng, libjpeg-turbo, giflib, libwebp), within 4096 x 4096
 * pixels.
 *
 * A GIF is decoded frame by frame: at most 500 frames, with at most 8 times that many pixels in
 * all. Of an animated PNG the still picture is decoded. Animated WebP, JPEG with more than 100
 * scans, and JPEG in arithmetic coding are refused. Extraneous bytes before a marker of a JPEG are
 * skipped, as browsers do.
 *
 * Returns the media type ("image/png", "image/jpeg", "image/gif", "image/webp"), static, or NULL if
 * the content is no such picture, is damaged, or is too large. Any thread. The worst case takes
 * about 1 s and, for a JPEG, 160 MiB.
 */
const char *image_type(struct text content);

/** The media type by the first bytes alone; the rest may be damaged. NULL: none of the four. */
const char *image_format(struct text content);

/** The usual file name extension of a type that image_type returns: "png", "jpg", ... Static. */
const char *image_extension(const char *type);

#endif
