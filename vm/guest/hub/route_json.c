/* See route_json.h. */
#include "vm/guest/hub/route_json.h"

#include "vm/guest/hub/route_private.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 256
#define INDEX_DIGITS   9

struct span {
    const char *at, *end;
};

static void skip_space(struct span *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

static bool take(struct span *s, char c)
{
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

static bool is_digit(const struct span *s)
{
    return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

static bool take_digits(struct span *s)
{
    if (!is_digit(s))
        return false;
    while (is_digit(s))
        s->at++;
    return true;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at AT; -1 where they are not. */
static int unit_at(const char *at, const char *end)
{
    int unit = 0;

    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex(at[i]);

        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* A string; what stands between its quotes is in *RET. */
static bool take_text(struct span *s, struct route_json *ret)
{
    if (!take(s, '"'))
        return false;
    ret->kind = ROUTE_JSON_TEXT;
    ret->at = s->at;
    for (; s->at < s->end && *s->at != '"'; s->at++) {
        if ((unsigned char)*s->at < 0x20)
            return false;
        if (*s->at != '\\')
            continue;
        if (++s->at == s->end || !*s->at || !strchr("\"\\/bfnrtu", *s->at))
            return false;
        if (*s->at == 'u') {
            if (unit_at(s->at + 1, s->end) < 0)
                return false;
            s->at += 4;
        }
    }
    ret->len = (size_t)(s->at - ret->at);
    return take(s, '"');
}

static bool take_number(struct span *s)
{
    (void)take(s, '-');
    if (!take(s, '0') && !take_digits(s))
        return false;
    if (take(s, '.') && !take_digits(s))
        return false;
    if (!take(s, 'e') && !take(s, 'E'))
        return true;
    if (!take(s, '+'))
        (void)take(s, '-');
    return take_digits(s);
}

static bool take_word(struct span *s, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0)
        return false;
    s->at += n;
    return true;
}

/* A value that holds no others. */
static bool take_scalar(struct span *s, struct route_json *ret)
{
    const char *start = s->at;
    bool ok;

    if (s->at == s->end)
        return false;
    switch (*s->at) {
    case '"':
        return take_text(s, ret);
    case 'n':
        ret->kind = ROUTE_JSON_NULL;
        ok = take_word(s, "null");
        break;
    case 't':
        ret->kind = ROUTE_JSON_TRUE;
        ok = take_word(s, "true");
        break;
    case 'f':
        ret->kind = ROUTE_JSON_FALSE;
        ok = take_word(s, "false");
        break;
    default:
        ret->kind = ROUTE_JSON_NUMBER;
        ok = take_number(s);
        break;
    }
    ret->at = start;
    ret->len = (size_t)(s->at - start);
    return ok;
}

/* "name": with the space around it. */
static bool take_name(struct span *s, struct route_json *ret)
{
    skip_space(s);
    if (!take_text(s, ret))
        return false;
    skip_space(s);
    if (!take(s, ':'))
        return false;
    skip_space(s);
    return true;
}

/* Where the walk is: the open objects and arrays. */
struct nest {
    bool object[ROUTE_JSON_DEPTH_MAX];
    size_t depth;
};

/* A value's beginning: opens it, or takes it where it is a scalar. An object's first name is taken
 * too. RET_DONE: it is complete. */
static bool begin_value(struct span *s, struct nest *nest, bool *ret_done)
{
    struct route_json ignored;
    bool object = s->at < s->end && *s->at == '{';

    *ret_done = true;
    if (!object && !(s->at < s->end && *s->at == '['))
        return take_scalar(s, &ignored);
    if (nest->depth == ROUTE_JSON_DEPTH_MAX)
        return false;
    s->at++;
    skip_space(s);
    if (take(s, object ? '}' : ']'))
        return true;
    nest->object[nest->depth++] = object;
    *ret_done = false;
    return !object || take_name(s, &ignored);
}

/* What stands behind a complete value: the end of what holds it, again and again, or a comma.
 * RET_DONE: the outermost is closed. */
static bool end_value(struct span *s, struct nest *nest, bool *ret_done)
{
    struct route_json ignored;

    for (;;) {
        *ret_done = nest->depth == 0;
        if (*ret_done)
            return true;

        bool object = nest->object[nest->depth - 1];

        skip_space(s);
        if (take(s, object ? '}' : ']')) {
            nest->depth--;
            continue;
        }
        if (!take(s, ','))
            return false;
        skip_space(s);
        return !object || take_name(s, &ignored);
    }
}

/* One value of any kind. */
static bool take_value(struct span *s)
{
    struct nest nest;
    bool done = false;

    nest.depth = 0;
    while (!done) {
        if (!begin_value(s, &nest, &done))
            return false;
        if (done && !end_value(s, &nest, &done))
            return false;
    }
    return true;
}

bool route_json_valid(const char *text, size_t len)
{
    struct span s = {text, text + len};

    skip_space(&s);
    if (s.at == s.end || *s.at != '{' || !take_value(&s))
        return false;
    skip_space(&s);
    return s.at == s.end;
}

/* ---- finding; from here on the text is known to be valid ---- */

/* Behind the value at S, without checking it. */
static void skip_value(struct span *s)
{
    struct route_json ignored;
    size_t depth = 0;

    do {
        if (*s->at == '"') {
            (void)take_text(s, &ignored);
        } else if (*s->at == '{' || *s->at == '[') {
            depth++;
            s->at++;
        } else if (*s->at == '}' || *s->at == ']') {
            depth--;
            s->at++;
        } else if (depth > 0) {
            s->at++;
        } else {
            (void)take_scalar(s, &ignored);
        }
    } while (depth > 0);
}

static bool is_name(const struct route_json *found, const char *name, size_t len)
{
    char decoded[NAME_MAX_BYTES];

    if (!memchr(found->at, '\\', found->len))
        return found->len == len && memcmp(found->at, name, len) == 0;
    return found->len <= sizeof(decoded) && route_json_decode(found, decoded) == len &&
           memcmp(decoded, name, len) == 0;
}

/* Moves S from an object to its member NAME. */
static bool enter_member(struct span *s, const char *name, size_t len)
{
    const char *value = NULL;
    struct route_json found;

    if (!take(s, '{'))
        return false;
    skip_space(s);
    if (take(s, '}'))
        return false;
    do {
        if (!take_name(s, &found))
            return false;
        if (is_name(&found, name, len))
            value = s->at;
        skip_value(s);
        skip_space(s);
    } while (take(s, ','));
    s->at = value;
    return value != NULL;
}

/* Moves S from an array to an element. */
static bool enter_element(struct span *s, size_t index)
{
    if (!take(s, '['))
        return false;
    skip_space(s);
    if (s->at < s->end && *s->at == ']')
        return false;
    for (; index > 0; index--) {
        skip_value(s);
        skip_space(s);
        if (!take(s, ','))
            return false;
        skip_space(s);
    }
    return true;
}

bool route_json_find(const char *text, size_t len, const char *path, struct route_json *ret)
{
    struct span s = {text, text + len};

    skip_space(&s);
    while (*path) {
        size_t name = strcspn(path, ".[");

        if (!enter_member(&s, path, name))
            return false;
        path += name;
        if (*path == '[') {
            if (!enter_element(&s, (size_t)strtoul(path + 1, NULL, 10)))
                return false;
            path = strchr(path, ']') + 1;
        }
        if (*path == '.')
            path++;
    }
    if (*s.at == '{' || *s.at == '[') {
        ret->kind = *s.at == '{' ? ROUTE_JSON_OBJECT : ROUTE_JSON_ARRAY;
        ret->at = s.at;
        skip_value(&s);
        ret->len = (size_t)(s.at - ret->at);
        return true;
    }
    return take_scalar(&s, ret);
}

const char *route_json_path_error(const char *path, bool indices)
{
    for (;;) {
        size_t name = strcspn(path, ".[]");

        if (name == 0)
            return "a name is missing";
        path += name;
        if (*path == '[') {
            size_t n = strspn(path + 1, "0123456789");

            if (!indices)
                return "an index is not possible here";
            if (n == 0 || n > INDEX_DIGITS || path[n + 1] != ']')
                return "an index must be a number: name[0]";
            path += n + 2;
        }
        if (!*path)
            return NULL;
        if (*path != '.')
            return "behind a name or an index there must be a dot";
        path++;
    }
}

/* The character of an escape at AT, which stands behind the backslash; moves it on. */
static uint32_t take_escape(const char **at, const char *end)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = *(*at)++;
    int unit, low;

    if (c != 'u')
        return (unsigned char)to[strchr(from, c) - from];
    unit = unit_at(*at, end);
    *at += 4;
    if (unit < 0xD800 || unit > 0xDFFF)
        return (uint32_t)unit;
    low = end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u' ? unit_at(*at + 2, end) : -1;
    if (unit > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
        return 0xFFFD; /* half a character */
    *at += 6;
    return 0x10000U + (((uint32_t)unit - 0xD800U) << 10) + ((uint32_t)low - 0xDC00U);
}

size_t route_json_decode(const struct route_json *text, char *to)
{
    const char *at = text->at, *end = at + text->len;
    size_t n = 0;

    while (at < end) {
        if (*at != '\\') {
            to[n++] = *at++;
            continue;
        }
        at++;
        n += route_text_encode(take_escape(&at, end), to + n);
    }
    return n;
}
