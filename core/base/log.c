/* See log.h. */
#include "core/base/log.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LOG_RECENT_MAX 500
#define LOG_FILE_MAX   (4U << 20)
#define LOG_LINE_MAX   2048

static const char *const level_names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_ERROR] = "error",
};
_Static_assert(ARRAY_LEN(level_names) == LOG_LEVEL_COUNT, "a name for each level");

struct ring {
    char *lines[LOG_RECENT_MAX]; /* circular; NULL where never used */
    size_t next;
};

static struct {
    pthread_mutex_t lock;
    int fd;
    char *path; /* NULL: standard error */
    enum log_level min;
    struct ring recent, apart;
    const char *apart_area; /* whose lines are in `apart`; NULL: nobody's */
    void (*tap)(void *arg, const char *line);
    void *tap_arg;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO, .min = LOG_LEVEL_INFO};

static void forget(struct ring *ring)
{
    for (size_t i = 0; i < LOG_RECENT_MAX; i++) {
        free(ring->lines[i]);
        ring->lines[i] = NULL;
    }
}

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
}

int log_open(const char *path, enum log_level min, struct err *err)
{
    int fd = path ? open_file(path) : STDERR_FILENO;
    if (fd < 0)
        return err_sys(err, errno, "open log %s", path);
    log_close();
    pthread_mutex_lock(&state.lock);
    state.fd = fd;
    state.path = path ? xstrdup(path) : NULL;
    state.min = min;
    pthread_mutex_unlock(&state.lock);
    return 0;
}

void log_close(void)
{
    pthread_mutex_lock(&state.lock);
    if (state.path)
        (void)close(state.fd);
    free(state.path);
    state.path = NULL;
    state.fd = STDERR_FILENO;
    forget(&state.recent);
    forget(&state.apart);
    pthread_mutex_unlock(&state.lock);
}

void log_set_level(enum log_level min)
{
    pthread_mutex_lock(&state.lock);
    state.min = min;
    pthread_mutex_unlock(&state.lock);
}

const char *log_level_name(enum log_level level)
{
    return (unsigned)level < LOG_LEVEL_COUNT ? level_names[level] : "error";
}

int log_level_parse(const char *name, enum log_level *ret_level, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (str_eq(name, level_names[i])) {
            *ret_level = (enum log_level)i;
            return 0;
        }
    }
    err_set(err, ERR_INVALID, "log level \"%s\" is not known", name);
    return err_hint(err, "use debug, info, warn or error");
}

static void rotate_if_large(void)
{
    struct stat st;
    if (!state.path || fstat(state.fd, &st) < 0 || st.st_size < (off_t)LOG_FILE_MAX)
        return;
    auto_free char *old = xasprintf("%s.1", state.path);
    if (rename(state.path, old) < 0)
        return;
    int fd = open_file(state.path);
    if (fd < 0)
        return; /* go on writing to the renamed file rather than lose lines */
    (void)close(state.fd);
    state.fd = fd;
}

static void remember(struct ring *ring, const char *line)
{
    free(ring->lines[ring->next]);
    ring->lines[ring->next] = xstrdup(line);
    ring->next = (ring->next + 1) % LOG_RECENT_MAX;
}

static void recall(const struct ring *ring, void (*fn)(void *arg, const char *line), void *arg)
{
    for (size_t i = 0; i < LOG_RECENT_MAX; i++) {
        const char *line = ring->lines[(ring->next + i) % LOG_RECENT_MAX];
        if (line)
            fn(arg, line);
    }
}

void log_line(enum log_level level, const char *area, const char *fmt, ...)
{
    char text[LOG_LINE_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);

    char when[CLOCK_TEXT_MAX];
    clock_format(when, sizeof(when), clock_wall_ms());
    auto_buf struct buf line = {0};
    buf_printf(&line, "%s %-5s %s: ", when, log_level_name(level), area);
    str_sanitise(&line, text, strlen(text));

    pthread_mutex_lock(&state.lock);
    if (level >= state.min) {
        bool apart = state.apart_area && str_eq(area, state.apart_area);
        remember(apart ? &state.apart : &state.recent, buf_str(&line));
        if (state.tap)
            state.tap(state.tap_arg, buf_str(&line));
        rotate_if_large();
        buf_putc(&line, '\n');
        /* Nowhere to report a log that cannot be written. */
        if (write(state.fd, line.data, line.len) < 0)
            errno = 0;
    }
    pthread_mutex_unlock(&state.lock);
}

void log_recent(void (*fn)(void *arg, const char *line), void *arg)
{
    pthread_mutex_lock(&state.lock);
    recall(&state.recent, fn, arg);
    recall(&state.apart, fn, arg);
    pthread_mutex_unlock(&state.lock);
}

void log_keep_apart(const char *area)
{
    pthread_mutex_lock(&state.lock);
    state.apart_area = area;
    pthread_mutex_unlock(&state.lock);
}

void log_tap(void (*fn)(void *arg, const char *line), void *arg)
{
    pthread_mutex_lock(&state.lock);
    state.tap = fn;
    state.tap_arg = arg;
    pthread_mutex_unlock(&state.lock);
}
