/* Lengths of time as people write them in queries and in the configuration. Pure. */
#ifndef BERTH_EDGED_DURATION_H
#define BERTH_EDGED_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/* "2 days 3h": numbers with units, added up, in seconds. False where TEXT is none. */
bool duration_parse(const char *text, uint64_t *ret_s);
/* "[DAYS.]HH:MM:SS", as .NET writes them, in seconds. False where TEXT is none. */
bool duration_timespan(const char *text, uint64_t *ret_s);

#endif
