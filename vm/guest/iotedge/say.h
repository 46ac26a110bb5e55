/* What the command writes for people: at most 80 columns, plain ASCII, so that a serial line shows
 * it; what others wrote passes the sanitiser here. */
#ifndef BERTH_IOTEDGE_SAY_H
#define BERTH_IOTEDGE_SAY_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "vm/guest/iotedge/iotedge.h"

#include <stdbool.h>

#define SAY_COLUMNS 80

/* Appends TEXT as lines of at most SAY_COLUMNS, each behind INDENT blanks but for the first, which
 * stands where OUT ends (at column INDENT). A word that is longer stays whole. */
void say_wrap(struct buf *out, size_t indent, const char *text);

/* "iotedge: MESSAGE", and what to do next, to standard error. Returns the exit status for it. */
int say_error(const struct err *err);
/* One line, wrapped, to standard output or error. */
void say(const char *fmt, ...) ATTR_PRINTF(1, 2);
void say_note(const char *fmt, ...) ATTR_PRINTF(1, 2);
/* A wrong command line: MESSAGE "" where getopt has said it already. */
int say_usage(const char *usage, const char *message);

/* Sends what was printed on its way; false, and said so, where it cannot be written. */
bool say_flush(void);

/* Rows of cells that line up in columns. */
#define SAY_CELLS_MAX 4
struct say_row {
    char *cells[SAY_CELLS_MAX]; /* NULL: none */
};
struct say_table {
    struct say_row *rows;
    size_t n;
};
void say_table_add(struct say_table *t, const char *a, const char *b, const char *c, const char *d);
void say_table_print(const struct say_table *t, struct buf *out);
void say_table_done(struct say_table *t);
#define auto_say_table ATTR_CLEANUP(say_table_done)

#endif
