/* See twin_rate.h. */
#include "vm/guest/hub/twin_rate.h"

#include "vm/guest/hub/twin_json.h"

#define CALLS_MAX  100  /* in a second; more are answered 429 */
#define CALL_BYTES 2048 /* so many count as one more */
#define SECOND_MS  1000

bool twin_rate_exceeded(struct twin_rate *r, uint64_t loop_ms, size_t len)
{
    uint64_t second = loop_ms / SECOND_MS;

    if (r->second != second)
        *r = (struct twin_rate){.second = second};
    if (len > 2 * TWIN_SECTION_MAX)
        len = 2 * TWIN_SECTION_MAX; /* the rest is refused before it costs anything */
    r->count += 1 + (unsigned)(len / CALL_BYTES);
    return r->count > CALLS_MAX;
}
