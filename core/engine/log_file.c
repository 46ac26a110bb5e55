/* See log_file.h. The file is looked at four times a second: inotify would not see QEMU's or
 * virtlogd's writes on every file system, and a stat costs nothing. */
#include "core/engine/log_file.h"

#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define LOG_FILE_POLL_MS 250
#define LOG_FILE_READ    65536

struct log_file {
    uv_timer_t timer;
    char *path;
    int fd; /* -1: not there (yet) */
    off_t at;
    bool follow, paused, closed;
    bool (*data)(void *arg, const char *data, size_t len);
    void (*end)(void *arg);
    void *arg;
};

static int open_file(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

/* Where the last TAIL lines begin. */
static off_t tail_offset(int fd, uint64_t tail)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return 0;
    off_t base = st.st_size > (off_t)LOG_FILE_BACK ? st.st_size - (off_t)LOG_FILE_BACK : 0;
    size_t size = (size_t)(st.st_size - base);
    auto_free char *text = xmalloc(size + 1);
    ssize_t n = pread(fd, text, size, base);
    if (n <= 0 || tail == 0)
        return st.st_size;
    size_t at = (size_t)n;
    if (text[at - 1] == '\n')
        at--;
    for (; at > 0; at--)
        if (text[at - 1] == '\n' && --tail == 0)
            return base + (off_t)at;
    if (base == 0)
        return 0;
    const char *line = memchr(text, '\n', (size_t)n); /* begin with a whole line */
    return line ? base + (line - text) + 1 : base;
}

/* A file that was replaced (log rotation) or cut is read from its beginning. */
static void check_replaced(struct log_file *f)
{
    struct stat now;
    struct stat ours;
    if (f->fd >= 0 && fstat(f->fd, &ours) == 0 && stat(f->path, &now) == 0 &&
        now.st_ino == ours.st_ino) {
        if (ours.st_size < f->at)
            f->at = 0;
        return;
    }
    int fd = open_file(f->path);
    if (fd < 0)
        return;
    if (f->fd >= 0)
        (void)close(f->fd);
    f->fd = fd;
    f->at = 0;
}

static void on_timer(uv_timer_t *timer)
{
    struct log_file *f = timer->data;
    auto_free char *block = xmalloc(LOG_FILE_READ);
    ssize_t n = 0;
    while (!f->paused && !f->closed && f->fd >= 0 &&
           (n = pread(f->fd, block, LOG_FILE_READ, f->at)) > 0) {
        f->at += n;
        f->paused = !f->data(f->arg, block, (size_t)n);
    }
    if (f->paused || f->closed)
        return;
    if (f->follow) {
        check_replaced(f);
        (void)uv_timer_start(&f->timer, on_timer, LOG_FILE_POLL_MS, 0);
    } else {
        f->end(f->arg);
    }
}

struct log_file *log_file_open(uv_loop_t *loop, const struct log_file_options *options,
                               bool (*data)(void *arg, const char *data, size_t len),
                               void (*end)(void *arg), void *arg, struct err *err)
{
    int fd = open_file(options->path);
    if (fd < 0 && errno != ENOENT) {
        err_sys(err, errno, "open %s", options->path);
        return NULL;
    }
    struct log_file *f = xcalloc(1, sizeof(*f));
    f->path = xstrdup(options->path);
    f->fd = fd;
    f->at = fd >= 0 ? tail_offset(fd, options->tail) : 0;
    f->follow = options->follow;
    f->data = data;
    f->end = end;
    f->arg = arg;
    (void)uv_timer_init(loop, &f->timer);
    f->timer.data = f;
    (void)uv_timer_start(&f->timer, on_timer, 0, 0);
    return f;
}

void log_file_resume(struct log_file *f)
{
    f->paused = false;
    (void)uv_timer_start(&f->timer, on_timer, 0, 0);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct log_file *f = handle->data;
    free(f->path);
    free(f);
}

void log_file_close(struct log_file *f)
{
    if (!f || f->closed)
        return;
    f->closed = true;
    if (f->fd >= 0)
        (void)close(f->fd);
    f->fd = -1;
    uv_close((uv_handle_t *)&f->timer, on_timer_closed);
}
