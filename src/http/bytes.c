/* Every byte of a head passes here several times. One table holds all sets, and most values are
 * checked eight bytes at a time. */
#include "http/bytes.h"

#include <limits.h>

/* Combinations of sets that a byte can be in. */
enum {
    O = 0,                            /* control characters */
    V = BYTES_value,                  /* HTAB, the blank, UTF-8 */
    H = V | BYTES_token,              /* # */
    T = V | BYTES_target,             /* in no name of any kind */
    K = T | BYTES_token,              /* in tokens alone */
    N = T | BYTES_host,               /* in hosts alone */
    A = T | BYTES_token | BYTES_host, /* in both: letters, digits and a few more */
};

#define ROW V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V

/* clang-format off */
static const unsigned char sets[UCHAR_MAX + 1] = {
    O, O, O, O, O, O, O, O, O, V, O, O, O, O, O, O,
    O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
/*     !  "  #  $  %  &  '  (  )  *  +  ,  -  .  /  */
    V, A, T, H, A, K, A, A, N, N, A, A, N, A, A, T,
/*  0  1  2  3  4  5  6  7  8  9  :  ;  <  =  >  ?  */
    A, A, A, A, A, A, A, A, A, A, T, N, T, N, T, T,
/*  @  A  B  C  D  E  F  G  H  I  J  K  L  M  N  O  */
    T, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A,
/*  P  Q  R  S  T  U  V  W  X  Y  Z  [  \  ]  ^  _  */
    A, A, A, A, A, A, A, A, A, A, A, T, T, T, K, A,
/*  `  a  b  c  d  e  f  g  h  i  j  k  l  m  n  o  */
    K, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A,
/*  p  q  r  s  t  u  v  w  x  y  z  {  |  }  ~     */
    A, A, A, A, A, A, A, A, A, A, A, T, K, T, A, O,
    ROW, ROW, ROW, ROW, ROW, ROW, ROW, ROW,
};
/* clang-format on */
#undef ROW

/* The number of bytes at the beginning, a multiple of eight, that are no ASCII control characters.
 * A subtraction borrows from the high bit of each byte that is below the blank or is DEL. */
static size_t plain_bytes(struct text text) {
    const uint64_t each = UINT64_C(0x0101010101010101), high = 0x80 * each;
    size_t at = 0;
    for (uint64_t bytes; text.len - at >= sizeof bytes; at += sizeof bytes) {
        memcpy(&bytes, text.at + at, sizeof bytes);
        uint64_t from_delete = bytes ^ 0x7F * each;
        if ((((bytes - ' ' * each) & ~bytes) | ((from_delete - each) & ~from_delete)) & high)
            break;
    }
    return at;
}

bool bytes_are(struct text text, enum byte_set set) {
    unsigned all = set;
    for (size_t i = set == BYTES_value ? plain_bytes(text) : 0; i < text.len; i++)
        all &= sets[(unsigned char)text.at[i]];
    return all;
}
