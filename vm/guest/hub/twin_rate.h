/* How often one client may ask for its twin or report to it: each call reads or writes a database,
 * a large one for longer, and a client that does nothing else is slowed down. Pure; any thread. */
#ifndef BERTH_HUB_TWIN_RATE_H
#define BERTH_HUB_TWIN_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct twin_rate {
    uint64_t second; /* loop time in which it called last ... */
    unsigned count;  /* ... so often */
};

/* Counts a call of LEN bytes at LOOP_MS. True: that is too much for one second. */
bool twin_rate_exceeded(struct twin_rate *r, uint64_t loop_ms, size_t len);

#endif
