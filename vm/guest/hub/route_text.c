/* Texts in conditions; see route_private.h. */
#include "vm/guest/hub/route_private.h"

#include "core/base/str.h"

#include <locale.h>
#include <string.h>
#include <wctype.h>

/* Length of the character at AT: a byte that is not UTF-8 counts as one. */
static size_t step(const char *at, size_t len, uint32_t *ret_point)
{
    size_t n = str_utf8_decode(at, len, ret_point);

    if (n > 0)
        return n;
    *ret_point = 0xFFFD;
    return 1;
}

size_t route_text_units(const char *at, size_t len)
{
    size_t units = 0;
    uint32_t point;

    for (size_t i = 0; i<len; units += point> 0xFFFF ? 2 : 1)
        i += step(at + i, len - i, &point);
    return units;
}

size_t route_text_byte(const char *at, size_t len, size_t n)
{
    size_t i = 0;
    uint32_t point;

    while (n > 0 && i < len) {
        i += step(at + i, len - i, &point);
        if (point > 0xFFFF && --n == 0)
            return SIZE_MAX;
        n--;
    }
    return n == 0 ? i : SIZE_MAX;
}

size_t route_text_encode(uint32_t point, char *to)
{
    if (point < 0x80) {
        to[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        to[0] = (char)(0xC0 | point >> 6);
        to[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        to[0] = (char)(0xE0 | point >> 12);
        to[1] = (char)(0x80 | (point >> 6 & 0x3F));
        to[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    to[0] = (char)(0xF0 | point >> 18);
    to[1] = (char)(0x80 | (point >> 12 & 0x3F));
    to[2] = (char)(0x80 | (point >> 6 & 0x3F));
    to[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}

/* glibc's C locale knows only ASCII. The names of C.UTF-8 are built in on Debian; where they are
 * not, ASCII it is. */
static uint32_t change_case(uint32_t point, bool upper)
{
    static locale_t unicode;

    if (point < 0x80) {
        if (upper)
            return point >= 'a' && point <= 'z' ? point - 32 : point;
        return point >= 'A' && point <= 'Z' ? point + 32 : point;
    }
    if (!unicode)
        unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!unicode)
        return point;
    return (uint32_t)(upper ? towupper_l((wint_t)point, unicode)
                            : towlower_l((wint_t)point, unicode));
}

struct value route_text_case(struct route_input *in, struct value text, bool upper)
{
    /* A byte that is not UTF-8 becomes a character of three. */
    char *to = route_input_room(in, text.len * 3);
    size_t n = 0;

    if (!to)
        return (struct value){0};
    for (size_t i = 0; i < text.len;) {
        uint32_t point;

        i += step(text.at + i, text.len - i, &point);
        n += route_text_encode(change_case(point, upper), to + n);
    }
    return value_text(to, n);
}

uint32_t route_hash(const char *name, size_t len)
{
    uint32_t hash = 2166136261U; /* FNV-1a */

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];

        hash = (hash ^ (c >= 'A' && c <= 'Z' ? c + 32U : c)) * 16777619U;
    }
    return hash;
}
