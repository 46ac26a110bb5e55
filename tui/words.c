/* See words.h. */
#include "tui/words.h"

#include "core/base/str.h"

#include <inttypes.h>

const char *words_vm(enum vm_state state)
{
    return state == VM_STATE_SILENT ? "not answering" : vm_state_name(state);
}

const char *words_runtime(enum runtime_state state)
{
    return state == RUNTIME_STATE_UNPROVISIONED ? "not set up" : runtime_state_name(state);
}

const char *words_cloud(enum cloud_state state)
{
    return state == CLOUD_STATE_NONE ? "not connected" : cloud_state_name(state);
}

const char *words_module(enum module_state state)
{
    return state == MODULE_STATE_BACKOFF ? "waiting" : module_state_name(state);
}

const char *words_job(enum job_state state)
{
    return job_state_name(state);
}

enum light words_job_light(enum job_state state)
{
    switch (state) {
    case JOB_STATE_DONE:
        return LIGHT_OK;
    case JOB_STATE_FAILED:
        return LIGHT_BAD;
    case JOB_STATE_CANCELLED:
        return LIGHT_OFF;
    case JOB_STATE_RUNNING:
    case JOB_STATE_UNDOING:
        return LIGHT_BUSY;
    case JOB_STATE_COUNT:
    default:
        return LIGHT_UNKNOWN;
    }
}

static bool sandbox_is_ending(const struct snapshot *snap)
{
    for (size_t i = 0; i < snap->n_jobs; i++)
        if (!job_state_ended(snap->jobs[i].state) && (str_eq(snap->jobs[i].kind, "sandbox.stop") ||
                                                      str_eq(snap->jobs[i].kind, "sandbox.reset")))
            return true;
    return false;
}

void words_sandbox(const struct snapshot *snap, char *to, size_t size)
{
    const struct sandbox_status *sandbox = &snap->sandbox;
    if (sandbox->light == LIGHT_OK)
        (void)str_format(to, size, "running, %" PRIu32 " device%s", sandbox->devices,
                         sandbox->devices == 1 ? "" : "s");
    else if (sandbox->light == LIGHT_BUSY)
        (void)str_copy(to, size, sandbox_is_ending(snap) ? "stopping" : "starting");
    else if (sandbox->light == LIGHT_OFF)
        (void)str_copy(to, size, "off");
    else
        (void)str_copy(to, size, sandbox->reason[0] ? sandbox->reason : "not known");
}

const char *words_auth(enum sandbox_auth auth)
{
    static const char *const words[] = {
        [SANDBOX_AUTH_NONE] = "nothing: it cannot connect",
        [SANDBOX_AUTH_SAS] = "with a key (sas)",
        [SANDBOX_AUTH_X509_SELF_SIGNED] = "with its own certificate",
        [SANDBOX_AUTH_X509_CA] = "with a signed certificate",
        [SANDBOX_AUTH_TPM] = "with a TPM",
    };
    _Static_assert(ARRAY_LEN(words) == SANDBOX_AUTH_COUNT, "words for each way");
    return words[auth < SANDBOX_AUTH_COUNT ? auth : SANDBOX_AUTH_NONE];
}

const char *words_source(const char *module)
{
    return str_eq(module, "@serial")    ? "VM's serial console"
           : str_eq(module, "@engine")  ? "engine (berthd)"
           : str_eq(module, "@sandbox") ? "sandbox's devices"
                                        : module;
}
