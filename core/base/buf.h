/* A growing byte buffer, always NUL-terminated behind len. `struct buf b = {0}` is a valid empty
 * one. Whoever appends bytes from a peer bounds the total first: growth itself has no limit but
 * memory. */
#ifndef BERTH_BASE_BUF_H
#define BERTH_BASE_BUF_H

#include "core/base/attr.h"

#include <stdarg.h>
#include <stddef.h>

struct buf {
    char *data; /* NULL while nothing was ever appended */
    size_t len;
    size_t cap;
};

void buf_done(struct buf *b); /* frees; b is empty and usable again */
void buf_wipe(struct buf *b); /* overwrites the content, then buf_done() */
#define auto_buf       ATTR_CLEANUP(buf_done)
#define auto_wiped_buf ATTR_CLEANUP(buf_wipe)

/* Makes room for MORE bytes behind len and returns where they go; buf_commit() then says how many
 * of them came. */
char *buf_reserve(struct buf *b, size_t more);
void buf_commit(struct buf *b, size_t came);
void buf_append(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) ATTR_PRINTF(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) ATTR_PRINTF(2, 0);

/* Drops N bytes from the front (N <= len). */
void buf_consume(struct buf *b, size_t n);
/* Empties, keeps the memory. */
void buf_clear(struct buf *b);
/* The text as a heap string for the caller; b becomes empty. Never NULL. */
char *buf_steal(struct buf *b) ATTR_USE_RESULT;
/* The text, "" where nothing was appended. Borrowed until the next call. */
const char *buf_str(const struct buf *b);

#endif
