/* Figures and times as people read them. Coarse on purpose: what did not really change must not
 * redraw. Pure but for the zone. */
#ifndef BERTH_TUI_FORMAT_H
#define BERTH_TUI_FORMAT_H

#include "core/base/model.h"

#include <stddef.h>
#include <stdint.h>

/* Running times move in such steps: a reader of braille is not disturbed, a slow line not filled.
 */
#define FORMAT_TICK_MS 5000

void format_clock(char *to, size_t size, uint64_t wall_ms); /* "14:31" local; "--:--" for 0 */
void format_time(char *to, size_t size, uint64_t wall_ms, bool ms); /* "14:31:02.118" local */
void format_ago(char *to, size_t size, uint64_t now_ms,
                uint64_t then_ms); /* "4 min ago", "never" for 0 */
void format_for(char *to, size_t size, uint64_t now_ms,
                uint64_t then_ms);                       /* "4 min", "3 d 04 h", "-" for 0 */
void format_elapsed(char *to, size_t size, uint64_t ms); /* "02:41" */
void format_job_time(char *to, size_t size, uint64_t now_ms,
                     const struct job_status *job);         /* so far, or in all */
void format_percent(char *to, size_t size, double percent); /* "18 %", "-" where unknown */
void format_value(char *to, size_t size, double value,
                  const char *unit); /* "1.2 GiB" for bytes, else "1,204" */

#endif
