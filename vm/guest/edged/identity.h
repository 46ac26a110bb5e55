/* The key of $edgeAgent. An IoT Hub takes the device's key for REST only; for MQTT a module needs a
 * key of its own, which the runtime makes from its master key and the identity's generation, and
 * gives to the hub, as Microsoft's identity service does. The master key is the only one on disk
 * (0600). */
#ifndef BERTH_EDGED_IDENTITY_H
#define BERTH_EDGED_IDENTITY_H

#include "core/base/secret.h"
#include "vm/guest/edged/config.h"

#include <stdint.h>
#include <uv.h>

struct identity;

/* KEY (base64) is good for the call only. Where the hub could not be reached but the identity was
 * known before, there is a key although the hub did not confirm it. ERR: ERR_REMOTE: the hub
 * refused; ERR_NOT_FOUND: it does not know the device, or not as an edge device; others: it could
 * not be asked. Comes once for each identity_get. */
typedef void (*identity_fn)(void *arg, const struct secret *key, const struct err *err);

/* STATE_DIR exists; CONFIG outlives it. NULL with ERR where the master key
 * cannot be used. */
struct identity *identity_new(uv_loop_t *loop, const struct config *config, uint16_t https_port,
                              const char *state_dir, identity_fn fn, void *arg, struct err *err);
void identity_free(struct identity *id);

void identity_get(struct identity *id); /* one at a time */

#endif
