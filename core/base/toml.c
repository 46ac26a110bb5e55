/* See toml.h. Statements and the tree are here; values (strings, numbers, arrays, inline tables)
 * are in toml_value.c. */
#include "core/base/toml.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/base/toml_parser.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How a table came to be, which decides who may add to it. */
enum {
    TABLE_HEADER = 1, /* by its own [header]: not a second time */
    TABLE_DOTTED = 2, /* by a dotted key: no [header] for it any more */
    TABLE_CLOSED = 4, /* inline: nobody adds to it */
    ARRAY_TABLES = 8, /* made by [[header]]: only such headers add to it */
};

static const char *const type_names[] = {
    [TOML_STRING] = "a string",    [TOML_INTEGER] = "a whole number", [TOML_FLOAT] = "a number",
    [TOML_BOOL] = "true or false", [TOML_TIME] = "a date or time",    [TOML_ARRAY] = "an array",
    [TOML_TABLE] = "a table",
};
_Static_assert(ARRAY_LEN(type_names) == TOML_TYPE_COUNT, "a name for each type");

const char *toml_type_name(enum toml_type type)
{
    return (unsigned)type < TOML_TYPE_COUNT ? type_names[type] : "something else";
}

/* ------------------------------------------------------------------------------- tree */

void toml_free(struct toml *node)
{
    if (!node)
        return;
    for (size_t i = 0; i < node->n_children; i++)
        toml_free(node->children[i]);
    free(node->children);
    if (node->text)
        explicit_bzero(node->text, node->len);
    free(node->text);
    free(node->key);
    free(node);
}

const struct toml *toml_get(const struct toml *table, const char *key)
{
    if (!table || table->type != TOML_TABLE)
        return NULL;
    for (size_t i = 0; i < table->n_children; i++)
        if (str_eq(table->children[i]->key, key))
            return table->children[i];
    return NULL;
}

static struct toml *member(const struct toml *table, const char *key)
{
    for (size_t i = 0; i < table->n_children; i++)
        if (str_eq(table->children[i]->key, key))
            return table->children[i];
    return NULL;
}

struct toml *toml_node(struct toml_parser *p, enum toml_type type)
{
    if (++p->nodes > TOML_NODES_MAX) {
        toml_fail(p, "more than %d values", TOML_NODES_MAX);
        return NULL;
    }
    struct toml *node = xcalloc(1, sizeof(*node));
    node->type = type;
    node->line = p->line;
    return node;
}

void toml_attach(struct toml *parent, struct toml *take_child)
{
    if ((parent->n_children & (parent->n_children - 1)) == 0) { /* full at 0, 1, 2, 4, 8, ... */
        size_t room = parent->n_children ? parent->n_children * 2 : 1;
        parent->children = xreallocarray(parent->children, room, sizeof(struct toml *));
    }
    parent->children[parent->n_children++] = take_child;
}

int toml_fail(struct toml_parser *p, const char *fmt, ...)
{
    char text[200];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(p->err, ERR_INVALID, "line %u: %s", p->line, text);
}

/* ------------------------------------------------------------------------------- blanks and keys
 */

void toml_skip_blanks(struct toml_parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t'))
        p->at++;
}

int toml_skip_comment(struct toml_parser *p)
{
    if (p->at == p->end || *p->at != '#')
        return 0;
    for (; p->at < p->end && *p->at != '\n'; p->at++) {
        unsigned char c = (unsigned char)*p->at;
        bool line_end = c == '\r' && p->at + 1 < p->end && p->at[1] == '\n';
        if ((c < 0x20 && c != '\t' && !line_end) || c == 0x7f)
            return toml_fail(p, "control character in a comment");
    }
    return 0;
}

bool toml_skip_newline(struct toml_parser *p)
{
    if (p->end - p->at >= 2 && p->at[0] == '\r' && p->at[1] == '\n')
        p->at++;
    if (p->at == p->end || *p->at != '\n')
        return false;
    p->at++;
    p->line++;
    return true;
}

static int end_of_line(struct toml_parser *p)
{
    toml_skip_blanks(p);
    if (toml_skip_comment(p) < 0)
        return -1;
    if (p->at == p->end || *p->at == '\n' ||
        (*p->at == '\r' && p->at + 1 < p->end && p->at[1] == '\n'))
        return 0;
    return toml_fail(p, "unexpected text after the value");
}

static bool bare_key_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static char *key_part(struct toml_parser *p)
{
    toml_skip_blanks(p);
    if (p->at < p->end && (*p->at == '"' || *p->at == '\'')) {
        auto_buf struct buf text = {0};
        if (toml_quoted(p, &text, false) < 0)
            return NULL;
        if (memchr(buf_str(&text), '\0', text.len)) {
            toml_fail(p, "a key holds a NUL");
            return NULL;
        }
        return buf_steal(&text);
    }
    const char *start = p->at;
    while (p->at < p->end && bare_key_char(*p->at))
        p->at++;
    if (p->at == start) {
        toml_fail(p, "a key is expected here");
        return NULL;
    }
    return xstrndup(start, (size_t)(p->at - start));
}

int toml_key(struct toml_parser *p, struct toml_key *ret)
{
    struct toml_key key = {0};
    for (;;) {
        if (key.n == TOML_DEPTH_MAX) {
            toml_key_done(&key);
            return toml_fail(p, "a key with more than %d parts", TOML_DEPTH_MAX);
        }
        char *part = key_part(p);
        if (!part) {
            toml_key_done(&key);
            return -1;
        }
        key.parts[key.n++] = part;
        toml_skip_blanks(p);
        if (p->at == p->end || *p->at != '.')
            break;
        p->at++;
    }
    *ret = key;
    return 0;
}

void toml_key_done(struct toml_key *key)
{
    for (size_t i = 0; i < key->n; i++)
        free(key->parts[i]);
    key->n = 0;
}

/* ------------------------------------------------------------------------------- statements */

static int twice(struct toml_parser *p, const char *name, const struct toml *first)
{
    return toml_fail(p, "key '%s' is already there (line %u)", name, first->line);
}

static struct toml *new_member(struct toml_parser *p, struct toml *table, const char *key,
                               enum toml_type type)
{
    struct toml *node = toml_node(p, type);
    if (!node)
        return NULL;
    node->key = xstrdup(key);
    toml_attach(table, node);
    return node;
}

/* One step down: the table NAME inside TABLE, made where it is missing. Of an array of tables the
 * last one. */
static struct toml *step(struct toml_parser *p, struct toml *table, const char *name, bool dotted)
{
    struct toml *next = member(table, name);
    if (!next) {
        next = new_member(p, table, name, TOML_TABLE);
        if (next && dotted)
            next->flags = TABLE_DOTTED;
        return next;
    }
    if (next->type == TOML_ARRAY && (next->flags & ARRAY_TABLES) && !dotted)
        next = next->children[next->n_children - 1];
    if (next->type != TOML_TABLE || (next->flags & TABLE_CLOSED) ||
        (dotted && !(next->flags & TABLE_DOTTED))) {
        (void)twice(p, name, next);
        return NULL;
    }
    return next;
}

int toml_assign(struct toml_parser *p, struct toml *table)
{
    ATTR_CLEANUP(toml_key_done) struct toml_key key = {0};
    if (toml_key(p, &key) < 0)
        return -1;
    for (size_t i = 0; i + 1 < key.n; i++)
        if (!(table = step(p, table, key.parts[i], true)))
            return -1;

    const char *name = key.parts[key.n - 1];
    const struct toml *first = member(table, name);
    if (first)
        return twice(p, name, first);
    if (p->at == p->end || *p->at != '=')
        return toml_fail(p, "'=' is missing after key '%s'", name);
    p->at++;
    toml_skip_blanks(p);
    struct toml *value = toml_value(p);
    if (!value)
        return err_hint(p->err, "look at the value of '%s'", name);
    if (value->type == TOML_TABLE)
        value->flags = TABLE_CLOSED;
    value->key = xstrdup(name);
    toml_attach(table, value);
    return 0;
}

static struct toml *add_array_table(struct toml_parser *p, struct toml *table, const char *name)
{
    struct toml *array = member(table, name);
    if (!array) {
        array = new_member(p, table, name, TOML_ARRAY);
        if (!array)
            return NULL;
        array->flags = ARRAY_TABLES;
    } else if (array->type != TOML_ARRAY || !(array->flags & ARRAY_TABLES)) {
        (void)twice(p, name, array);
        return NULL;
    }
    struct toml *node = toml_node(p, TOML_TABLE);
    if (node)
        toml_attach(array, node);
    return node;
}

static struct toml *add_table(struct toml_parser *p, struct toml *table, const char *name)
{
    struct toml *node = member(table, name);
    if (!node)
        node = new_member(p, table, name, TOML_TABLE);
    else if (node->type != TOML_TABLE || node->flags) {
        (void)twice(p, name, node);
        return NULL;
    }
    if (node) {
        node->flags = TABLE_HEADER;
        node->line = p->line;
    }
    return node;
}

/* "[a.b]" or "[[a.b]]": the table that the following keys go into. */
static struct toml *header(struct toml_parser *p, struct toml *root)
{
    ATTR_CLEANUP(toml_key_done) struct toml_key key = {0};
    bool array = p->end - p->at >= 2 && p->at[1] == '[';
    size_t brackets = array ? 2 : 1;
    p->at += brackets;
    if (toml_key(p, &key) < 0)
        return NULL;

    const char *name = key.parts[key.n - 1];
    if ((size_t)(p->end - p->at) < brackets || memcmp(p->at, "]]", brackets) != 0) {
        toml_fail(p, "']' is missing after the table's name '%s'", name);
        return NULL;
    }
    struct toml *table = root;
    for (size_t i = 0; i + 1 < key.n; i++)
        if (!(table = step(p, table, key.parts[i], false)))
            return NULL;
    p->at += brackets;
    return array ? add_array_table(p, table, name) : add_table(p, table, name);
}

static int statement(struct toml_parser *p, struct toml *root, struct toml **table)
{
    toml_skip_blanks(p);
    if (p->at < p->end && *p->at == '[') {
        *table = header(p, root);
        if (!*table)
            return -1;
    } else if (p->at < p->end && *p->at != '#' && *p->at != '\n' && *p->at != '\r') {
        if (toml_assign(p, *table) < 0)
            return -1;
    }
    return end_of_line(p);
}

static int check_utf8(struct toml_parser *p)
{
    unsigned line = 1;
    for (const char *at = p->at; at < p->end;) {
        uint32_t point = 0;
        size_t n = str_utf8_decode(at, (size_t)(p->end - at), &point);
        if (n == 0) {
            p->line = line;
            return toml_fail(p, "not UTF-8 text");
        }
        line += point == '\n';
        at += n;
    }
    return 0;
}

struct toml *toml_parse(const char *text, size_t len, struct err *err)
{
    struct toml_parser parser = {.at = text, .end = text + len, .line = 1, .err = err};
    struct toml_parser *p = &parser;
    if (len > TOML_TEXT_MAX) {
        err_set(err, ERR_INVALID, "the file is larger than %u KiB", TOML_TEXT_MAX >> 10);
        return NULL;
    }
    if (check_utf8(p) < 0)
        return NULL;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        p->at += 3;

    auto_toml struct toml *root = toml_node(p, TOML_TABLE);
    struct toml *table = root;
    while (p->at < p->end) {
        if (statement(p, root, &table) < 0)
            return NULL;
        if (p->at < p->end && !toml_skip_newline(p)) {
            (void)toml_fail(p, "a line end is expected here");
            return NULL;
        }
    }
    return steal(root);
}
