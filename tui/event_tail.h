/* What the sandbox's devices send, as the last lines on a screen: follows the stream by itself
 * while the sandbox runs. */
#ifndef BERTH_TUI_EVENT_TAIL_H
#define BERTH_TUI_EVENT_TAIL_H

#include "logs/line_ring.h"
#include "tui/ui.h"

struct event_tail {
    struct line_ring *lines;
    char stream[64]; /* "": none yet, or it has ended */
    bool asked;      /* for one */
    struct err err;
};

void event_tail_init(struct event_tail *t);
void event_tail_done(struct event_tail *t, struct ui *ui); /* ends the stream */

/* Asks for a stream where there is none. For on_tick, while the sandbox runs. */
void event_tail_follow(struct event_tail *t, struct ui *ui);
/* The engine is another one: there is no stream any more. */
void event_tail_lost(struct event_tail *t);

/* For on_reply (REPLY_STREAM) and on_log. */
void event_tail_reply(struct event_tail *t, const struct reply *reply);
void event_tail_log(struct event_tail *t, const struct log_batch *batch);

void event_tail_draw(const struct event_tail *t, struct surface *s, struct area a);

#endif
