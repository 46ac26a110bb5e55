/* Time. Deadlines use the monotonic clock, records the wall clock in UTC. Any thread. */
#ifndef BERTH_BASE_CLOCK_H
#define BERTH_BASE_CLOCK_H

#include "core/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_TEXT_MAX 32
#define CLOCK_HTTP_MAX 30

uint64_t clock_mono_ms(void);
uint64_t clock_wall_ms(void); /* since 1970, UTC */

/* "2026-11-21T14:31:02.118Z"; "" for 0. */
void clock_format(char *to, size_t size, uint64_t wall_ms);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110), whatever the locale. */
void clock_format_http(char to[CLOCK_HTTP_MAX], uint64_t wall_ms);
/* RFC 3339 with any fraction and a zone (Z or +hh:mm) to ms since 1970. False where it is not that.
 */
bool clock_parse(const char *text, uint64_t *ret_wall_ms);

#endif
