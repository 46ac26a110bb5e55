/* What is known of the device's place from before: a small file, written whole, so that a start
 * without a network has a hub to wait for. And when that knowledge will do. Blocking; loop thread.
 */
#ifndef BERTH_EDGED_PROVISIONING_STATE_H
#define BERTH_EDGED_PROVISIONING_STATE_H

#include "core/io/digest.h"
#include "vm/guest/edged/config.h"
#include "vm/guest/edged/device.h"

/* What speaks against what is known. */
enum provisioning_doubt {
    PROVISIONING_NO_DOUBT,
    PROVISIONING_CONNECTION_REFUSED, /* by the hub, of the running device */
    PROVISIONING_IDENTITY_REFUSED,   /* by the hub's registry, or the device's key is gone */
};

/* True where the device of an earlier registration will do. REGISTERED: in this process. */
bool provisioning_known_will_do(enum config_reprovisioning mode, enum provisioning_doubt doubt,
                                bool registered);

/* A digest of who asks for what; a device found for another one is not this one's. */
void provisioning_source(const struct config_provisioning *p, char ret[DIGEST_HEX_SIZE]);

int provisioning_state_write(const char *path, enum config_method method, const char *source,
                             const struct device *device, struct err *err);
/* False where there is none, it is of another SOURCE, or it is damaged: ERR then says so. */
bool provisioning_state_read(const char *path, const char *source, struct device *ret,
                             struct err *err);

#endif
