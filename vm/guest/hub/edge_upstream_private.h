/* What the files of the edge hub's upstream share: edge_upstream.c has the table of connections,
 * edge_upstream_call.c what is asked of the cloud, edge_link.c the life of one connection,
 * edge_link_token.c its tokens, edge_link_queue.c the messages to the cloud, edge_link_topic.c what
 * the cloud is subscribed to and says. Nobody else includes this. */
#ifndef BERTH_HUB_EDGE_UPSTREAM_PRIVATE_H
#define BERTH_HUB_EDGE_UPSTREAM_PRIVATE_H

#include "core/base/secret.h"
#include "core/io/clock_watch.h"
#include "core/io/mqtt_client.h"
#include "vm/guest/hub/edge_upstream.h"
#include "vm/guest/hub/edge_workload.h"
#include "vm/guest/hub/outbox.h"

#include <uv.h>

#define EDGE_LINK_WINDOW    32         /* messages that may wait for their PUBACK */
#define EDGE_LINK_BYTES     (1U << 20) /* past this no more is added to them */
#define EDGE_LINK_TAKEN_MAX 64         /* messages from the cloud that wait for a commit */
#define EDGE_LINK_BUCKETS   1024

enum edge_link_step {
    LINK_REST,  /* nobody needs it */
    LINK_PAUSE, /* until the next attempt */
    LINK_TOKEN,
    LINK_CONNECT,
    LINK_ONLINE,
    LINK_DRAIN, /* the next token is there; what is under way comes first */
    LINK_RENEW, /* closes, to open with that token */
    LINK_LEAVE, /* closes */
};

/* A message that waits for its PUBACK. */
struct edge_link_flight {
    uint16_t token;
    struct outbox_ref ref;
    size_t size;
    uint64_t sent_ms;    /* monotonic */
    uint64_t created_ms; /* wall clock */
    struct meter *sent, *send_duration, *process_duration;
};

/* The connection of one identity. */
struct edge_link {
    struct edge_upstream *upstream;
    struct edge_link *chain; /* in its bucket */
    char *device, *module;   /* module "": a device */
    char *id;                /* "DEVICE" or "DEVICE/MODULE" */
    char *model;             /* "" none */

    /* What it is needed for. */
    bool present; /* its client is here */
    bool owed;    /* a call found no connection: who made it waits for one */
    unsigned subs;
    unsigned n_calls;                     /* not answered */
    const struct edge_endpoint *endpoint; /* NULL: nothing was ever queued */

    /* Its life. */
    enum edge_link_step step;
    bool online; /* as the listeners know it */
    uv_timer_t timer;
    struct mqtt_client *mqtt; /* NULL: no attempt */
    struct edge_workload_call *asking;
    struct secret token; /* to open with */
    bool on_behalf;      /* it is the edge hub's own */
    unsigned failures;   /* in a row */
    bool refused;        /* the last one was not the network's */
    uint64_t attempt_ms; /* all of these monotonic */
    uint64_t opened_ms;
    uint64_t renew_ms;
    uint64_t idle_ms;    /* when to leave; 0: it is needed */
    uint64_t drain_ms;   /* when to wait no more */
    uint64_t offline_ms; /* since when it was lost; 0: it was not */
    char error[480];     /* the last one, as it was logged */

    /* On this connection. */
    unsigned subscribed;                              /* what was asked for (enum topic_sub) */
    bool ready;                                       /* and is in force */
    uint32_t rid;                                     /* of the last call */
    unsigned n_sent;                                  /* calls that were sent */
    struct edge_link_flight flight[EDGE_LINK_WINDOW]; /* as sent */
    unsigned n_flight;
    size_t flight_bytes;
    uint16_t taken[EDGE_LINK_TAKEN_MAX];
    unsigned n_taken;

    /* The oldest message in flight when the connection was lost, and how often in a row it was. */
    uint64_t stuck_id;
    unsigned stuck;
    bool holding; /* it is not sent, to see whether the connection holds without it */
    struct outbox_ref held;
    size_t held_size;
    struct meter *held_dropped;
};

struct edge_upstream_call {
    struct edge_link *link;
    edge_upstream_fn fn;
    void *arg;
    char *patch; /* NULL: a get */
    size_t len;
    uint32_t rid; /* 0: not sent */
    uint64_t deadline_ms;
    bool over; /* WHY is to be told */
    struct err why;
};

struct edge_upstream {
    struct edge *edge;
    const struct edge_upstream_events *events;
    void *arg;
    struct edge_link **links;
    size_t n_links, cap_links;
    struct edge_link *buckets[EDGE_LINK_BUCKETS]; /* by identity: each message looks one up */
    struct edge_upstream_call **calls;            /* in order of their deadlines */
    size_t n_calls, cap_calls;
    uv_timer_t turn;     /* what cannot be done from inside a call */
    uv_timer_t deadline; /* of the first call */
    unsigned timers;     /* open handles; it is freed behind them */
    struct dialer *tls, *websocket;
    struct clock_watch *clock;
    uint64_t token_s;
    bool begun; /* what is queued from before was looked for */
    bool taken; /* messages from the cloud wait for a commit */
};

/* edge_upstream.c */
struct edge_link *edge_upstream_link(struct edge_upstream *u, const char *device,
                                     const char *module);
/* NULL with ERR where the trusted certificates cannot be read. */
struct dialer *edge_upstream_dialer(struct edge_upstream *u, struct err *err);
void edge_upstream_turn(struct edge_upstream *u);
/* Links that wait try soon: the network is there. REFUSED: also those that the cloud refused. */
void edge_upstream_wake(struct edge_upstream *u, bool refused);

/* edge_upstream_call.c */
void edge_calls_send(struct edge_link *l); /* those that wait for the connection */
void edge_calls_fail(struct edge_link *l, bool only_sent, const struct err *why);
void edge_calls_answered(struct edge_link *l, uint32_t rid, unsigned status, uint64_t version,
                         const char *body, size_t len);
void edge_calls_turn(struct edge_upstream *u); /* tells those that are over */
void edge_calls_free(struct edge_upstream *u);
void edge_calls_on_deadline(uv_timer_t *timer);

/* edge_link.c */
struct edge_link *edge_link_new(struct edge_upstream *u, const char *device, const char *module);
void edge_link_free(struct edge_link *l);
void edge_link_needed(struct edge_link *l);                /* somebody needs it now */
void edge_link_retry(struct edge_link *l, uint64_t pause); /* where it pauses */
void edge_link_settle(struct edge_link *l);                /* something has come to its end */
void edge_link_lost(struct edge_link *l, const struct err *why);
void edge_link_on_token(struct edge_link *l, const struct secret *token, const struct err *why);

/* edge_link_token.c: edge_link_on_token() follows, perhaps from inside. */
void edge_link_ask_token(struct edge_link *l);
/* Appends to a user name on whose behalf the edge hub's own token is shown. */
void edge_link_put_chain(const struct edge_link *l, struct buf *user);

/* edge_link_queue.c */
bool edge_link_queued(const struct edge_link *l);
void edge_link_pump(struct edge_link *l);
void edge_link_delivered(struct edge_link *l, uint16_t token);
/* BY_PEER: it was the other side, or the network. */
void edge_link_unsend(struct edge_link *l, bool by_peer);

/* edge_link_topic.c */
void edge_link_subscribe(struct edge_link *l);
void edge_link_message(struct edge_link *l, const char *topic, const char *data, size_t len,
                       uint16_t id);

#endif
