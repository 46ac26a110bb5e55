/* The log of a process: one line an event, control bytes escaped, to a file that rotates once by
 * size, and the last lines in memory so that the console can show the engine's own log. Only edges
 * log; library code returns errors. Any thread. Never pass a secret. */
#ifndef BERTH_BASE_LOG_H
#define BERTH_BASE_LOG_H

#include "core/base/err.h"

#include <stdint.h>

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_COUNT
};

/* Opens PATH for appending (0600); NULL: standard error. Lines below MIN are dropped. */
int log_open(const char *path, enum log_level min, struct err *err);
void log_close(void);
void log_set_level(enum log_level min);
const char *log_level_name(enum log_level level);
int log_level_parse(const char *name, enum log_level *ret_level, struct err *err);

/* AREA is a short static word ("job", "vm"). */
void log_line(enum log_level level, const char *area, const char *fmt, ...) ATTR_PRINTF(3, 4);
#define log_debug(area, ...) log_line(LOG_LEVEL_DEBUG, area, __VA_ARGS__)
#define log_info(area, ...)  log_line(LOG_LEVEL_INFO, area, __VA_ARGS__)
#define log_warn(area, ...)  log_line(LOG_LEVEL_WARN, area, __VA_ARGS__)
#define log_error(area, ...) log_line(LOG_LEVEL_ERROR, area, __VA_ARGS__)

/* Calls FN for each of the last lines (at most 500), oldest first, under the log's lock: FN must
 * not log. */
void log_recent(void (*fn)(void *arg, const char *line), void *arg);
/* From now on the last 500 lines of AREA, a static word, are kept beside those of all others, so
 * that neither push the other out; log_recent() has them behind these. NULL ends it. */
void log_keep_apart(const char *area);

/* From now on FN also gets each line that is written, under the log's lock and on the thread that
 * logs: FN must not log. NULL ends it. */
void log_tap(void (*fn)(void *arg, const char *line), void *arg);

#endif
