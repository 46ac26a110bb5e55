/* The part of the store with the messages that wait for devices, and what became of those whose
 * senders want to know. As store.h. */
#ifndef BERTH_HUB_STORE_C2D_H
#define BERTH_HUB_STORE_C2D_H

#include "core/base/buf.h"
#include "vm/guest/hub/store.h"

#define C2D_ID_MAX 129 /* a message id and its end */

/* What the sender wants to hear of. The numbers are in the database. */
enum c2d_ack {
    C2D_ACK_NONE = 0,
    C2D_ACK_POSITIVE = 1, /* that it was taken */
    C2D_ACK_NEGATIVE = 2, /* that it was not */
    C2D_ACK_FULL = 3,     /* both */
};

struct c2d_row {
    uint64_t id; /* grows; the store's */
    char device[IDENTITY_ID_MAX];
    char message_id[C2D_ID_MAX];
    enum c2d_ack ack;
    uint64_t expiry_ms;
    unsigned deliveries; /* how often it was sent so far */
    struct buf bag;      /* the property bag of its topic, encoded */
    struct buf body;
};

void c2d_row_done(struct c2d_row *row);
#define auto_c2d_row ATTR_CLEANUP(c2d_row_done)

/* Adds it (id is the store's) behind all others. */
int store_c2d_add(struct store *s, const struct c2d_row *row, struct err *err);
/* The first for DEVICE behind AFTER, or the one with this id, or the first of any device that has
 * expired. 1: in RET (empty before), 0: none, -1. */
int store_c2d_next(struct store *s, const char *device, uint64_t after, struct c2d_row *ret,
                   struct err *err);
int store_c2d_get(struct store *s, uint64_t id, struct c2d_row *ret, struct err *err);
int store_c2d_expired(struct store *s, uint64_t now_ms, struct c2d_row *ret, struct err *err);
int store_c2d_set_deliveries(struct store *s, uint64_t id, unsigned deliveries, struct err *err);
int store_c2d_delete(struct store *s, uint64_t id, struct err *err);
int store_c2d_count(struct store *s, const char *device, uint64_t *ret, struct err *err);
/* When the next one expires; UINT64_MAX: none is there. */
int store_c2d_next_expiry(struct store *s, uint64_t *ret_ms, struct err *err);
/* What belongs to an identity that is gone: no word to the senders. */
int store_c2d_forget(struct store *s, const char *device, struct err *err);

struct c2d_feedback {
    uint64_t seq; /* the store's */
    uint64_t at_ms;
    char device[IDENTITY_ID_MAX];
    char generation[24];
    char message_id[C2D_ID_MAX];
    char status[32]; /* "Success", "Expired", ... */
};

/* Adds it (seq is the store's); the oldest go where there are more than KEEP. */
int store_feedback_add(struct store *s, const struct c2d_feedback *f, uint64_t keep,
                       struct err *err);
/* Those behind AFTER, oldest first, at most MAX. */
int store_feedback_each(struct store *s, uint64_t after, uint64_t max,
                        void (*fn)(void *arg, const struct c2d_feedback *f), void *arg,
                        struct err *err);

#endif
