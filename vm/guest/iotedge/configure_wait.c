/* See configure.h. */
#include "vm/guest/iotedge/configure.h"

#include "core/base/str.h"
#include "vm/guest/iotedge/ask.h"
#include "vm/guest/iotedge/say.h"

#include <poll.h>

#define TAKEN_MS    60000 /* until the new process answers */
#define CLOUD_MS    20000 /* then until it is connected or refused */
#define POLL_MS     250   /* its socket appears without telling anybody */
#define QUESTION_MS 5000

void configure_start_read(const struct iotedge *o, struct configure_start *ret)
{
    auto_json cJSON *agent = NULL;
    auto_ask struct ask *a = ask_runtime(o);
    *ret = (struct configure_start){0};
    ask_limit(a, QUESTION_MS);
    if (ask_json(a, "GET", "/modules/edgeAgent?" ASK_MGMT_VERSION, &agent, NULL) == 0)
        STR_SET(ret->time, json_str(json_get(agent, "status"), "startTime", ""));
}

static bool pause_until(uint64_t deadline_ms)
{
    (void)poll(NULL, 0, POLL_MS);
    return clock_mono_ms() < deadline_ms;
}

static int wait_taken(const struct iotedge *o, const struct configure_start *before,
                      struct err *err)
{
    struct configure_start now;
    uint64_t deadline_ms = clock_mono_ms() + TAKEN_MS;
    do {
        configure_start_read(o, &now);
        if (now.time[0] && !str_eq(now.time, before->time))
            return 0;
    } while (pause_until(deadline_ms));
    err_set(err, ERR_TIMEOUT, "the configuration is good and in place, but %s within %d s",
            now.time[0] ? "the runtime did not start anew" : "the runtime does not answer",
            TAKEN_MS / 1000);
    return err_hint(err, "`iotedge system status` shows the runtime's last words");
}

struct cloud {
    char device[130], hub[254], state[32], error[400], method[64];
};

static int read_cloud(const struct iotedge *o, struct cloud *ret, struct err *err)
{
    auto_json cJSON *info = NULL;
    auto_ask struct ask *a = ask_runtime(o);
    ask_limit(a, QUESTION_MS);
    if (ask_json(a, "GET", "/systeminfo?" ASK_MGMT_VERSION, &info, err) < 0)
        return -1;
    str_sanitise_to(ret->device, sizeof(ret->device), json_str(info, "device_id", ""));
    str_sanitise_to(ret->hub, sizeof(ret->hub), json_str(info, "hub_name", ""));
    str_sanitise_to(ret->state, sizeof(ret->state), json_str(info, "cloud_state", ""));
    str_sanitise_to(ret->error, sizeof(ret->error), json_str(info, "cloud_error", ""));
    str_sanitise_to(ret->method, sizeof(ret->method),
                    json_str(json_get(info, "provisioning"), "type", ""));
    return 0;
}

int configure_wait(const struct iotedge *o, const struct configure_start *before, struct err *err)
{
    struct cloud cloud = {0};
    if (wait_taken(o, before, err) < 0)
        return -1;
    uint64_t deadline_ms = clock_mono_ms() + CLOUD_MS;
    do {
        if (read_cloud(o, &cloud, err) < 0)
            return err_wrap(err, "the runtime took the configuration");
    } while (!str_eq(cloud.state, "connected") && !str_eq(cloud.state, "refused") &&
             pause_until(deadline_ms));
    say("The runtime runs with it: %s, device %s of hub %s.", cloud.method,
        *cloud.device ? cloud.device : "not known yet", *cloud.hub ? cloud.hub : "not known yet");
    if (str_eq(cloud.state, "connected"))
        say("Connected. Next, the hub's deployment starts its modules: `iotedge list`.");
    else
        say("Not connected yet: %s. The runtime goes on trying; `iotedge check` looks for the "
            "cause.",
            *cloud.error   ? cloud.error
            : *cloud.state ? cloud.state
                           : "no reason was given");
    return 0;
}
