/* What conditions can call; see route_private.h. A result that makes no sense is undefined, so that
 * the message does not take the route. */
#include "vm/guest/hub/route_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NUMBER_TEXT_MAX 64

struct value value_bool(bool yes)
{
    return (struct value){.kind = VALUE_BOOL, .yes = yes};
}

struct value value_number(double number)
{
    return (struct value){.kind = isnan(number) ? VALUE_UNDEFINED : VALUE_NUMBER, .number = number};
}

struct value value_text(const char *at, size_t len)
{
    return (struct value){.kind = VALUE_TEXT, .at = at, .len = len};
}

static const struct value undefined = {.kind = VALUE_UNDEFINED};

static bool is_number(const struct value *v)
{
    return v->kind == VALUE_NUMBER;
}

static bool is_text(const struct value *v)
{
    return v->kind == VALUE_TEXT && v->at;
}

/* ---- numbers ---- */

static struct value fn_abs(const struct route_call *c)
{
    return is_number(c->args) ? value_number(fabs(c->args->number)) : undefined;
}

static struct value fn_ceiling(const struct route_call *c)
{
    return is_number(c->args) ? value_number(ceil(c->args->number)) : undefined;
}

static struct value fn_exp(const struct route_call *c)
{
    return is_number(c->args) ? value_number(exp(c->args->number)) : undefined;
}

static struct value fn_floor(const struct route_call *c)
{
    return is_number(c->args) ? value_number(floor(c->args->number)) : undefined;
}

static struct value fn_power(const struct route_call *c)
{
    if (!is_number(&c->args[0]) || !is_number(&c->args[1]))
        return undefined;
    return value_number(pow(c->args[0].number, c->args[1].number));
}

static struct value fn_sign(const struct route_call *c)
{
    double n = c->args->number;

    return is_number(c->args) ? value_number((n > 0) - (n < 0)) : undefined;
}

static struct value fn_sqrt(const struct route_call *c)
{
    return is_number(c->args) ? value_number(sqrt(c->args->number)) : undefined;
}

static struct value fn_square(const struct route_call *c)
{
    return is_number(c->args) ? value_number(c->args->number * c->args->number) : undefined;
}

/* A decimal number with white space around it. */
static struct value fn_as_number(const struct route_call *c)
{
    const struct value *v = c->args;
    char text[NUMBER_TEXT_MAX];
    char *end;

    if (is_number(v))
        return *v;
    if (!is_text(v) || v->len >= sizeof(text) || memchr(v->at, '\0', v->len))
        return undefined;
    memcpy(text, v->at, v->len);
    text[v->len] = '\0';
    /* strtod takes more than that: hexadecimal, "nan". */
    if (text[strspn(text, "0123456789+-.eE \t\r\n")] != '\0')
        return undefined;

    double number = strtod(text, &end);

    if (end == text || end[strspn(end, " \t\r\n")] != '\0')
        return undefined;
    return value_number(number);
}

/* ---- types ---- */

static struct value fn_is_bool(const struct route_call *c)
{
    return value_bool(c->args->kind == VALUE_BOOL);
}

static struct value fn_is_defined(const struct route_call *c)
{
    return value_bool(c->args->kind != VALUE_UNDEFINED && c->args->kind != VALUE_MISSING);
}

static struct value fn_is_null(const struct route_call *c)
{
    const struct value *v = c->args;

    return value_bool(v->kind == VALUE_NULL || v->kind == VALUE_MISSING ||
                      (v->kind == VALUE_TEXT && !v->at));
}

static struct value fn_is_number(const struct route_call *c)
{
    return value_bool(is_number(c->args) && !isinf(c->args->number));
}

static struct value fn_is_string(const struct route_call *c)
{
    return value_bool(is_text(c->args));
}

/* ---- texts ---- */

/* Where TEXT holds PART, or NULL. */
static const char *find(const struct value *text, const struct value *part)
{
    return memmem(text->at, text->len, part->at, part->len);
}

static bool are_texts(const struct route_call *c)
{
    return is_text(&c->args[0]) && is_text(&c->args[1]);
}

/* A property without a value adds nothing. */
struct value route_concat(const struct route_call *c)
{
    size_t len = 0;

    for (unsigned i = 0; i < c->n; i++) {
        if (c->args[i].kind != VALUE_TEXT)
            return undefined;
        len += c->args[i].len;
    }

    char *to = route_input_room(c->in, len);

    if (!to)
        return undefined;
    len = 0;
    for (unsigned i = 0; i < c->n; i++) {
        if (c->args[i].len > 0)
            memcpy(to + len, c->args[i].at, c->args[i].len);
        len += c->args[i].len;
    }
    return value_text(to, len);
}

static struct value fn_contains(const struct route_call *c)
{
    return are_texts(c) ? value_bool(find(&c->args[0], &c->args[1]) != NULL) : undefined;
}

static struct value fn_ends_with(const struct route_call *c)
{
    const struct value *text = &c->args[0], *part = &c->args[1];

    if (!are_texts(c))
        return undefined;
    return value_bool(text->len >= part->len &&
                      memcmp(text->at + text->len - part->len, part->at, part->len) == 0);
}

static struct value fn_index_of(const struct route_call *c)
{
    if (!are_texts(c))
        return undefined;

    const char *found = find(&c->args[0], &c->args[1]);

    if (!found)
        return value_number(-1);
    return value_number((double)route_text_units(c->args[0].at, (size_t)(found - c->args[0].at)));
}

static struct value fn_length(const struct route_call *c)
{
    if (!is_text(c->args))
        return undefined;
    return value_number((double)route_text_units(c->args->at, c->args->len));
}

static struct value fn_lower(const struct route_call *c)
{
    return is_text(c->args) ? route_text_case(c->in, *c->args, false) : undefined;
}

static struct value fn_starts_with(const struct route_call *c)
{
    const struct value *text = &c->args[0], *part = &c->args[1];

    if (!are_texts(c))
        return undefined;
    return value_bool(text->len >= part->len && memcmp(text->at, part->at, part->len) == 0);
}

/* A number as a position in a text of LEN bytes; false where it cannot be one. */
static bool to_position(const struct value *v, size_t len, size_t *ret)
{
    if (!is_number(v) || v->number < 0 || v->number > (double)len)
        return false;
    *ret = (size_t)v->number;
    return true;
}

/* substring(text, start[, length]); what does not lie within the text is undefined. */
static struct value fn_substring(const struct route_call *c)
{
    const struct value *text = &c->args[0];
    size_t start, length;

    if (!is_text(text) || !to_position(&c->args[1], text->len, &start))
        return undefined;
    start = route_text_byte(text->at, text->len, start);
    if (start == SIZE_MAX)
        return undefined;

    const char *at = text->at + start;
    size_t rest = text->len - start;

    if (c->n == 2)
        return value_text(at, rest);
    if (rest == 0 || !to_position(&c->args[2], rest, &length))
        return undefined;
    length = route_text_byte(at, rest, length);
    return length == SIZE_MAX ? undefined : value_text(at, length);
}

static struct value fn_upper(const struct route_call *c)
{
    return is_text(c->args) ? route_text_case(c->in, *c->args, true) : undefined;
}

static const struct route_function functions[] = {
    {"abs", "n", 1, false, ROUTE_TYPE_NUMBER, fn_abs},
    {"as_number", "a", 1, false, ROUTE_TYPE_NUMBER, fn_as_number},
    {"ceiling", "n", 1, false, ROUTE_TYPE_NUMBER, fn_ceiling},
    {"concat", "tt", 2, true, ROUTE_TYPE_TEXT, route_concat},
    {"contains", "tt", 2, false, ROUTE_TYPE_BOOL, fn_contains},
    {"ends_with", "tt", 2, false, ROUTE_TYPE_BOOL, fn_ends_with},
    {"exp", "n", 1, false, ROUTE_TYPE_NUMBER, fn_exp},
    {"floor", "n", 1, false, ROUTE_TYPE_NUMBER, fn_floor},
    {"index_of", "tt", 2, false, ROUTE_TYPE_NUMBER, fn_index_of},
    {"is_bool", "x", 1, false, ROUTE_TYPE_BOOL, fn_is_bool},
    {"is_defined", "x", 1, false, ROUTE_TYPE_BOOL, fn_is_defined},
    {"is_null", "x", 1, false, ROUTE_TYPE_BOOL, fn_is_null},
    {"is_number", "x", 1, false, ROUTE_TYPE_BOOL, fn_is_number},
    {"is_string", "x", 1, false, ROUTE_TYPE_BOOL, fn_is_string},
    {"length", "t", 1, false, ROUTE_TYPE_NUMBER, fn_length},
    {"lower", "t", 1, false, ROUTE_TYPE_TEXT, fn_lower},
    {"power", "nn", 2, false, ROUTE_TYPE_NUMBER, fn_power},
    {"sign", "n", 1, false, ROUTE_TYPE_NUMBER, fn_sign},
    {"sqrt", "n", 1, false, ROUTE_TYPE_NUMBER, fn_sqrt},
    {"square", "n", 1, false, ROUTE_TYPE_NUMBER, fn_square},
    {"starts_with", "tt", 2, false, ROUTE_TYPE_BOOL, fn_starts_with},
    {"substring", "tnn", 2, false, ROUTE_TYPE_TEXT, fn_substring},
    {"upper", "t", 1, false, ROUTE_TYPE_TEXT, fn_upper},
};

const struct route_function *route_function_find(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (strlen(functions[i].name) == len && strncasecmp(functions[i].name, name, len) == 0)
            return &functions[i];
    return NULL;
}
