/* Which files are pictures: each format's own encoder makes them, and they are then cut off,
 * broken, oversized or piled up. */
#include "fetch/image.h"

#include <gif_lib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <png.h>
#include <webp/encode.h>

#include <cmocka.h>

enum { SIDE_MAX = 4096, GIF_HEAD = 13 + 6, GIF_TAIL = 1 };

/* The output of an encoder, in memory of exactly its size: the sanitizer sees a read past it. */
struct output {
    FILE *file;
    char *bytes;
    size_t len;
};

static void open_output(struct output *output) {
    *output = (struct output){ 0 };
    output->file = open_memstream(&output->bytes, &output->len);
    assert_non_null(output->file);
}

static struct text exactly(const char *bytes, size_t len) {
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    if (len)
        memcpy(copy, bytes, len);
    return (struct text){ copy, len };
}

static struct text close_output(struct output *output) {
    assert_int_equal(fclose(output->file), 0);
    struct text made = exactly(output->bytes, output->len);
    free(output->bytes);
    return made;
}

static void free_text(struct text text) {
    free((void *)(uintptr_t)text.at);
}

/* Something to look at: `len` bytes that differ from line to line. */
static unsigned char *make_line(size_t len, int y) {
    unsigned char *line = malloc(len);
    assert_non_null(line);
    for (size_t i = 0; i < len; i++)
        line[i] = (unsigned char)(i * 7 + (size_t)y * 13);
    return line;
}

struct png_kind {
    int color, depth, interlace;
};

static struct text write_png(int width, int height, struct png_kind kind) {
    struct output output;
    open_output(&output);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, output.file);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, kind.depth, kind.color,
                 kind.interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int passes = png_set_interlace_handling(png); passes > 0; passes--) {
        for (int y = 0; y < height; y++) {
            unsigned char *line = make_line((size_t)width * 8, y);
            png_write_row(png, line);
            free(line);
        }
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return close_output(&output);
}

static struct text png(int width, int height) {
    return write_png(width, height, (struct png_kind){ PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_NONE });
}

static struct text png_interlaced(int width, int height) {
    return write_png(width, height,
                     (struct png_kind){ PNG_COLOR_TYPE_RGB_ALPHA, 8, PNG_INTERLACE_ADAM7 });
}

static struct text png_deep(int width, int height) {
    return write_png(width, height,
                     (struct png_kind){ PNG_COLOR_TYPE_RGB_ALPHA, 16, PNG_INTERLACE_NONE });
}

static struct text png_black_and_white(int width, int height) {
    return write_png(width, height,
                     (struct png_kind){ PNG_COLOR_TYPE_GRAY, 1, PNG_INTERLACE_ADAM7 });
}

enum jpeg_kind { BASELINE, GREY, CMYK, PROGRESSIVE, ARITHMETIC, MANY_SCANS };

/* 192 scans, each coefficient with a scan of its own and refined twice: legal, and absurd. */
static int script_scans(jpeg_scan_info *scans) {
    int count = 0;
    for (int al = 2; al >= 0; al--)
        for (int k = 0; k < DCTSIZE2; k++)
            scans[count++] = (jpeg_scan_info){ 1, { 0 }, k, k, al == 2 ? 0 : al + 1, al };
    return count;
}

static void choose_jpeg(struct jpeg_compress_struct *image, enum jpeg_kind kind,
                        jpeg_scan_info *scans) {
    jpeg_set_defaults(image);
    image->arith_code = kind == ARITHMETIC;
    if (kind == PROGRESSIVE)
        jpeg_simple_progression(image);
    if (kind != MANY_SCANS)
        return;
    image->num_scans = script_scans(scans);
    image->scan_info = scans;
}

static struct text write_jpeg(int width, int height, enum jpeg_kind kind) {
    static const J_COLOR_SPACE colors[] = { JCS_RGB, JCS_GRAYSCALE, JCS_CMYK,
                                            JCS_RGB, JCS_RGB,       JCS_GRAYSCALE };
    static const int components[] = { 3, 1, 4, 3, 3, 1 };
    jpeg_scan_info scans[3 * DCTSIZE2];
    struct jpeg_compress_struct image = { 0 };
    struct jpeg_error_mgr errors;
    struct output output;
    open_output(&output);
    image.err = jpeg_std_error(&errors);
    jpeg_create_compress(&image);
    jpeg_stdio_dest(&image, output.file);
    image.image_width = (JDIMENSION)width;
    image.image_height = (JDIMENSION)height;
    image.input_components = components[kind];
    image.in_color_space = colors[kind];
    choose_jpeg(&image, kind, scans);
    jpeg_start_compress(&image, TRUE);
    for (int y = 0; y < height; y++) {
        unsigned char *line = make_line((size_t)width * 4, y);
        assert_int_equal(jpeg_write_scanlines(&image, &line, 1), 1);
        free(line);
    }
    jpeg_finish_compress(&image);
    jpeg_destroy_compress(&image);
    return close_output(&output);
}

static struct text jpeg(int width, int height) {
    return write_jpeg(width, height, BASELINE);
}

static struct text jpeg_grey(int width, int height) {
    return write_jpeg(width, height, GREY);
}

static struct text jpeg_cmyk(int width, int height) {
    return write_jpeg(width, height, CMYK);
}

static struct text jpeg_progressive(int width, int height) {
    return write_jpeg(width, height, PROGRESSIVE);
}

static int write_gif_bytes(GifFileType *gif, const GifByteType *bytes, int len) {
    return (int)fwrite(bytes, 1, (size_t)len, gif->UserData);
}

static struct text write_gif(int width, int height, bool interlaced) {
    struct output output;
    open_output(&output);
    ColorMapObject *colors = GifMakeMapObject(2, NULL);
    GifFileType *gif = EGifOpen(output.file, write_gif_bytes, NULL);
    assert_non_null(gif);
    assert_int_equal(EGifPutScreenDesc(gif, width, height, 1, 0, colors), GIF_OK);
    assert_int_equal(EGifPutImageDesc(gif, 0, 0, width, height, interlaced, NULL), GIF_OK);
    GifPixelType *line = calloc((size_t)width, 1);
    for (int y = 0; y < height; y++) {
        line[y % width] ^= 1;
        assert_int_equal(EGifPutLine(gif, line, width), GIF_OK);
    }
    free(line);
    assert_int_equal(EGifCloseFile(gif, NULL), GIF_OK);
    GifFreeMapObject(colors);
    return close_output(&output);
}

static struct text gif(int width, int height) {
    return write_gif(width, height, false);
}

static struct text gif_interlaced(int width, int height) {
    return write_gif(width, height, true);
}

static struct text write_webp(int width, int height, bool lossless, unsigned char opacity) {
    unsigned char *pixels = make_line((size_t)width * (size_t)height * 4, 0);
    uint8_t *made = NULL;
    for (size_t i = 3; i < (size_t)width * (size_t)height * 4; i += 4)
        pixels[i] |= opacity;
    size_t len = lossless ? WebPEncodeLosslessRGBA(pixels, width, height, width * 4, &made)
                          : WebPEncodeRGBA(pixels, width, height, width * 4, 50, &made);
    assert_true(len > 0);
    struct text text = exactly((const char *)made, len);
    WebPFree(made);
    free(pixels);
    return text;
}

static struct text webp(int width, int height) {
    return write_webp(width, height, false, 255);
}

static struct text webp_see_through(int width, int height) {
    return write_webp(width, height, false, 0);
}

static struct text webp_lossless(int width, int height) {
    return write_webp(width, height, true, 0);
}

static const struct kind {
    const char *name, *type;
    struct text (*make)(int width, int height);
} kinds[] = {
    { "PNG", "image/png", png },
    { "interlaced PNG", "image/png", png_interlaced },
    { "16-bit PNG", "image/png", png_deep },
    { "1-bit interlaced PNG", "image/png", png_black_and_white },
    { "JPEG", "image/jpeg", jpeg },
    { "grey JPEG", "image/jpeg", jpeg_grey },
    { "CMYK JPEG", "image/jpeg", jpeg_cmyk },
    { "progressive JPEG", "image/jpeg", jpeg_progressive },
    { "GIF", "image/gif", gif },
    { "interlaced GIF", "image/gif", gif_interlaced },
    { "WebP", "image/webp", webp },
    { "see-through WebP", "image/webp", webp_see_through },
    { "lossless WebP", "image/webp", webp_lossless },
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void assert_type(const struct kind *kind, int width, int height, const char *expected) {
    struct text picture = kind->make(width, height);
    const char *type = image_type(picture);
    if (!type != !expected || (type && expected && strcmp(type, expected) != 0))
        fail_msg("%s of %d x %d is %s", kind->name, width, height, type ? type : "refused");
    free_text(picture);
}

static void pictures_of_any_shape_are_told_by_their_content(void **state) {
    static const int shapes[][2] = { { 1, 1 },   { 2, 2 },        { 1, 9 },
                                     { 9, 1 },   { 33, 17 },      { 200, 100 },
                                     { 5, 600 }, { SIDE_MAX, 1 }, { 1, SIDE_MAX } };
    (void)state;
    for (size_t i = 0; i < KINDS; i++)
        for (size_t j = 0; j < sizeof shapes / sizeof shapes[0]; j++)
            assert_type(&kinds[i], shapes[j][0], shapes[j][1], kinds[i].type);
}

static void a_side_of_more_than_4096_pixels_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        assert_type(&kinds[i], SIDE_MAX + 1, 1, NULL);
        assert_type(&kinds[i], 1, SIDE_MAX + 1, NULL);
        assert_type(&kinds[i], 8000, 2, NULL);
    }
}

static void a_picture_cut_off_anywhere_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct text whole = kinds[i].make(23, 19);
        for (size_t len = 0; len < whole.len; len++) {
            struct text part = exactly(whole.at, len);
            if (image_type(part))
                fail_msg("%s of %zu bytes is taken after %zu", kinds[i].name, whole.len, len);
            free_text(part);
        }
        free_text(whole);
    }
}

/* Any answer will do, as long as there is one. */
static void no_broken_byte_does_harm(void **state) {
    static const unsigned char changes[] = { 0x01, 0x80, 0xFF };
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct text whole = kinds[i].make(23, 19);
        char *bytes = (char *)(uintptr_t)whole.at;
        for (size_t at = 0; at < whole.len; at++) {
            for (size_t j = 0; j < sizeof changes; j++) {
                bytes[at] = (char)(bytes[at] ^ changes[j]);
                const char *type = image_type(whole);
                assert_true(!type || strcmp(type, kinds[i].type) == 0);
                bytes[at] = (char)(bytes[at] ^ changes[j]);
            }
        }
        free_text(whole);
    }
}

static void a_png_with_a_wrong_checksum_is_refused(void **state) {
    (void)state;
    struct text whole = png(23, 19);
    char *bytes = (char *)(uintptr_t)whole.at;
    bytes[60] = (char)(bytes[60] ^ 1);
    assert_null(image_type(whole));
    free_text(whole);
}

static void what_is_no_picture_is_refused(void **state) {
    static const struct text contents[] = {
        { NULL, 0 },
        { "", 0 },
        { "\0", 1 },
        { "<!doctype html><img src=a.png>", 30 },
        { "<svg xmlns='http://www.w3.org/2000/svg'/>", 41 },
        { "BM\x1A\0\0\0\0\0\0\0\x1A\0\0\0\x0C\0\0\0\1\0\1\0\1\0\x18\0", 26 },
        { "%PDF-1.7\n", 9 },
        { "\x89PNG\r\n\x1A\n", 8 },
        { "\xFF\xD8\xFF", 3 },
        { "\xFF\xD8\xFF\xD9", 4 },
        { "GIF89a", 6 },
        { "GIF89a\1\0\1\0\0\0\0;", 14 }, /* no frame */
        { "RIFF\4\0\0\0WEBP", 12 },
        { "RIFF\x1C\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x44\xAC\0\0\x44\xAC\0\0\1\0\x08\0", 36 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        struct text content = exactly(contents[i].at, contents[i].len);
        if (image_type(content))
            fail_msg("content %zu is taken for a picture", i);
        free_text(content);
    }
    assert_null(image_type((struct text){ NULL, 0 }));
}

/* The same picture `count` times over, as an animation. */
static struct text repeat_frame(struct text once, size_t count) {
    size_t frame = once.len - GIF_HEAD - GIF_TAIL;
    char *bytes = malloc(GIF_HEAD + count * frame + GIF_TAIL);
    assert_non_null(bytes);
    memcpy(bytes, once.at, GIF_HEAD);
    for (size_t i = 0; i < count; i++)
        memcpy(bytes + GIF_HEAD + i * frame, once.at + GIF_HEAD, frame);
    memcpy(bytes + GIF_HEAD + count * frame, once.at + once.len - GIF_TAIL, GIF_TAIL);
    return (struct text){ bytes, GIF_HEAD + count * frame + GIF_TAIL };
}

static void assert_frames(struct text once, size_t count, const char *expected) {
    struct text animation = repeat_frame(once, count);
    const char *type = image_type(animation);
    if (!type != !expected)
        fail_msg("%zu frames: %s", count, type ? type : "refused");
    free_text(animation);
}

static void a_gif_has_at_most_500_frames(void **state) {
    (void)state;
    struct text once = gif(3, 2);
    assert_frames(once, 2, "image/gif");
    assert_frames(once, 500, "image/gif");
    assert_frames(once, 501, NULL);
    free_text(once);
}

static void a_gif_has_at_most_8_frames_of_the_full_size(void **state) {
    (void)state;
    struct text once = gif(SIDE_MAX, SIDE_MAX);
    assert_frames(once, 8, "image/gif");
    assert_frames(once, 9, NULL);
    assert_frames(once, 500, NULL);
    free_text(once);
}

static void a_gif_with_one_broken_frame_is_refused(void **state) {
    (void)state;
    struct text once = gif(3, 2), twice = repeat_frame(once, 2);
    char *second = (char *)(uintptr_t)twice.at + once.len - GIF_TAIL;
    assert_int_equal(*second, ',');
    second[5] = second[6] = 0; /* its width */
    assert_null(image_type(twice));
    free_text(twice);
    free_text(once);
}

static void a_jpeg_of_too_many_scans_is_refused(void **state) {
    (void)state;
    struct text picture = write_jpeg(64, 64, MANY_SCANS);
    assert_null(image_type(picture));
    free_text(picture);
}

static void a_jpeg_that_no_browser_shows_is_refused(void **state) {
    (void)state;
    struct text picture = write_jpeg(64, 64, ARITHMETIC);
    assert_null(image_type(picture));
    free_text(picture);
}

static void an_animated_webp_is_refused(void **state) {
    static const char head[] = "RIFF\0\0\0\0WEBP"
                               "VP8X\x0A\0\0\0\x02\0\0\0\0\0\0\0\0\0"
                               "ANIM\x06\0\0\0\0\0\0\0\0\0"
                               "ANMF\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x64\0\0\0";
    (void)state;
    struct text still = webp_lossless(1, 1);
    size_t chunk = still.len - 12, len = sizeof head - 1 + chunk;
    char *bytes = malloc(len);
    assert_non_null(bytes);
    memcpy(bytes, head, sizeof head - 1);
    memcpy(bytes + sizeof head - 1, still.at + 12, chunk);
    assert_true(len < 256);
    bytes[4] = (char)(len - 8);
    bytes[48] = (char)(16 + chunk);
    assert_null(image_type((struct text){ bytes, len }));
    free(bytes);
    free_text(still);
}

static void each_type_has_its_file_name_extension(void **state) {
    (void)state;
    assert_string_equal(image_extension("image/png"), "png");
    assert_string_equal(image_extension("image/jpeg"), "jpg");
    assert_string_equal(image_extension("image/gif"), "gif");
    assert_string_equal(image_extension("image/webp"), "webp");
    assert_string_equal(image_extension("text/html"), "bin");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_of_any_shape_are_told_by_their_content),
        cmocka_unit_test(a_side_of_more_than_4096_pixels_is_refused),
        cmocka_unit_test(a_picture_cut_off_anywhere_is_refused),
        cmocka_unit_test(no_broken_byte_does_harm),
        cmocka_unit_test(a_png_with_a_wrong_checksum_is_refused),
        cmocka_unit_test(what_is_no_picture_is_refused),
        cmocka_unit_test(a_gif_has_at_most_500_frames),
        cmocka_unit_test(a_gif_has_at_most_8_frames_of_the_full_size),
        cmocka_unit_test(a_gif_with_one_broken_frame_is_refused),
        cmocka_unit_test(a_jpeg_of_too_many_scans_is_refused),
        cmocka_unit_test(a_jpeg_that_no_browser_shows_is_refused),
        cmocka_unit_test(an_animated_webp_is_refused),
        cmocka_unit_test(each_type_has_its_file_name_extension),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
