/* See say.h. */
#include "vm/guest/iotedge/say.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define GAP 3 /* blanks between columns */

/* ------------------------------------------------------------------------------- text */

void say_wrap(struct buf *out, size_t indent, const char *text)
{
    size_t column = indent;
    while (*text) {
        size_t n = strcspn(text, " \n");
        if (column > indent && column + 1 + n > SAY_COLUMNS) {
            buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        }
        if (n && column > indent) {
            buf_putc(out, ' ');
            column++;
        }
        buf_append(out, text, n);
        column += n;
        text += n;
        if (*text == '\n') {
            buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        }
        text += *text != '\0';
    }
}

static void put_wrapped(FILE *to, const char *text)
{
    auto_buf struct buf out = {0};
    say_wrap(&out, 0, text);
    (void)fprintf(to, "%s\n", buf_str(&out));
}

void say(const char *fmt, ...)
{
    va_list ap;
    auto_buf struct buf text = {0};
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    put_wrapped(stdout, buf_str(&text));
}

void say_note(const char *fmt, ...)
{
    va_list ap;
    auto_buf struct buf text = {0};
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    (void)fflush(stdout);
    put_wrapped(stderr, buf_str(&text));
}

static enum iotedge_exit exit_of(enum err_kind kind)
{
    static const enum iotedge_exit exits[ERR_KIND_COUNT] = {
        [ERR_INVALID] = IOTEDGE_INVALID,         [ERR_UNSUPPORTED] = IOTEDGE_INVALID,
        [ERR_NOT_FOUND] = IOTEDGE_NOT_FOUND,     [ERR_AUTH] = IOTEDGE_PERMISSION,
        [ERR_UNREACHABLE] = IOTEDGE_UNREACHABLE, [ERR_TIMEOUT] = IOTEDGE_TIMEOUT,
    };
    return exits[kind] == IOTEDGE_DONE ? IOTEDGE_FAILED : exits[kind];
}

int say_error(const struct err *err)
{
    say_note("iotedge: %s", err->msg);
    if (err->hint[0])
        say_note("Next: %s", err->hint);
    else if (err->kind == ERR_AUTH)
        say_note("Next: run it as root.");
    return (int)exit_of(err->kind);
}

int say_usage(const char *usage, const char *message)
{
    if (*message)
        say_note("iotedge: %s", message);
    (void)fputs(usage, stderr);
    return IOTEDGE_USAGE;
}

bool say_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    struct err err;
    err_sys(&err, errno, "write to standard output");
    (void)say_error(&err);
    return false;
}

/* ------------------------------------------------------------------------------- tables */

void say_table_add(struct say_table *t, const char *a, const char *b, const char *c, const char *d)
{
    const char *const cells[SAY_CELLS_MAX] = {a, b, c, d};
    t->rows = xreallocarray(t->rows, t->n + 1, sizeof(*t->rows));
    struct say_row *row = &t->rows[t->n++];
    *row = (struct say_row){0};
    for (size_t i = 0; i < SAY_CELLS_MAX && cells[i]; i++) {
        struct buf clean = {0};
        str_sanitise(&clean, cells[i], strlen(cells[i]));
        row->cells[i] = buf_steal(&clean);
    }
}

static size_t cell_width(const char *cell)
{
    size_t width = 0;
    for (; *cell; cell++)
        width += ((unsigned char)*cell & 0xC0) != 0x80;
    return width;
}

static size_t column_width(const struct say_table *t, size_t column)
{
    size_t width = 0;
    for (size_t i = 0; i < t->n; i++) {
        const char *cell = t->rows[i].cells[column];
        size_t n = cell ? cell_width(cell) : 0;
        width = n > width ? n : width;
    }
    return width;
}

void say_table_print(const struct say_table *t, struct buf *out)
{
    size_t widths[SAY_CELLS_MAX];
    for (size_t i = 0; i < SAY_CELLS_MAX; i++)
        widths[i] = column_width(t, i);
    for (size_t i = 0; i < t->n; i++) {
        for (size_t j = 0; j < SAY_CELLS_MAX && t->rows[i].cells[j]; j++) {
            const char *cell = t->rows[i].cells[j];
            bool last = j + 1 == SAY_CELLS_MAX || !t->rows[i].cells[j + 1];
            buf_printf(out, "%s%*s", cell, last ? 0 : (int)(widths[j] - cell_width(cell) + GAP),
                       "");
        }
        buf_putc(out, '\n');
    }
}

void say_table_done(struct say_table *t)
{
    for (size_t i = 0; i < t->n; i++)
        for (size_t j = 0; j < SAY_CELLS_MAX; j++)
            free(t->rows[i].cells[j]);
    free(t->rows);
    *t = (struct say_table){0};
}
