/* The lines of a log view that pass its filter, as an array; between log_view.c and log_draw.c. */
#ifndef BERTH_TUI_LOG_LINES_H
#define BERTH_TUI_LOG_LINES_H

#include "tui/log_view.h"

size_t log_lines_count(const struct log_view *v);
bool log_lines_at(const struct log_view *v, size_t index, struct log_entry *ret);
size_t log_lines_find(const struct log_view *v,
                      uint64_t seq); /* first with a seq >= SEQ; the count where there is none */

#endif
