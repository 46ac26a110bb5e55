/* The service API over HTTPS: routes, rights, and the form of answers and errors. What a route does
 * is in the file of its noun: rest_identity.c, rest_twin.c, rest_method.c ... Loop thread only. */
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

/* One entry of a table of routes; "*" stands for any one segment. A device that the path names is
 * on the caller's hub, or not there. */
struct rest_route {
    const char *method;
    const char *path;
    unsigned rights; /* any of them suffices; 0: the handler checks who calls */
    bool needs_body; /* a JSON object */
    void (*handle)(struct rest *r);
};
/* Routes that share the form of their errors. All tables are tried in turn. */
struct rest_table {
    const struct rest_route *routes;
    size_t n;
    /* Answers with an error, also where no handler was reached. */
    void (*fail)(struct rest *r, const struct err *err);
};
extern const struct rest_table hub_routes;          /* rest_routes.c */
extern const struct rest_table message_routes;      /* rest_messages.c */
extern const struct rest_table event_routes;        /* rest_events.c */
extern const struct rest_table authority_routes;    /* rest_authorities.c */
extern const struct rest_table rest_identities;     /* rest_identity.c */
extern const struct rest_table rest_twins;          /* rest_twin.c */
extern const struct rest_table rest_configurations; /* rest_configuration.c */
extern const struct rest_table rest_queries;        /* rest_query.c */
extern const struct rest_table rest_scopes;         /* rest_scope.c */

/* The http_handler_fn; ARG is the hub. */
void rest_handle(struct http_exchange *x, void *arg);

/* The caller's hub as identities carry it. */
const char *rest_hub_key(const struct rest *r);
/* What If-Match says, for calls that take NULL where it is absent. */
const char *rest_if_match(const struct rest *r);
/* Query parameter "top", at most MAX, which is also what it is where it is absent. */
int rest_top(const struct rest *r, uint64_t max, uint64_t *ret, struct err *err);

void rest_reply_json(struct http_exchange *x, int status, const cJSON *body);
/* With the etag of BODY as a header. */
void rest_reply_tagged(struct rest *r, const cJSON *body);

/* What an error is about, which is in its code word. */
enum rest_noun { REST_OF_DEVICE = 0, REST_OF_MODULE = 1, REST_OF_CONFIGURATION };
/* Status and error code that fit the kind, in the form that IoT Hub's clients read. */
void rest_reply_err(struct http_exchange *x, enum rest_noun noun, const struct err *err);
/* Too many requests of this kind at once: 429. */
void rest_reply_throttled(struct http_exchange *x, const struct err *err);
/* The body is too large: 413. */
void rest_reply_too_large(struct http_exchange *x, const struct err *err);
/* The same body for an answer over MQTT; TOO_MANY: throttled. Returns the status. */
int rest_error_text(const struct err *err, bool too_many, struct buf *ret);
/* The same as rest_reply_err() with what the path names. */
void rest_fail(struct rest *r, const struct err *err);

#endif
