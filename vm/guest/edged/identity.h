/* The modules' identities at the hub. An IoT Hub takes the device's own proof for REST only; for
 * MQTT a module needs a key of its own, which the runtime derives from its master key and the
 * identity's generation, and gives to the hub, as Azure's identity service does. What the hub said
 * is kept in a file, so that modules have their keys without a network, too. Loop thread only. */
#ifndef BERTH_EDGED_IDENTITY_H
#define BERTH_EDGED_IDENTITY_H

#include "vm/guest/edged/credential.h"
#include "vm/guest/edged/device.h"

#include <stdint.h>
#include <uv.h>

#define IDENTITY_AGENT "$edgeAgent"

struct identity; /* all of one device */

struct identity_options {
    const struct config *config;
    struct credential *credential;
    const struct keys *keys;
    const struct device *device; /* known by now */
    uint16_t https_port;
    const char *state_dir;
};

/* What is borrowed outlives it. NULL with ERR where the master key cannot be used. */
struct identity *identity_new(uv_loop_t *loop, const struct identity_options *options,
                              struct err *err);
void identity_free(struct identity *id); /* what is asked is not answered any more; NULL is fine */

enum identity_act {
    IDENTITY_GET,    /* the hub must know it: $edgeAgent and $edgeHub come with the device */
    IDENTITY_CREATE, /* the hub makes it where it does not know it yet */
    IDENTITY_DELETE,
};

/* GENERATION ("" after a deletion) makes the module's key: keys_module(). Where the hub could not
 * be reached but the identity was known before, there is a generation although the hub did not
 * confirm it. ERR: ERR_REMOTE: the hub refused; ERR_NOT_FOUND: it does not know the device (or the
 * module, or the device not as an edge device), or the device's key is gone; others: it could not
 * be asked. Once for each question, never from inside. */
typedef void (*identity_fn)(void *arg, const char *generation, const struct err *err);

/* Questions are worked through one after the other. ERR_BUSY where too many wait. */
int identity_ask(struct identity *id, enum identity_act act, const char *module, identity_fn fn,
                 void *arg, struct err *err);

/* What is known without asking: NULL where that is nothing. */
const char *identity_generation(const struct identity *id, const char *module);
/* The name of the module at place AT among those that are known; NULL behind the last one. */
const char *identity_known(const struct identity *id, size_t at);

#endif
