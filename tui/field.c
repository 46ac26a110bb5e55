/* See field.h. */
#include "tui/field.h"

#include "core/base/str.h"

#include <inttypes.h>
#include <string.h>

static size_t field_room(const struct field *f)
{
    size_t max = f->max && f->max < FIELD_MAX ? f->max : FIELD_MAX;
    return max > f->len ? max - f->len : 0;
}

void field_wipe(struct field *f)
{
    explicit_bzero(f->text, sizeof(f->text));
    f->len = 0;
    f->at = 0;
    f->overflow = false;
}

void field_set(struct field *f, const char *text)
{
    field_wipe(f);
    STR_SET(f->text, text);
    f->len = strlen(f->text);
    f->at = f->len;
}

static void field_insert(struct field *f, const char *bytes, size_t len)
{
    memmove(f->text + f->at + len, f->text + f->at, f->len - f->at + 1);
    memcpy(f->text + f->at, bytes, len);
    f->len += len;
    f->at += len;
}

static bool keep_byte(const struct field *f, unsigned char c)
{
    if (f->digits)
        return c >= '0' && c <= '9';
    return c > ' ' ? c != 0x7F : c == ' ' && !f->secret;
}

/* All or nothing: half a key would be worse than none. */
static void field_paste(struct field *f, const char *bytes, size_t len)
{
    size_t keep = 0;
    for (size_t i = 0; i < len; i++)
        keep += keep_byte(f, (unsigned char)bytes[i]);
    f->overflow = keep > field_room(f);
    if (f->overflow)
        return;
    for (size_t i = 0; i < len; i++)
        if (keep_byte(f, (unsigned char)bytes[i]))
            field_insert(f, bytes + i, 1);
}

/* Start of the sequence before / after AT. */
static size_t before(const struct field *f, size_t at)
{
    while (at && ((unsigned char)f->text[--at] & 0xC0) == 0x80)
        ;
    return at;
}

static size_t after(const struct field *f, size_t at)
{
    if (at < f->len)
        at++;
    while (at < f->len && ((unsigned char)f->text[at] & 0xC0) == 0x80)
        at++;
    return at;
}

static void field_cut(struct field *f, size_t from, size_t to)
{
    memmove(f->text + from, f->text + to, f->len - to + 1);
    f->len -= to - from;
    explicit_bzero(f->text + f->len, to - from);
    f->at = from;
}

static bool field_type(struct field *f, uint32_t p)
{
    char bytes[4];
    size_t n = 0;
    if (p < 0x20 || p == 0x7F || p >= 0x110000)
        return false;
    if (f->digits && (p < '0' || p > '9'))
        return true;
    if (p < 0x80) {
        bytes[n++] = (char)p;
    } else if (p < 0x800) {
        bytes[n++] = (char)(0xC0 | p >> 6);
        bytes[n++] = (char)(0x80 | (p & 0x3F));
    } else if (p < 0x10000) {
        bytes[n++] = (char)(0xE0 | p >> 12);
        bytes[n++] = (char)(0x80 | (p >> 6 & 0x3F));
        bytes[n++] = (char)(0x80 | (p & 0x3F));
    } else {
        bytes[n++] = (char)(0xF0 | p >> 18);
        bytes[n++] = (char)(0x80 | (p >> 12 & 0x3F));
        bytes[n++] = (char)(0x80 | (p >> 6 & 0x3F));
        bytes[n++] = (char)(0x80 | (p & 0x3F));
    }
    f->overflow = n > field_room(f);
    if (!f->overflow)
        field_insert(f, bytes, n);
    return true;
}

bool field_key(struct field *f, const struct key *key)
{
    switch (key->sym) {
    case KEYSYM_PASTE:
        field_paste(f, key->paste, key->paste_len);
        return true;
    case KEYSYM_LEFT:
        f->at = before(f, f->at);
        return true;
    case KEYSYM_RIGHT:
        f->at = after(f, f->at);
        return true;
    case KEYSYM_HOME:
        f->at = 0;
        return true;
    case KEYSYM_END:
        f->at = f->len;
        return true;
    case KEYSYM_BACKSPACE:
        field_cut(f, before(f, f->at), f->at);
        return true;
    case KEYSYM_DELETE:
        field_cut(f, f->at, after(f, f->at));
        return true;
    case KEYSYM_CTRL_U:
        field_wipe(f);
        return true;
    case KEYSYM_CTRL_V:
        f->shown = f->secret && !f->shown;
        return f->secret;
    default:
        return field_type(f, key->sym);
    }
}

static void draw_masked(struct surface *s, int y, int x, int w, const struct field *f, bool focused)
{
    char count[32];
    (void)str_format(count, sizeof(count), " %zu characters", f->len);
    int stars = w - 2 - (int)strlen(count) - 1;
    if ((size_t)(stars < 0 ? 0 : stars) > f->len)
        stars = (int)f->len;
    for (int i = 0; i < stars; i++)
        surface_raw(s, y, x + 1 + i, 1, STYLE_FIELD, "*", 1);
    if (f->len)
        surface_right(s, y, x + 1, w - 3, STYLE_TEXT, count + 1);
    if (focused)
        surface_focus(s, y, x + 1 + (stars > 0 ? stars : 0), true);
}

void field_draw(struct surface *s, int y, int x, int w, const struct field *f, bool focused)
{
    if (w < 4)
        return;
    surface_raw(s, y, x, 1, focused ? STYLE_STRONG : STYLE_TEXT, "[", 1);
    surface_raw(s, y, x + w - 1, 1, focused ? STYLE_STRONG : STYLE_TEXT, "]", 1);
    surface_restyle(s, y, x + 1, w - 2, STYLE_FIELD);
    if (f->secret && !f->shown) {
        draw_masked(s, y, x, w, f, focused);
        return;
    }
    /* The part that shows ends at the cursor where the text is longer than the field. */
    size_t from = 0;
    int room = w - 3;
    for (;;) {
        char part[FIELD_MAX + 1];
        memcpy(part, f->text + from, f->at - from);
        part[f->at - from] = '\0';
        int width = surface_width(part);
        explicit_bzero(part, f->at - from);
        if (width <= room) {
            surface_raw(s, y, x + 1, w - 2, STYLE_FIELD, f->text + from, f->len - from);
            if (focused)
                surface_focus(s, y, x + 1 + width, true);
            return;
        }
        from = after(f, from);
    }
}
