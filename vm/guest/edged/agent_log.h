/* The log of edgeAgent, which is this process, and of edgeHub, whose lines are taken into it, in
 * the engine's frames, so that both can be read like any module's. */
#ifndef BERTH_EDGED_AGENT_LOG_H
#define BERTH_EDGED_AGENT_LOG_H

#include "vm/guest/edged/log_query.h"

enum agent_log { AGENT_LOG_OWN, AGENT_LOG_HUB };

/* Appends the last lines of the log that Q wants. */
void agent_log_recent(enum agent_log which, const struct log_query *q, struct buf *out);
/* Appends a new line where it is of that log and Q wants it; whether it does. Does not log: it may
 * be a log's tap. */
bool agent_log_line(enum agent_log which, const struct log_query *q, const char *line,
                    struct buf *out);

/* Takes a line that the edge hub wrote into our log, at the level it has there. */
void agent_log_hub(const char *line);

#endif
