/* See queue.h. */
#include "core/base/queue.h"

void queue_append(struct queue *q, struct queue_link *x)
{
    *x = (struct queue_link){.queue = q, .prev = q->last};
    *(q->last ? &q->last->next : &q->first) = x;
    q->last = x;
    q->n++;
}

void queue_remove(struct queue_link *x)
{
    struct queue *q = x->queue;
    if (!q)
        return;
    *(x->prev ? &x->prev->next : &q->first) = x->next;
    *(x->next ? &x->next->prev : &q->last) = x->prev;
    q->n--;
    *x = (struct queue_link){0};
}

struct queue_link *queue_take(struct queue *q)
{
    struct queue_link *x = q->first;
    if (x)
        queue_remove(x);
    return x;
}
