/* Removes metadata from pictures without encoding them again.
 *
 * All four formats are sequences of parts (chunks, segments, blocks) with a name and a length. Each
 * format has a function that walks over the parts and copies those that are needed to show the
 * picture: pixels, palettes, colour profiles, density, animation. Everything else is dropped,
 * unknown parts included, since they may hold anything. Bytes after the end of the picture are
 * dropped too.
 *
 * Of EXIF only the orientation is kept, as a new block of its own (orientation_only), because
 * without it the picture would be shown turned. A part that is cut off or out of place sets
 * `is_wrong`, and the whole picture is refused. */
#include "fetch/strip.h"

#include "base/buffer.h"
#include "fetch/image.h"

#include <string.h>

/* The bytes that are left to read, and those that are kept. */
struct strip {
    struct text rest;
    struct buffer out;
    bool is_wrong; /* something is cut off or out of place */
};

static struct text take(struct strip *strip, size_t len) {
    struct text part = { strip->rest.at, len };
    if (len > strip->rest.len) {
        strip->is_wrong = true;
        return (struct text){ "", 0 };
    }
    strip->rest = (struct text){ strip->rest.at + len, strip->rest.len - len };
    return part;
}

static uint32_t big_endian(struct text bytes) {
    uint32_t number = 0;
    for (size_t i = 0; i < bytes.len; i++)
        number = number << 8 | (unsigned char)bytes.at[i];
    return number;
}

static uint32_t little_endian(struct text bytes) {
    uint32_t number = 0;
    for (size_t i = bytes.len; i; i--)
        number = number << 8 | (unsigned char)bytes.at[i - 1];
    return number;
}

static bool begins(struct text text, struct text start) {
    return text.len >= start.len && memcmp(text.at, start.at, start.len) == 0;
}

/* True if the name of a part is in `names`, which have four characters each. */
static bool is_among(struct text name, const char *names) {
    for (; *names; names += 4)
        if (name.len == 4 && memcmp(name.at, names, 4) == 0)
            return true;
    return false;
}

/* ---- EXIF: all that is wanted of it is which way is up ---- */

enum { ORIENTATION = 0x0112, TIFF_ENTRY = 12, ORIENTATIONS = 8 };

/* The orientation, 1 to 8, in the first directory of a TIFF block (TIFF 6.0 section 2); 0: it has
 * none. */
static unsigned find_orientation(struct text tiff) {
    bool is_little = begins(tiff, (struct text){ "II*\0", 4 });
    uint32_t (*read)(struct text) = is_little ? little_endian : big_endian;
    if (!is_little && !begins(tiff, (struct text){ "MM\0*", 4 }))
        return 0;
    if (tiff.len < 8)
        return 0;
    size_t at = read((struct text){ tiff.at + 4, 4 });
    if (at > tiff.len || tiff.len - at < 2)
        return 0;
    unsigned count = read((struct text){ tiff.at + at, 2 });
    for (at += 2; count && tiff.len - at >= TIFF_ENTRY; count--, at += TIFF_ENTRY) {
        uint32_t value = read((struct text){ tiff.at + at + 8, 2 });
        if (read((struct text){ tiff.at + at, 2 }) == ORIENTATION)
            return value <= ORIENTATIONS ? value : 0;
    }
    return 0;
}

enum { TIFF_SIZE = 26 };

/* Makes a TIFF block that has only the orientation; empty if the picture is upright. */
static struct text orientation_only(struct text tiff, char out[TIFF_SIZE]) {
    static const char made[TIFF_SIZE] = { 'M', 'M',  0, '*', 0, 0, 0, 8, 0, 1, /* one entry: */
                                          1,   0x12, 0, 3,   0, 0, 0, 1 };     /* one short */
    unsigned orientation = find_orientation(tiff);
    if (orientation < 2)
        return (struct text){ 0 };
    memcpy(out, made, TIFF_SIZE);
    out[19] = (char)orientation;
    return (struct text){ out, TIFF_SIZE };
}

/* ---- PNG (ISO 15948 section 5) ---- */

static const uint32_t crc_polynomial = 0xEDB88320;

static uint32_t crc_of(struct text bytes) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= (unsigned char)bytes.at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? crc_polynomial : 0);
    }
    return ~crc;
}

static void add_big_endian(struct buffer *out, uint32_t number, unsigned size) {
    while (size--)
        buffer_add_char(out, (char)(number >> 8 * size));
}

static void add_png_exif(struct buffer *out, struct text tiff) {
    char bytes[4 + TIFF_SIZE] = "eXIf";
    if (!orientation_only(tiff, bytes + 4).at)
        return;
    add_big_endian(out, TIFF_SIZE, 4);
    buffer_add(out, (struct text){ bytes, sizeof bytes });
    add_big_endian(out, crc_of((struct text){ bytes, sizeof bytes }), 4);
}

static void strip_png(struct strip *strip) {
    /* Pixels, colours, density and animation. */
    static const char wanted[] = "IHDRPLTEIDATIENDtRNSgAMAcHRMsRGBiCCPcICPmDCVcLLIsBITbKGDhISTpHYs"
                                 "acTLfcTLfdAT";
    bool is_over = false;
    buffer_add(&strip->out, take(strip, 8));
    while (!is_over && !strip->is_wrong) {
        struct text chunk = strip->rest, size = take(strip, 4), name = take(strip, 4);
        struct text data = take(strip, big_endian(size));
        (void)take(strip, 4); /* the checksum */
        chunk.len = data.len + 12;
        is_over = is_among(name, "IEND");
        if (strip->is_wrong)
            return;
        if (is_among(name, wanted))
            buffer_add(&strip->out, chunk);
        else if (is_among(name, "eXIf"))
            add_png_exif(&strip->out, data);
    }
}

/* ---- JPEG (ITU-T T.81 annex B) ---- */

enum {
    JPEG_TEM = 0x01,
    JPEG_SOI = 0xD8,
    JPEG_EOI = 0xD9,
    JPEG_SOS = 0xDA,
    JPEG_RST0 = 0xD0,
    JPEG_RST7 = 0xD7,
    JPEG_APP0 = 0xE0,
    JPEG_APP1 = 0xE1,
    JPEG_APP2 = 0xE2,
    JPEG_APP14 = 0xEE,
    JPEG_APP15 = 0xEF,
    JPEG_COM = 0xFE,
};

/* Markers without a length that mean nothing outside of a scan. */
static bool is_lone_marker(unsigned marker) {
    return marker <= JPEG_TEM || (marker >= JPEG_RST0 && marker <= JPEG_RST7);
}

/* The next marker. Bytes before it that belong to nothing are skipped, as decoders do. */
static unsigned next_marker(struct strip *strip) {
    for (;;) {
        const char *found = strip->rest.len ? memchr(strip->rest.at, 0xFF, strip->rest.len) : NULL;
        size_t skip = found ? (size_t)(found - strip->rest.at) + 1 : strip->rest.len + 1;
        (void)take(strip, skip);
        while (strip->rest.len && (unsigned char)strip->rest.at[0] == 0xFF)
            (void)take(strip, 1); /* fill bytes */
        struct text code = take(strip, 1);
        if (strip->is_wrong)
            return 0;
        if (!is_lone_marker((unsigned char)code.at[0]))
            return (unsigned char)code.at[0];
    }
}

static bool is_wanted_segment(unsigned marker, struct text data) {
    switch (marker) {
    case JPEG_APP2: return begins(data, (struct text){ "ICC_PROFILE", 12 });
    case JPEG_APP14: return begins(data, TEXT("Adobe")); /* it says how colours are coded */
    case JPEG_COM: return false;
    default: return marker < JPEG_APP0 || marker > JPEG_APP15;
    }
}

static void add_segment(struct buffer *out, unsigned marker, struct text data) {
    buffer_add_char(out, (char)0xFF);
    buffer_add_char(out, (char)marker);
    add_big_endian(out, (uint32_t)data.len + 2, 2);
    buffer_add(out, data);
}

/* Copies JFIF without the preview that may follow its 14 bytes. */
static void add_jfif(struct buffer *out, struct text data) {
    char bytes[14];
    if (data.len < sizeof bytes)
        return;
    memcpy(bytes, data.at, sizeof bytes);
    bytes[12] = bytes[13] = 0; /* width and height of the preview */
    add_segment(out, JPEG_APP0, (struct text){ bytes, sizeof bytes });
}

static void add_jpeg_exif(struct buffer *out, struct text data) {
    static const struct text name = { "Exif\0", 6 };
    char bytes[6 + TIFF_SIZE];
    memcpy(bytes, name.at, name.len);
    struct text tiff = { data.at + name.len, data.len - name.len };
    if (orientation_only(tiff, bytes + name.len).at)
        add_segment(out, JPEG_APP1, (struct text){ bytes, sizeof bytes });
}

/* Copies the coded data of a scan, up to the first marker that is not part of it. */
static void copy_scan(struct strip *strip) {
    size_t len = 0;
    struct text rest = strip->rest;
    while (len + 1 < rest.len) {
        unsigned char next = (unsigned char)rest.at[len + 1];
        bool is_inside = next == 0 || next == 0xFF || (next >= JPEG_RST0 && next <= JPEG_RST7);
        if ((unsigned char)rest.at[len] == 0xFF && !is_inside)
            break;
        len++;
    }
    buffer_add(&strip->out, take(strip, len));
}

static void strip_jpeg(struct strip *strip) {
    unsigned marker = 0;
    buffer_add(&strip->out, take(strip, 2));
    while (!strip->is_wrong && (marker = next_marker(strip)) != JPEG_EOI) {
        struct text size = take(strip, 2);
        uint32_t len = big_endian(size);
        strip->is_wrong |= len < 2 || marker == JPEG_SOI;
        struct text data = strip->is_wrong ? size : take(strip, len - 2);
        if (strip->is_wrong)
            return;
        if (marker == JPEG_APP1 && begins(data, (struct text){ "Exif\0", 6 }))
            add_jpeg_exif(&strip->out, data);
        else if (marker == JPEG_APP0 && begins(data, (struct text){ "JFIF", 5 }))
            add_jfif(&strip->out, data);
        else if (is_wanted_segment(marker, data))
            add_segment(&strip->out, marker, data);
        if (marker == JPEG_SOS)
            copy_scan(strip);
    }
    buffer_add(&strip->out, (struct text){ "\xFF\xD9", 2 });
}

/* ---- GIF (GIF89a) ---- */

enum { GIF_CONTROL = 0xF9, GIF_APPLICATION = 0xFF };

static size_t color_table_size(struct text packed) {
    unsigned bits = (unsigned char)packed.at[0];
    return bits & 0x80 ? (size_t)3 << ((bits & 7) + 1) : 0;
}

/* Skips the blocks up to the empty one that ends them. */
static void skip_blocks(struct strip *strip) {
    while (!strip->is_wrong) {
        struct text size = take(strip, 1);
        if (!size.len || !size.at[0])
            return;
        (void)take(strip, (unsigned char)size.at[0]);
    }
}

/* True for application extensions that are kept: the number of repetitions, and a colour
 * profile. */
static bool is_wanted_application(struct text extension) {
    struct text name = { extension.at + 3, 11 };
    return extension.len >= 14 && extension.at[2] == 11 &&
           (begins(name, TEXT("NETSCAPE2.0")) || begins(name, TEXT("ANIMEXTS1.0")) ||
            begins(name, TEXT("ICCRGBG1012")));
}

static struct text since(const struct strip *strip, const char *start) {
    return (struct text){ start, (size_t)(strip->rest.at - start) };
}

/* Handles an extension. A graphic control extension applies to the next picture or text, so it is
 * returned and waits until that picture is copied; if a text follows, both are dropped. */
static struct text strip_gif_extension(struct strip *strip, const char *start,
                                       struct text waiting) {
    struct text label = take(strip, 1);
    skip_blocks(strip);
    struct text extension = since(strip, start);
    if (strip->is_wrong)
        return waiting;
    if ((unsigned char)label.at[0] == GIF_CONTROL)
        return extension;
    if ((unsigned char)label.at[0] == 1) /* plain text */
        return (struct text){ 0 };
    if ((unsigned char)label.at[0] == GIF_APPLICATION && is_wanted_application(extension))
        buffer_add(&strip->out, extension);
    return waiting;
}

static void strip_gif_image(struct strip *strip, const char *start, struct text waiting) {
    struct text descriptor = take(strip, 9);
    if (strip->is_wrong)
        return;
    (void)take(strip, color_table_size((struct text){ descriptor.at + 8, 1 }));
    (void)take(strip, 1); /* the code size */
    skip_blocks(strip);
    buffer_add(&strip->out, waiting);
    buffer_add(&strip->out, since(strip, start));
}

static void strip_gif(struct strip *strip) {
    struct text head = take(strip, 13), waiting = { 0 };
    if (strip->is_wrong)
        return;
    buffer_add(&strip->out, head);
    buffer_add(&strip->out, take(strip, color_table_size((struct text){ head.at + 10, 1 })));
    while (!strip->is_wrong) {
        const char *start = strip->rest.at;
        struct text kind = take(strip, 1);
        if (kind.len && kind.at[0] == '!') {
            waiting = strip_gif_extension(strip, start, waiting);
        } else if (kind.len && kind.at[0] == ',') {
            strip_gif_image(strip, start, waiting);
            waiting = (struct text){ 0 };
        } else {
            strip->is_wrong |= kind.len && kind.at[0] != ';';
            buffer_add(&strip->out, kind);
            return;
        }
    }
}

/* ---- WebP (RFC 9649) ---- */

enum { WEBP_HEAD = 12, WEBP_XMP = 0x04, WEBP_EXIF = 0x08 };

static void add_little_endian(struct buffer *out, uint32_t number) {
    for (unsigned i = 0; i < 4; i++)
        buffer_add_char(out, (char)(number >> 8 * i));
}

static void add_webp_chunk(struct buffer *out, struct text name, struct text data) {
    buffer_add(out, name);
    add_little_endian(out, (uint32_t)data.len);
    buffer_add(out, data);
    if (data.len % 2)
        buffer_add_char(out, '\0');
}

static bool add_webp_exif(struct buffer *out, struct text data) {
    char bytes[TIFF_SIZE];
    struct text prefix = { "Exif\0", 6 }; /* some programs write it, as in a JPEG */
    if (begins(data, prefix))
        data = (struct text){ data.at + prefix.len, data.len - prefix.len };
    struct text tiff = orientation_only(data, bytes);
    if (tiff.at)
        add_webp_chunk(out, TEXT("EXIF"), tiff);
    return tiff.at != NULL;
}

/* Sets the size of the file and the flags of its parts, which are known only at the end. */
static void finish_webp(struct strip *strip, size_t flags_at, bool has_exif) {
    struct buffer *out = &strip->out;
    if (out->failed || strip->is_wrong)
        return;
    for (unsigned i = 0; i < 4; i++)
        out->at[4 + i] = (char)((out->len - 8) >> 8 * i);
    if (flags_at)
        out->at[flags_at] =
            (char)((out->at[flags_at] & ~(WEBP_XMP | WEBP_EXIF)) | (has_exif ? WEBP_EXIF : 0));
}

static void strip_webp(struct strip *strip) {
    struct text head = take(strip, WEBP_HEAD);
    size_t flags_at = 0;
    bool has_exif = false;
    if (strip->is_wrong)
        return;
    size_t size = little_endian((struct text){ head.at + 4, 4 }), inside = size - 4;
    strip->is_wrong = size < 4 || inside > strip->rest.len;
    if (strip->is_wrong)
        return;
    strip->rest.len = inside;
    buffer_add(&strip->out, head);
    while (strip->rest.len > 1 && !strip->is_wrong) { /* one byte may be padding */
        struct text name = take(strip, 4), chunk_size = take(strip, 4);
        struct text data = take(strip, little_endian(chunk_size));
        if (data.len % 2 && strip->rest.len)
            (void)take(strip, 1);
        if (strip->is_wrong)
            return;
        if (is_among(name, "VP8X") && data.len)
            flags_at = strip->out.len + 8;
        if (is_among(name, "VP8XVP8 VP8LALPHICCPANIMANMF"))
            add_webp_chunk(&strip->out, name, data);
        else if (is_among(name, "EXIF") && flags_at && !has_exif)
            has_exif = add_webp_exif(&strip->out, data);
    }
    finish_webp(strip, flags_at, has_exif);
}

/* ---- All ---- */

struct text image_strip(struct text content, struct arena *arena) {
    static const struct {
        const char *type;
        void (*strip)(struct strip *strip);
    } formats[] = { { "image/png", strip_png },
                    { "image/jpeg", strip_jpeg },
                    { "image/gif", strip_gif },
                    { "image/webp", strip_webp } };
    const char *type = image_format(content);
    struct strip strip = { .rest = content };
    if (!type)
        return (struct text){ 0 };
    buffer_init(&strip.out, arena, content.len);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i].type, type) == 0)
            formats[i].strip(&strip);
    if (strip.is_wrong || strip.out.failed)
        return (struct text){ 0 };
    return buffer_text(&strip.out);
}
