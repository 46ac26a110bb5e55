/* The read-back: a provisioning has worked when the device says so itself. */
#include "provision/provision_private.h"

#include "core/azure/cloud_error.h"
#include "core/base/clock.h"
#include "core/base/str.h"

#define LOOK_MS         1000
#define TROUBLE_MS      45000  /* an error that may pass is given this long to pass */
#define FIRM_TROUBLE_MS 5000   /* one that will not pass by itself: seen more than once */
#define SILENCE_MS      120000 /* the runtime must have begun to answer by then */

/* Whether what is seen is of the new configuration, and not of the runtime that is being replaced.
 */
static bool seen_is_new(const struct provision *p, const struct vm_status *now)
{
    const struct vm_status *before = &p->before;
    if (!str_eq(now->device_id, p->device.device_id))
        return false;
    if (before->runtime != RUNTIME_STATE_RUNNING || !str_eq(before->device_id, now->device_id) ||
        !str_eq(before->hub, now->hub))
        return true;
    return before->cloud_since_ms != now->cloud_since_ms;
}

/* The reason in the status begins with what it means; here come the causes and the next step. */
static void fail_with(struct provision *p, enum err_kind kind, const char *said)
{
    struct err err;
    const struct cloud_error *known = cloud_error_find(said);
    err_set(&err, kind, "%s", said[0] ? said : "the hub refused the device without a reason");
    if (known)
        err_hint(&err, "Likely: %s. %s", known->causes, known->next);
    provision_end(p, &err);
}

/* Between two attempts the runtime has no reason to give: the last one counts on. */
static void look_trouble(struct provision *p, const struct vm_status *now)
{
    uint64_t at = clock_mono_ms();
    if (now->cloud_reason[0]) {
        STR_SET(p->trouble, now->cloud_reason);
        p->trouble_ms = p->trouble_ms ? p->trouble_ms : at;
    }
    if (!p->trouble_ms) {
        provision_say(p, -1, "the runtime connects to %s", p->device.host);
        return;
    }
    provision_say(p, -1, "%s", p->trouble);
    const struct cloud_error *known = cloud_error_find(p->trouble);
    bool passing = !known || known->passing;
    if (at - p->trouble_ms > (passing ? TROUBLE_MS : FIRM_TROUBLE_MS))
        fail_with(p, passing ? ERR_UNREACHABLE : ERR_REMOTE, p->trouble);
}

static void look_silence(struct provision *p, const struct vm_status *now)
{
    struct err err;
    bool failed = now->runtime == RUNTIME_STATE_FAILED;
    provision_say(p, -1, "waiting for the runtime in the VM");
    if (clock_mono_ms() - p->begun_ms < SILENCE_MS)
        return;
    err_set(&err, ERR_TIMEOUT, "the runtime in the VM does not answer%s%s", failed ? ": " : "",
            failed ? now->runtime_reason : "");
    err_hint(&err, "Look at its log: berth logs edgeAgent");
    provision_end(p, &err);
}

static void on_look(uv_timer_t *timer)
{
    struct provision *p = timer->data;
    struct vm_status now = {0};
    if (!p->guest->look(p->guest->arg, &now)) {
        provision_say(p, -1, "the VM does not answer at present");
        return; /* it may come back: the step's limit decides */
    }
    if (now.runtime != RUNTIME_STATE_RUNNING || !seen_is_new(p, &now))
        look_silence(p, &now);
    else if (now.cloud == CLOUD_STATE_CONNECTED)
        provision_end(p, NULL);
    else if (now.cloud == CLOUD_STATE_REFUSED)
        fail_with(p, ERR_AUTH, now.cloud_reason);
    else
        look_trouble(p, &now);
}

void step_wait_connected(struct provision *p)
{
    p->begun_ms = clock_mono_ms();
    p->trouble_ms = 0;
    uv_timer_start(&p->again, on_look, LOOK_MS, LOOK_MS);
}
