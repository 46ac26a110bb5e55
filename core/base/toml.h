/* TOML 1.0 as a tree whose nodes know their line, for configuration files that people write.
 * Bounded (size, nesting, number of values), so that any bytes may be thrown at it. Pure; any
 * thread. */
#ifndef BERTH_BASE_TOML_H
#define BERTH_BASE_TOML_H

#include "core/base/attr.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOML_TEXT_MAX  (256U << 10)
#define TOML_DEPTH_MAX 16
#define TOML_NODES_MAX 8192

enum toml_type {
    TOML_STRING,
    TOML_INTEGER,
    TOML_FLOAT,
    TOML_BOOL,
    TOML_TIME, /* any of the date and time forms: checked for shape, kept as text */
    TOML_ARRAY,
    TOML_TABLE,
    TOML_TYPE_COUNT
};

struct toml {
    enum toml_type type;
    unsigned line; /* where the value begins; of a table its header or first key */
    char *key;     /* its name in the table around it; NULL in arrays and for the root */
    char *text;    /* STRING, TIME: NUL-terminated; may hold NULs of its own: see len */
    size_t len;
    int64_t integer;        /* INTEGER; BOOL: 0 or 1 */
    double number;          /* FLOAT */
    struct toml **children; /* ARRAY, TABLE: in the order of the file */
    size_t n_children;
    unsigned flags; /* the parser's */
};

/* Parses a whole document into its root table. Errors are ERR_INVALID and begin with "line N: ".
 * Free with toml_free. */
struct toml *toml_parse(const char *text, size_t len, struct err *err) ATTR_USE_RESULT;
void toml_free(struct toml *node); /* wipes the strings: they may be keys */
DEFINE_AUTO(toml, struct toml, toml_free)
#define auto_toml ATTR_CLEANUP(toml_freep)

/* The member KEY of a table; NULL where it is missing or TABLE is no table. TABLE may be NULL. */
const struct toml *toml_get(const struct toml *table, const char *key);
const char *toml_type_name(enum toml_type type); /* "a string", "a table", ... for messages */

#endif
