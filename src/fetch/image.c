/* Is it a picture? Decoded whole by each format's own library, within limits, and thrown away. */
#include "fetch/image.h"

#include <gif_lib.h>
#include <stdio.h>

#include <jpeglib.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <webp/decode.h>

enum { SIDE_MAX = 4096, FRAMES_MAX = 500 };

static bool fits(int64_t width, int64_t height) {
    return width > 0 && height > 0 && width <= SIDE_MAX && height <= SIDE_MAX;
}

static bool is_png(struct text content) {
    png_image image = { .version = PNG_IMAGE_VERSION };
    bool ok = png_image_begin_read_from_memory(&image, content.at, content.len) &&
              fits(image.width, image.height);
    image.format = PNG_FORMAT_RGBA;
    void *pixels = ok ? malloc((size_t)image.width * image.height * 4) : NULL;
    ok = pixels && png_image_finish_read(&image, NULL, pixels, 0, NULL);
    free(pixels);
    png_image_free(&image);
    return ok;
}

struct jpeg_failure {
    struct jpeg_error_mgr manager; /* first */
    jmp_buf out;
};

static void fail_jpeg(j_common_ptr image) {
    longjmp(((struct jpeg_failure *)image->err)->out, 1);
}

static void keep_silent(j_common_ptr image) {
    (void)image;
}

static void read_lines(struct jpeg_decompress_struct *image) {
    JSAMPARRAY line =
        image->mem->alloc_sarray((j_common_ptr)image, JPOOL_IMAGE,
                                 image->output_width * (JDIMENSION)image->output_components, 1);
    while (image->output_scanline < image->output_height)
        if (jpeg_read_scanlines(image, line, 1) != 1)
            fail_jpeg((j_common_ptr)image);
}

static bool is_jpeg(struct text content) {
    struct jpeg_decompress_struct image = { 0 };
    struct jpeg_failure failure;
    image.err = jpeg_std_error(&failure.manager);
    failure.manager.error_exit = fail_jpeg;
    failure.manager.output_message = keep_silent;
    if (setjmp(failure.out)) {
        jpeg_destroy_decompress(&image);
        return false;
    }
    jpeg_create_decompress(&image);
    jpeg_mem_src(&image, (const unsigned char *)content.at, content.len);
    (void)jpeg_read_header(&image, TRUE); /* fails by fail_jpeg */
    bool ok = fits(image.image_width, image.image_height) && jpeg_start_decompress(&image);
    if (ok) {
        read_lines(&image);
        ok = jpeg_finish_decompress(&image) && image.err->num_warnings == 0;
    }
    jpeg_destroy_decompress(&image);
    return ok;
}

static int read_gif(GifFileType *gif, GifByteType *out, int size) {
    struct text *rest = gif->UserData;
    size_t len = (size_t)size < rest->len ? (size_t)size : rest->len;
    memcpy(out, rest->at, len);
    *rest = (struct text){ rest->at + len, rest->len - len };
    return (int)len;
}

static bool read_frame(GifFileType *gif, GifPixelType *line) {
    if (DGifGetImageDesc(gif) == GIF_ERROR || !fits(gif->Image.Width, gif->Image.Height))
        return false;
    for (int y = 0; y < gif->Image.Height; y++)
        if (DGifGetLine(gif, line, gif->Image.Width) == GIF_ERROR)
            return false;
    return true;
}

static bool skip_extension(GifFileType *gif) {
    GifByteType *block;
    int code;
    if (DGifGetExtension(gif, &code, &block) == GIF_ERROR)
        return false;
    while (block)
        if (DGifGetExtensionNext(gif, &block) == GIF_ERROR)
            return false;
    return true;
}

/* Frame by frame through one line of pixels; the library never holds the whole. */
static bool read_frames(GifFileType *gif, GifPixelType *line) {
    GifRecordType type;
    int frames = 0;
    bool ok = fits(gif->SWidth, gif->SHeight);
    while (ok) {
        if (DGifGetRecordType(gif, &type) == GIF_ERROR)
            return false;
        if (type == TERMINATE_RECORD_TYPE)
            return frames > 0;
        if (type == IMAGE_DESC_RECORD_TYPE)
            ok = ++frames <= FRAMES_MAX && read_frame(gif, line);
        else if (type == EXTENSION_RECORD_TYPE)
            ok = skip_extension(gif);
    }
    return false;
}

static bool is_gif(struct text content) {
    GifPixelType line[SIDE_MAX];
    GifFileType *gif = DGifOpen(&content, read_gif, NULL);
    bool ok = gif && read_frames(gif, line);
    if (gif)
        (void)DGifCloseFile(gif, NULL); /* frees; there is nothing to be written */
    return ok;
}

static bool is_webp(struct text content) {
    WebPBitstreamFeatures features;
    int width, height;
    const uint8_t *bytes = (const uint8_t *)content.at;
    if (WebPGetFeatures(bytes, content.len, &features) != VP8_STATUS_OK ||
        !fits(features.width, features.height) || features.has_animation)
        return false;
    uint8_t *pixels = WebPDecodeRGBA(bytes, content.len, &width, &height);
    WebPFree(pixels);
    return pixels != NULL;
}

static const struct format {
    const char *type, *extension;
    struct text begins;
    size_t at;
    bool (*is_whole)(struct text content);
} formats[] = {
    { "image/png", "png", { "\x89PNG\r\n\x1A\n", 8 }, 0, is_png },
    { "image/jpeg", "jpg", { "\xFF\xD8\xFF", 3 }, 0, is_jpeg },
    { "image/gif", "gif", { "GIF8", 4 }, 0, is_gif },
    { "image/webp", "webp", { "WEBP", 4 }, 8, is_webp },
};

enum { FORMATS = sizeof formats / sizeof formats[0] };

const char *image_type(struct text content) {
    for (size_t i = 0; i < FORMATS; i++) {
        const struct format *format = &formats[i];
        if (content.len < format->at + format->begins.len ||
            memcmp(content.at + format->at, format->begins.at, format->begins.len) != 0)
            continue;
        return format->is_whole(content) ? format->type : NULL;
    }
    return NULL;
}

const char *image_extension(const char *type) {
    for (size_t i = 0; i < FORMATS; i++)
        if (strcmp(formats[i].type, type) == 0)
            return formats[i].extension;
    return "bin";
}
