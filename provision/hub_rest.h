/* The service side of a hub over its public REST, as an administrator's tool speaks it: devices,
 * twins, methods, deployments, and the enrolments of a Device Provisioning Service. Used with the
 * sandbox. What the bodies hold is in hub_body.h and hub_read.h. Loop thread only. */
#ifndef BERTH_PROVISION_HUB_REST_H
#define BERTH_PROVISION_HUB_REST_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/secret.h"
#include "provision/sandbox.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define HUB_REST_ANY "*" /* If-Match: whatever there is */

struct hub_rest;

/* Reaches the sandbox of RECORD on this host, whatever its name resolves to; HUB says which of its
 * hubs is meant (NULL: the first). NULL with ERR where there is no such hub or the record's
 * connection string is not one. */
struct hub_rest *hub_rest_new(uv_loop_t *loop, const struct sandbox_record *record, const char *hub,
                              struct err *err);
void hub_rest_free(struct hub_rest *h); /* what is under way ends without a word; NULL is fine */

/* The name of its hub. */
const char *hub_rest_host(const struct hub_rest *h);

/* "A/B/C..." of NULL-terminated PARTS, each with what a path must not have encoded. Heap string. */
char *hub_rest_path(const char *const *parts);

struct hub_rest_request {
    const char *method;
    const char *path;     /* of hub_rest_path() */
    const char *query;    /* "top=100"; NULL: none */
    const char *if_match; /* an etag without quotes, or HUB_REST_ANY; NULL: none */
    const char *page;     /* what the last answer said how to go on; NULL: from the beginning */
    unsigned page_size;   /* of a query; 0: as the hub likes */
    const char *body;     /* JSON text; NULL: none */
    size_t len;
    size_t body_max;     /* of the answer; 0: 1 MiB */
    uint64_t timeout_ms; /* 0: 15 s */
    bool dps;            /* asks the provisioning service, not the hub */
};

/* TEXT is the answer's body, borrowed; it may hold secrets. A refusal is an ERR in the hub's own
 * words: ERR_NOT_FOUND, ERR_EXISTS, ERR_BUSY (another etag), ERR_UNREACHABLE (the device is not
 * connected), ERR_TIMEOUT (it did not answer), ERR_UNSUPPORTED (this hub cannot do that), ... */
typedef void (*hub_rest_fn)(void *arg, const char *text, size_t len, const struct err *err);

/* One call at a time; the next one may be made from DONE. DONE comes at once where there is no
 * such service. Everything in REQUEST is copied. */
void hub_rest_send(struct hub_rest *h, const struct hub_rest_request *request, hub_rest_fn done,
                   void *arg);
/* For DONE: how to ask for what follows; "" where that was all. */
const char *hub_rest_page(const struct hub_rest *h);

typedef void (*hub_rest_done_fn)(void *arg, const struct err *err);

/* The edge device DEVICE_ID; where it exists already, that one. The connection string is borrowed
 * by DONE; it is a secret. */
typedef void (*hub_rest_device_fn)(void *arg, const char *connection_string, const struct err *err);
void hub_rest_device(struct hub_rest *h, const char *device_id, hub_rest_device_fn done, void *arg);
/* Applies a deployment manifest (JSON text) to it. */
void hub_rest_deploy(struct hub_rest *h, const char *device_id, const char *manifest, size_t len,
                     hub_rest_done_fn done, void *arg);

/* How many devices there are. */
typedef void (*hub_rest_count_fn)(void *arg, uint32_t devices, const struct err *err);
void hub_rest_count(struct hub_rest *h, hub_rest_count_fn done, void *arg);

/* The manifest of the sample: two modules of the berth-sensor image. Static text. */
const char *hub_rest_sample_manifest(void);
#define SANDBOX_SAMPLE_IMAGE SANDBOX_HOST ":5000/berth-sensor:latest"

#endif
