/* When may the next frame be sent? A slow line must not fill with frames that nobody has seen yet:
 * each frame ends with a question to the terminal (ESC[5n), and while the answer is on its way no
 * other frame follows. Terminals that never answer get frames at a steady, modest rate. Pure: the
 * caller passes the time. */
#ifndef BERTH_TUI_PACER_H
#define BERTH_TUI_PACER_H

#include <stdbool.h>
#include <stdint.h>

struct pacer {
    bool can_ack;    /* set by the caller: this kind of terminal knows the question */
    bool in_flight;  /* a frame was sent, its answer has not come */
    bool answered;   /* it has answered at least once */
    unsigned missed; /* answers in a row that did not come */
    uint64_t sent_ms;
};

bool pacer_asks(const struct pacer *p); /* the next frame shall carry the question */
void pacer_sent(struct pacer *p, uint64_t now_ms);
void pacer_answer(struct pacer *p);
/* 0: a frame may go now; else how many ms to wait at most (an answer may come before). */
uint64_t pacer_wait(struct pacer *p, uint64_t now_ms);

#endif
