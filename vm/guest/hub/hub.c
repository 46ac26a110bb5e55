/* See hub.h. */
#include "vm/guest/hub/hub.h"

#include "core/base/log.h"

bool hub_commit(void *arg)
{
    struct hub *hub = arg;
    struct err err = {0};
    uint64_t now = uv_now(hub->loop);

    if (store_commit(hub->store, &err) < 0) {
        /* MQTT and REST share the transaction: whoever asks second in this turn must hear the same.
         */
        hub->failed_turn_ms = now;
        log_error("store", "%s; connections with unconfirmed changes are broken", err.msg);
    }
    return hub->failed_turn_ms != now;
}
