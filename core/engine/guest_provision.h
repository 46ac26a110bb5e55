/* Gives a provisioning run its guest, found anew for each call: the session may come and go while a
 * job runs. Loop thread only. */
#ifndef BERTH_ENGINE_GUEST_PROVISION_H
#define BERTH_ENGINE_GUEST_PROVISION_H

#include "core/engine/guest.h"
#include "provision/provision.h"

struct guest_provision {
    struct guest *(*find)(void *arg, struct err *err); /* NULL with ERR_UNREACHABLE */
    void *arg;
};

/* *RET refers to SOURCE, which must outlive it. */
void guest_provision_init(struct provision_guest *ret, struct guest_provision *source);

#endif
