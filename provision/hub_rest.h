/* The service side of a hub over its public REST, as an administrator's tool speaks it: make a
 * device, deploy modules. Used with the sandbox. Loop thread only. */
#ifndef BERTH_PROVISION_HUB_REST_H
#define BERTH_PROVISION_HUB_REST_H

#include "core/base/err.h"
#include "core/base/secret.h"
#include "provision/sandbox.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct hub_rest;

/* Reaches the sandbox of RECORD on this host, whatever its name resolves to. NULL with ERR where
 * the record's connection string is not one. */
struct hub_rest *hub_rest_new(uv_loop_t *loop, const struct sandbox_record *record,
                              struct err *err);
void hub_rest_free(struct hub_rest *h); /* what is under way ends without a word; NULL is fine */

/* One call at a time. The connection string is borrowed by DONE; it is a secret. */
typedef void (*hub_rest_device_fn)(void *arg, const char *connection_string, const struct err *err);
typedef void (*hub_rest_done_fn)(void *arg, const struct err *err);

/* The edge device DEVICE_ID; where it exists already, that one. */
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
