/* The log of edgeAgent, which is this process, in the engine's frames, so that it can be read like
 * any module's. */
#ifndef BERTH_EDGED_AGENT_LOG_H
#define BERTH_EDGED_AGENT_LOG_H

#include "vm/guest/edged/log_query.h"

/* Appends the last lines of the log that Q wants. */
void agent_log_recent(const struct log_query *q, struct buf *out);
/* Appends a new line where Q wants it; whether it does. Does not log: it may be a log's tap. */
bool agent_log_line(const struct log_query *q, const char *line, struct buf *out);

#endif
