/* The query of GET /modules/NAME/logs. Pure. */
#ifndef BERTH_EDGED_LOG_QUERY_H
#define BERTH_EDGED_LOG_QUERY_H

#include "core/base/buf.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_QUERY_ALL UINT64_MAX

struct log_query {
    bool follow;
    bool timestamps;
    uint64_t tail;    /* lines; LOG_QUERY_ALL */
    uint64_t since_s; /* since 1970; 0: from the beginning */
    uint64_t until_s; /* 0: no end */
};

/* One parameter into RET, which begins as {.tail = LOG_QUERY_ALL}. ERR_INVALID "invalid parameter:
 * NAME". NOW_S: for durations ("90m", "2 days 3h"), which count backwards. An unknown name is
 * ignored. */
int log_query_set(struct log_query *q, const char *name, const char *value, uint64_t now_s,
                  struct err *err);
/* The engine's target for it. */
void log_query_target(const struct log_query *q, const char *container, struct buf *out);

#endif
