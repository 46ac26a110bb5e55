/* The values of a TOML document. See toml.h. */
#include "core/base/toml.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/base/toml_parser.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* ------------------------------------------------------------------------------- strings */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void put_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_putc(out, (char)c);
    } else if (c < 0x800) {
        buf_putc(out, (char)(0xc0 | c >> 6));
        buf_putc(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_putc(out, (char)(0xe0 | c >> 12));
        buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_putc(out, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_putc(out, (char)(0xf0 | c >> 18));
        buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_putc(out, (char)(0x80 | (c & 0x3f)));
    }
}

static int escape_point(struct toml_parser *p, int digits, struct buf *out)
{
    uint32_t point = 0;
    for (int i = 0; i < digits; i++) {
        int value = p->at < p->end ? hex_value(*p->at) : -1;
        if (value < 0)
            return toml_fail(p, "\\%c needs %d hexadecimal digits", digits == 4 ? 'u' : 'U',
                             digits);
        point = point << 4 | (uint32_t)value;
        p->at++;
    }
    if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        return toml_fail(p, "\\u%04X is no character", (unsigned)point);
    put_utf8(out, point);
    return 0;
}

/* A backslash at the end of a line in a multi-line string: the line end and all blanks behind it go
 * away. */
static bool continued_line(struct toml_parser *p)
{
    const char *at = p->at;
    while (at < p->end && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++;
    if (at == p->end || *at != '\n')
        return false;
    for (; at < p->end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'); at++)
        p->line += *at == '\n';
    p->at = at;
    return true;
}

static int escape(struct toml_parser *p, struct buf *out, bool multiline)
{
    static const char from[] = "btnfr\"\\";
    static const char to[] = "\b\t\n\f\r\"\\";
    if (multiline && continued_line(p))
        return 0;
    if (p->at == p->end)
        return toml_fail(p, "the text ends in the middle of a string");

    char c = *p->at++;
    const char *found = c ? strchr(from, c) : NULL;
    if (found) {
        buf_putc(out, to[found - from]);
        return 0;
    }
    if (c == 'u' || c == 'U')
        return escape_point(p, c == 'u' ? 4 : 8, out);
    return toml_fail(p, "unknown escape in a string (a Windows path? use '...')");
}

static bool starts_with(const struct toml_parser *p, char quote, size_t times)
{
    if ((size_t)(p->end - p->at) < times)
        return false;
    for (size_t i = 0; i < times; i++)
        if (p->at[i] != quote)
            return false;
    return true;
}

static int quoted_char(struct toml_parser *p, struct buf *out, bool literal, bool multiline)
{
    unsigned char c = (unsigned char)*p->at;
    if (multiline && toml_skip_newline(p)) {
        buf_putc(out, '\n');
        return 0;
    }
    if (c == '\n')
        return toml_fail(p, "the string has no end on its line");
    if ((c < 0x20 && c != '\t') || c == 0x7f)
        return toml_fail(p, "control character in a string");
    p->at++;
    if (c == '\\' && !literal)
        return escape(p, out, multiline);
    buf_putc(out, (char)c);
    return 0;
}

int toml_quoted(struct toml_parser *p, struct buf *out, bool multiline_allowed)
{
    char quote = *p->at;
    bool multiline = multiline_allowed && starts_with(p, quote, 3);
    size_t close = multiline ? 3 : 1;
    p->at += close;
    if (multiline)
        (void)toml_skip_newline(p);

    while (p->at < p->end) {
        if (starts_with(p, quote, close)) {
            /* up to two quotes may stand before the closing three */
            while (multiline && starts_with(p, quote, close + 1) && close < 5)
                close++;
            for (size_t i = multiline ? 3 : 1; i < close; i++)
                buf_putc(out, quote);
            p->at += close;
            return 0;
        }
        if (quoted_char(p, out, quote == '\'', multiline) < 0)
            return -1;
    }
    return toml_fail(p, "the text ends in the middle of a string");
}

static struct toml *string_value(struct toml_parser *p)
{
    auto_wiped_buf struct buf text = {0};
    unsigned line = p->line;
    if (toml_quoted(p, &text, true) < 0)
        return NULL;
    struct toml *node = toml_node(p, TOML_STRING);
    if (!node)
        return NULL;
    node->line = line;
    node->len = text.len;
    node->text = buf_steal(&text);
    return node;
}

/* ------------------------------------------------------------------------------- numbers and times
 */

/* Copies a token without its underscores, each of which must stand between two digits. False where
 * one does not, or it is too long. */
static bool without_underscores(const char *from, size_t len, char *to, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (from[i] != '_') {
            if (n + 1 >= size)
                return false;
            to[n++] = from[i];
        } else if (i == 0 || i + 1 == len || !isxdigit((unsigned char)from[i - 1]) ||
                   !isxdigit((unsigned char)from[i + 1])) {
            return false;
        }
    }
    to[n] = '\0';
    return true;
}

static bool parse_integer(const char *s, int64_t *ret)
{
    int base = 10;
    if (s[0] == '0' && s[1]) {
        base = s[1] == 'x' ? 16 : s[1] == 'o' ? 8 : s[1] == 'b' ? 2 : 0;
        if (!base)
            return false;
        s += 2;
    }
    const char *digits = s + (base == 10 && (*s == '+' || *s == '-'));
    if (!isxdigit((unsigned char)*digits) || (base == 10 && digits[0] == '0' && digits[1]))
        return false;
    char *end = NULL;
    errno = 0;
    *ret = strtoll(s, &end, base);
    return !*end && errno == 0;
}

/* [+-] digits [. digits] [e [+-] digits], no leading zero, at least a fraction or an exponent; or
 * inf, nan. */
static bool parse_float(const char *s, double *ret)
{
    const char *at = s + (*s == '+' || *s == '-');
    if (str_eq(at, "inf") || str_eq(at, "nan")) {
        *ret = strtod(s, NULL);
        return true;
    }
    size_t whole = strspn(at, "0123456789");
    if (whole == 0 || (whole > 1 && *at == '0'))
        return false;
    at += whole;
    bool any = false;
    if (*at == '.') {
        size_t fraction = strspn(++at, "0123456789");
        if (fraction == 0)
            return false;
        at += fraction;
        any = true;
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '+' || *at == '-';
        size_t exponent = strspn(at, "0123456789");
        if (exponent == 0)
            return false;
        at += exponent;
        any = true;
    }
    if (*at || !any)
        return false;
    *ret = strtod(s, NULL);
    return true;
}

/* PATTERN: 'd' a digit, anything else itself. Returns what follows, NULL where it does not fit. */
static const char *fits(const char *s, const char *pattern)
{
    for (; *pattern; pattern++, s++)
        if (*pattern == 'd' ? !isdigit((unsigned char)*s) : *s != *pattern)
            return NULL;
    return s;
}

static bool looks_like_time(const char *s)
{
    const char *at = fits(s, "dddd-dd-dd");
    bool dated = at != NULL;
    if (dated) {
        if (!*at)
            return true;
        if (*at != 'T' && *at != 't' && *at != ' ')
            return false;
        at++;
    } else {
        at = s;
    }
    at = fits(at, "dd:dd:dd");
    if (!at)
        return false;
    if (*at == '.') {
        size_t fraction = strspn(++at, "0123456789");
        if (fraction == 0)
            return false;
        at += fraction;
    }
    if (!*at)
        return true;
    if (!dated)
        return false;
    if ((*at == 'Z' || *at == 'z') && !at[1])
        return true;
    const char *zone = *at == '+' || *at == '-' ? fits(at + 1, "dd:dd") : NULL;
    return zone && !*zone;
}

static size_t token_len(const struct toml_parser *p)
{
    size_t n = 0, left = (size_t)(p->end - p->at);
    while (n < left &&
           (isalnum((unsigned char)p->at[n]) || (p->at[n] && strchr("+-_.:", p->at[n]))))
        n++;
    /* "1979-05-27 07:32:00": the one token with a blank in it */
    if (n == 10 && left > 11 && p->at[n] == ' ' && isdigit((unsigned char)p->at[n + 1]) &&
        p->at[4] == '-') {
        n++;
        while (n < left &&
               (isdigit((unsigned char)p->at[n]) || (p->at[n] && strchr("+-.:Zz", p->at[n]))))
            n++;
    }
    return n;
}

static struct toml *scalar_value(struct toml_parser *p)
{
    char text[64] = "";
    size_t len = token_len(p);
    int64_t integer = 0;
    double number = 0;
    struct toml *node = NULL;

    if (len == 0 || !without_underscores(p->at, len, text, sizeof(text))) {
        toml_fail(p, len ? "this value cannot be read" : "a value is missing");
        return NULL;
    }
    if (str_eq(text, "true") || str_eq(text, "false")) {
        if ((node = toml_node(p, TOML_BOOL)))
            node->integer = text[0] == 't';
    } else if (parse_integer(text, &integer)) {
        if ((node = toml_node(p, TOML_INTEGER)))
            node->integer = integer;
    } else if (parse_float(text, &number)) {
        if ((node = toml_node(p, TOML_FLOAT)))
            node->number = number;
    } else if (looks_like_time(text)) {
        if ((node = toml_node(p, TOML_TIME))) {
            node->text = xstrdup(text);
            node->len = strlen(text);
        }
    } else {
        toml_fail(p, "this value cannot be read (text needs quotes)");
    }
    if (node)
        p->at += len;
    return node;
}

/* ------------------------------------------------------------------------------- arrays and inline
 * tables */

static int skip_lines(struct toml_parser *p)
{
    do {
        toml_skip_blanks(p);
        if (toml_skip_comment(p) < 0)
            return -1;
    } while (toml_skip_newline(p));
    return 0;
}

static struct toml *array_value(struct toml_parser *p)
{
    auto_toml struct toml *array = toml_node(p, TOML_ARRAY);
    p->at++;
    while (array) {
        if (skip_lines(p) < 0)
            return NULL;
        if (p->at < p->end && *p->at == ']')
            break;
        struct toml *value = toml_value(p);
        if (!value)
            return NULL;
        toml_attach(array, value);
        if (skip_lines(p) < 0)
            return NULL;
        if (p->at < p->end && *p->at == ',') {
            p->at++;
        } else if (p->at == p->end || *p->at != ']') {
            toml_fail(p, "',' or ']' is missing in an array");
            return NULL;
        }
    }
    p->at++;
    return steal(array);
}

static struct toml *inline_table(struct toml_parser *p)
{
    auto_toml struct toml *table = toml_node(p, TOML_TABLE);
    p->at++;
    toml_skip_blanks(p);
    bool first = true;
    while (table && !(first && p->at < p->end && *p->at == '}')) {
        if (toml_assign(p, table) < 0)
            return NULL;
        first = false;
        toml_skip_blanks(p);
        if (p->at < p->end && *p->at == '}')
            break;
        if (p->at == p->end || *p->at != ',') {
            toml_fail(p, "',' or '}' is missing in an inline table (it stands on one line)");
            return NULL;
        }
        p->at++;
    }
    p->at++;
    return steal(table);
}

struct toml *toml_value(struct toml_parser *p)
{
    struct toml *node = NULL;
    if (p->at == p->end) {
        toml_fail(p, "a value is missing");
        return NULL;
    }
    if (++p->depth > TOML_DEPTH_MAX)
        toml_fail(p, "nested deeper than %d levels", TOML_DEPTH_MAX);
    else if (*p->at == '"' || *p->at == '\'')
        node = string_value(p);
    else if (*p->at == '[')
        node = array_value(p);
    else if (*p->at == '{')
        node = inline_table(p);
    else
        node = scalar_value(p);
    p->depth--;
    return node;
}
