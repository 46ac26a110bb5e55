/* See words.h. */
#include "tui/words.h"

#include "core/base/str.h"

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

const char *words_source(const char *module)
{
    return str_eq(module, "@serial")   ? "VM's serial console"
           : str_eq(module, "@engine") ? "engine (berthd)"
                                       : module;
}
