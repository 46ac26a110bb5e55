/* The service API over HTTPS: routes, rights, and the form of answers and errors. Loop thread only.
 */
#ifndef BERTH_HUB_REST_H
#define BERTH_HUB_REST_H

#include "core/base/json.h"
#include "vm/guest/hub/hub.h"

#define REST_SEGMENTS_MAX 6
#define REST_BODY_MAX     (1U << 20)

/* One request while its handler runs. */
struct rest {
    struct hub *hub;
    struct http_exchange *x;
    char segments[REST_SEGMENTS_MAX][IDENTITY_ID_MAX]; /* of the path, decoded */
    size_t n_segments;
    const cJSON *body; /* NULL where there was none */
    char if_match[64]; /* without quotes; "" where absent */
    unsigned rights;
    char hub_name[64]; /* that the token names; "" where it names none in particular */
};

/* What a route's path means: "devices/D/modules/M" and "twins/D/modules/M" have both in the same
 * place. */
#define REST_DEVICE(r) ((r)->segments[1])
#define REST_MODULE(r) \
    ((r)->n_segments > 3 && str_eq((r)->segments[2], "modules") ? (r)->segments[3] : "")

/* One entry of a table of routes; "*" stands for any one segment. */
struct rest_route {
    const char *method;
    const char *path;
    unsigned rights; /* any of them suffices; 0: the handler checks who calls */
    bool needs_body;
    void (*handle)(struct rest *r);
};
/* Routes that share the form of their errors. All tables are tried in turn. */
struct rest_table {
    const struct rest_route *routes;
    size_t n;
    /* Answers with an error, also where no handler was reached. */
    void (*fail)(struct rest *r, const struct err *err);
};
extern const struct rest_table hub_routes;       /* rest_routes.c */
extern const struct rest_table message_routes;   /* rest_messages.c */
extern const struct rest_table event_routes;     /* rest_events.c */
extern const struct rest_table authority_routes; /* rest_authorities.c */

/* The http_handler_fn; ARG is the hub. */
void rest_handle(struct http_exchange *x, void *arg);

void rest_reply_json(struct http_exchange *x, int status, const cJSON *body);
/* Status and error code that fit the kind, in the form that IoT Hub's clients read. MODULE: the
 * path names one. */
void rest_reply_err(struct http_exchange *x, bool module, const struct err *err);

#endif
