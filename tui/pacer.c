/* See pacer.h. */
#include "tui/pacer.h"

#define FIRST_LIMIT_MS 1000  /* for a terminal that has not answered yet */
#define LIMIT_MS       10000 /* a full screen at 2400 baud */
#define MISSED_MAX     3
#define PLAIN_MS       100 /* between frames without answers */

bool pacer_asks(const struct pacer *p)
{
    return p->can_ack && p->missed < MISSED_MAX;
}

void pacer_sent(struct pacer *p, uint64_t now_ms)
{
    p->sent_ms = now_ms;
    p->in_flight = pacer_asks(p);
}

void pacer_answer(struct pacer *p)
{
    p->in_flight = false;
    p->answered = true;
    p->missed = 0;
}

uint64_t pacer_wait(struct pacer *p, uint64_t now_ms)
{
    uint64_t passed = now_ms > p->sent_ms ? now_ms - p->sent_ms : 0;
    uint64_t limit = !p->in_flight ? PLAIN_MS : p->answered ? LIMIT_MS : FIRST_LIMIT_MS;
    if (!p->in_flight && (pacer_asks(p) || !p->sent_ms))
        return 0;
    if (passed < limit)
        return limit - passed;
    if (p->in_flight) {
        p->missed++;
        p->in_flight = false;
    }
    return 0;
}
