/* See frame.h. Lines are handed out in place; their bytes are dropped at the next push, all at
 * once, so that many small lines in one read do not move the rest each time. What was scanned is
 * not scanned again: a long line costs its length, not its square. */
#include "core/rpc/frame.h"

#include <string.h>

void frame_done(struct frame *f)
{
    buf_wipe(&f->data);
    *f = (struct frame){0};
}

void frame_push(struct frame *f, const void *data, size_t len)
{
    if (f->taken)
        buf_consume(&f->data, f->taken);
    f->scanned -= f->taken;
    f->taken = 0;
    buf_append(&f->data, data, len);
}

static int too_long(struct err *err)
{
    return err_set(err, ERR_PROTOCOL, "a line is longer than %u bytes", FRAME_MAX);
}

int frame_next(struct frame *f, const char **ret_line, size_t *ret_len, struct err *err)
{
    while (f->scanned < f->data.len) {
        const char *line = f->data.data + f->taken;
        const char *end = memchr(f->data.data + f->scanned, '\n', f->data.len - f->scanned);
        size_t len = end ? (size_t)(end - line) : f->data.len - f->taken;
        if (len > FRAME_MAX)
            return too_long(err);
        if (!end) {
            f->scanned = f->data.len;
            return 0;
        }
        f->taken += len + 1;
        f->scanned = f->taken;
        if (len == 0)
            continue;
        *ret_line = line;
        *ret_len = len;
        return 1;
    }
    return 0;
}

void frame_wipe_taken(struct frame *f)
{
    if (f->taken)
        explicit_bzero(f->data.data, f->taken);
}
