/* A queue of things that have a link as their first member, and are cast to and from it. What is in
 * it can leave from any place. Owns nothing. One thread. */
#ifndef BERTH_BASE_QUEUE_H
#define BERTH_BASE_QUEUE_H

#include <stddef.h>

struct queue {
    struct queue_link *first, *last;
    size_t n;
};

struct queue_link {
    struct queue *queue; /* where it is; NULL: nowhere */
    struct queue_link *next, *prev;
};

/* At the end. X is nowhere else. */
void queue_append(struct queue *q, struct queue_link *x);
void queue_remove(struct queue_link *x); /* being nowhere is fine */
/* Removes and returns the first; NULL where there is none. */
struct queue_link *queue_take(struct queue *q);

#endif
