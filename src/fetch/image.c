/* Checks pictures by decoding all of them with the library of their format, line by line where
 * possible; the pixels are thrown away. A few bytes may stand for very many pixels, frames or
 * scans, so each of these is limited. */
#include "fetch/image.h"

#include <gif_lib.h>
#include <stdio.h>

#include <jpeglib.h>

#include <jerror.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <webp/decode.h>

enum {
    SIDE_MAX = 4096,
    FRAMES_MAX = 500,                     /* of a GIF */
    PIXELS_MAX = 8 * SIDE_MAX * SIDE_MAX, /* of all frames of a GIF together */
    SCANS_MAX = 100,                      /* of a progressive JPEG; usual are 10 */
    JPEG_MEMORY_MAX = 160 * 1024 * 1024,  /* bytes: 4 components of SIDE_MAX squared fit */
    PNG_PASSES = PNG_INTERLACE_ADAM7_PASSES,
};

static bool fits(int64_t width, int64_t height) {
    return width > 0 && height > 0 && width <= SIDE_MAX && height <= SIDE_MAX;
}

/* State that changes between setjmp and longjmp is kept here, outside of the function that calls
 * setjmp; its value is then defined afterwards (C17 7.13.2.1). */
struct png {
    png_structp read;
    png_infop info;
    png_bytep line;
    struct text rest;
};

static void fail_png(png_structp read, png_const_charp message) {
    (void)message;
    png_longjmp(read, 1);
}

static void ignore_png_warning(png_structp read, png_const_charp message) {
    (void)read;
    (void)message;
}

static void read_png_bytes(png_structp read, png_bytep out, size_t len) {
    struct text *rest = png_get_io_ptr(read);
    if (len > rest->len)
        png_error(read, "cut off");
    memcpy(out, rest->at, len);
    *rest = (struct text){ rest->at + len, rest->len - len };
}

/* Decodes line by line. The passes of an interlaced picture are decoded as the small pictures that
 * they are, without assembling them, so one line is all the memory that is needed. */
static void read_png_lines(struct png *png) {
    int width = (int)png_get_image_width(png->read, png->info); /* at most SIDE_MAX */
    int height = (int)png_get_image_height(png->read, png->info);
    bool interlaced = png_get_interlace_type(png->read, png->info) != PNG_INTERLACE_NONE;
    for (int pass = 0; pass < (interlaced ? PNG_PASSES : 1); pass++) {
        int lines = interlaced ? PNG_PASS_ROWS(height, pass) : height;
        if (interlaced && PNG_PASS_COLS(width, pass) == 0)
            continue;
        for (int y = 0; y < lines; y++)
            png_read_row(png->read, png->line, NULL);
    }
}

static bool decode_png(struct png *png) {
    if (setjmp(png_jmpbuf(png->read)))
        return false;
    png_set_read_fn(png->read, &png->rest, read_png_bytes);
    png_set_user_limits(png->read, SIDE_MAX, SIDE_MAX);
    png_set_keep_unknown_chunks(png->read, PNG_HANDLE_CHUNK_NEVER, NULL, -1); /* texts, profiles */
    png_read_info(png->read, png->info);
    png_read_update_info(png->read, png->info);
    png->line = png_calloc(png->read, png_get_rowbytes(png->read, png->info));
    read_png_lines(png);
    png_read_end(png->read, NULL);
    return true;
}

static bool is_png(struct text content) {
    struct png png = { .rest = content };
    png.read = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, fail_png, ignore_png_warning);
    png.info = png.read ? png_create_info_struct(png.read) : NULL;
    bool ok = png.info && decode_png(&png);
    if (png.read)
        png_free(png.read, png.line);
    png_destroy_read_struct(&png.read, &png.info, NULL);
    return ok;
}

struct jpeg {
    struct jpeg_decompress_struct image; /* first */
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf out;
};

static void fail_jpeg(j_common_ptr image) {
    longjmp(((struct jpeg *)image)->out, 1);
}

/* A warning (level below 0) means damage: bytes are missing or make no sense. Exceptions are
 * warnings of extraneous bytes before markers, which cameras write and decoders skip. */
static void check_jpeg_message(j_common_ptr image, int level) {
    if (level >= 0)
        return;
    switch (image->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_JFIF_MAJOR:
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_NOT_SEQUENTIAL: break;
    default: fail_jpeg(image);
    }
}

/* Limits the scans: a scan of a few bytes makes the library process the whole picture. */
static void count_scans(j_common_ptr image) {
    if (((struct jpeg *)image)->image.input_scan_number > SCANS_MAX)
        fail_jpeg(image);
}

/* Decodes at an eighth of the size. Damage shows when the bytes are unpacked, not in the arithmetic
 * that turns them into pixels. */
static bool decode_jpeg(struct jpeg *jpeg, struct text content) {
    struct jpeg_decompress_struct *image = &jpeg->image;
    if (setjmp(jpeg->out))
        return false;
    jpeg_create_decompress(image);
    image->progress = &jpeg->progress;
    image->mem->max_memory_to_use = JPEG_MEMORY_MAX;
    jpeg_mem_src(image, (const unsigned char *)content.at, content.len);
    (void)jpeg_read_header(image, TRUE); /* reports errors through fail_jpeg */
    if (!fits(image->image_width, image->image_height) || image->arith_code)
        return false; /* arithmetic coding: no browser shows it */
    image->scale_num = 1;
    image->scale_denom = 8;
    (void)jpeg_start_decompress(image); /* cannot suspend, since all bytes are there */
    JSAMPARRAY line =
        image->mem->alloc_sarray((j_common_ptr)image, JPOOL_IMAGE,
                                 image->output_width * (JDIMENSION)image->output_components, 1);
    while (image->output_scanline < image->output_height)
        (void)jpeg_read_scanlines(image, line, 1);
    (void)jpeg_finish_decompress(image);
    return true;
}

static bool is_jpeg(struct text content) {
    struct jpeg jpeg = { .progress.progress_monitor = count_scans };
    jpeg.image.err = jpeg_std_error(&jpeg.errors);
    jpeg.errors.error_exit = fail_jpeg;
    jpeg.errors.emit_message = check_jpeg_message;
    bool ok = decode_jpeg(&jpeg, content);
    jpeg_destroy_decompress(&jpeg.image);
    return ok;
}

static int read_gif(GifFileType *gif, GifByteType *out, int size) {
    struct text *rest = gif->UserData;
    size_t len = (size_t)size < rest->len ? (size_t)size : rest->len;
    memcpy(out, rest->at, len);
    *rest = (struct text){ rest->at + len, rest->len - len };
    return (int)len;
}

static bool read_frame(GifFileType *gif, GifPixelType *line, int64_t *pixels) {
    if (DGifGetImageDesc(gif) == GIF_ERROR || !fits(gif->Image.Width, gif->Image.Height))
        return false;
    *pixels += (int64_t)gif->Image.Width * gif->Image.Height;
    if (*pixels > PIXELS_MAX)
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

/* Decodes frame by frame into one line of pixels; the library never holds a whole frame. */
static bool read_frames(GifFileType *gif, GifPixelType *line) {
    GifRecordType type;
    int frames = 0;
    int64_t pixels = 0;
    bool ok = fits(gif->SWidth, gif->SHeight);
    while (ok) {
        if (DGifGetRecordType(gif, &type) == GIF_ERROR)
            return false;
        if (type == TERMINATE_RECORD_TYPE)
            return frames > 0;
        if (type == IMAGE_DESC_RECORD_TYPE)
            ok = ++frames <= FRAMES_MAX && read_frame(gif, line, &pixels);
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
        (void)DGifCloseFile(gif, NULL); /* only frees; nothing is written */
    return ok;
}

/* Decodes only the last pixel: the library must unpack everything before it, but keeps little of
 * it. */
static bool is_webp(struct text content) {
    WebPDecoderConfig config;
    const uint8_t *bytes = (const uint8_t *)content.at;
    if (!WebPInitDecoderConfig(&config) ||
        WebPGetFeatures(bytes, content.len, &config.input) != VP8_STATUS_OK ||
        !fits(config.input.width, config.input.height) || config.input.has_animation)
        return false;
    config.output.colorspace = MODE_RGBA;
    config.options.use_cropping = 1;
    config.options.crop_left = (config.input.width - 1) & ~1;
    config.options.crop_top = (config.input.height - 1) & ~1;
    config.options.crop_width = config.input.width - config.options.crop_left;
    config.options.crop_height = config.input.height - config.options.crop_top;
    bool ok = WebPDecode(bytes, content.len, &config) == VP8_STATUS_OK;
    WebPFreeDecBuffer(&config.output);
    return ok;
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

static const struct format *find_format(struct text content) {
    for (size_t i = 0; i < FORMATS; i++) {
        const struct format *format = &formats[i];
        if (content.len >= format->at + format->begins.len &&
            memcmp(content.at + format->at, format->begins.at, format->begins.len) == 0)
            return format;
    }
    return NULL;
}

const char *image_format(struct text content) {
    const struct format *format = find_format(content);
    return format ? format->type : NULL;
}

const char *image_type(struct text content) {
    const struct format *format = find_format(content);
    return format && format->is_whole(content) ? format->type : NULL;
}

const char *image_extension(const char *type) {
    for (size_t i = 0; i < FORMATS; i++)
        if (strcmp(formats[i].type, type) == 0)
            return formats[i].extension;
    return "bin";
}
