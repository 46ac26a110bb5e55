/* Which lines a person wants to see: a pattern to show, a pattern to hide, a lowest level; and the
 * level of a line. Patterns are PCRE2; a pattern that takes too long on a line counts as matched
 * for showing and as not matched for hiding: no line disappears because of it. One thread. */
#ifndef BERTH_LOGS_FILTER_H
#define BERTH_LOGS_FILTER_H

#include "core/base/attr.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILTER_PATTERN_MAX 512

enum line_level {
    LINE_LEVEL_NONE,
    LINE_LEVEL_INFO,
    LINE_LEVEL_WARN,
    LINE_LEVEL_ERROR,
    LINE_LEVEL_COUNT
};

/* The level that the line names itself (its first such word within the first 160 bytes): "[ERR]",
 * "WARN", "level=info", "<3>", "E1121 ...". */
enum line_level line_level_of(const char *text, size_t len);
char line_level_letter(enum line_level level); /* ' ', 'I', 'W', 'E' */

struct filter_options {
    const char *show;    /* NULL or "": all */
    const char *hide;    /* NULL or "": none */
    bool match_case;     /* else letters match in either case */
    enum line_level min; /* lines without a level pass only where this is NONE */
};

struct filter;

/* NULL with ERR_INVALID naming the pattern and the place in it. */
struct filter *filter_new(const struct filter_options *options, struct err *err) ATTR_USE_RESULT;
void filter_free(struct filter *f);
DEFINE_AUTO(filter, struct filter, filter_free)
#define auto_filter ATTR_CLEANUP(filter_freep)

/* TEXT may hold any bytes. */
bool filter_passes(struct filter *f, const char *text, size_t len);

/* Where the show pattern matches next at or behind FROM, for highlighting and search. False where
 * it does not (or there is none). Never an empty match. */
bool filter_find(struct filter *f, const char *text, size_t len, size_t from, size_t *ret_at,
                 size_t *ret_len);

/* Lines on which a pattern gave up since the filter was made. */
uint64_t filter_gave_up(const struct filter *f);

#endif
