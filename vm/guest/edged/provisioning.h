/* Finds out which device of which hub this machine is: from the configuration, from an earlier
 * registration, or from the provisioning service. One question at a time; who asks decides when to
 * ask again. Loop thread only. */
#ifndef BERTH_EDGED_PROVISIONING_H
#define BERTH_EDGED_PROVISIONING_H

#include "vm/guest/edged/credential.h"
#include "vm/guest/edged/device.h"
#include "vm/guest/edged/provisioning_state.h"

#include <uv.h>

struct provisioning;

/* A file of this name in the state folder: the service is to be asked anew. It is taken away. */
#define PROVISIONING_MARK "reprovision"

/* The answer, once for each provisioning_get, never from inside. DEVICE is on disk by then. ERR as
 * of dps_client.h; ERR_INVALID, ERR_UNSUPPORTED: it cannot even be asked. */
typedef void (*provisioning_fn)(void *arg, const struct device *device, const struct err *err);

/* CONFIG and CREDENTIAL outlive it. */
struct provisioning *provisioning_new(uv_loop_t *loop, const struct config *config,
                                      struct credential *credential, const char *state_dir,
                                      provisioning_fn fn, void *arg);
void provisioning_free(struct provisioning *p); /* NULL is fine */

void provisioning_get(struct provisioning *p);
/* What was answered last has been refused; the next answer may come from the service. */
void provisioning_doubt(struct provisioning *p, enum provisioning_doubt why);

/* From before, whatever the mode: so that modules need not wait for the network. NULL: nothing. */
const struct device *provisioning_known(const struct provisioning *p);

#endif
