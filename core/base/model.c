/* Names of the model's enums: one table each, used by the wire, the CLI and the screens alike. */
#include "core/base/model.h"

#include "core/base/str.h"

#include <string.h>

/* A word and, for states, how it is shown. */
struct word {
    const char *name;
    enum light light;
};

static const struct word light_words[] = {
    [LIGHT_UNKNOWN] = {"unknown", LIGHT_UNKNOWN},
    [LIGHT_OFF] = {"off", LIGHT_OFF},
    [LIGHT_TODO] = {"todo", LIGHT_TODO},
    [LIGHT_BUSY] = {"busy", LIGHT_BUSY},
    [LIGHT_OK] = {"ok", LIGHT_OK},
    [LIGHT_WARN] = {"warn", LIGHT_WARN},
    [LIGHT_BAD] = {"bad", LIGHT_BAD},
};
_Static_assert(ARRAY_LEN(light_words) == LIGHT_COUNT, "a word for each light");

static const struct word network_words[] = {
    [VM_NETWORK_USER] = {"user", LIGHT_OK},
    [VM_NETWORK_NAT] = {"nat", LIGHT_OK},
};
_Static_assert(ARRAY_LEN(network_words) == VM_NETWORK_COUNT, "a word for each network");

static const struct word vm_words[] = {
    [VM_STATE_UNKNOWN] = {"unknown", LIGHT_UNKNOWN}, [VM_STATE_OFF] = {"off", LIGHT_OFF},
    [VM_STATE_STARTING] = {"starting", LIGHT_BUSY},  [VM_STATE_RUNNING] = {"running", LIGHT_OK},
    [VM_STATE_SILENT] = {"silent", LIGHT_WARN},      [VM_STATE_STOPPING] = {"stopping", LIGHT_BUSY},
    [VM_STATE_CRASHED] = {"crashed", LIGHT_BAD},     [VM_STATE_PAUSED] = {"paused", LIGHT_WARN},
};
_Static_assert(ARRAY_LEN(vm_words) == VM_STATE_COUNT, "a word for each state");

static const struct word runtime_words[] = {
    [RUNTIME_STATE_UNKNOWN] = {"unknown", LIGHT_UNKNOWN},
    [RUNTIME_STATE_UNPROVISIONED] = {"unprovisioned", LIGHT_OFF},
    [RUNTIME_STATE_STARTING] = {"starting", LIGHT_BUSY},
    [RUNTIME_STATE_RUNNING] = {"running", LIGHT_OK},
    [RUNTIME_STATE_FAILED] = {"failed", LIGHT_BAD},
};
_Static_assert(ARRAY_LEN(runtime_words) == RUNTIME_STATE_COUNT, "a word for each state");

static const struct word cloud_words[] = {
    [CLOUD_STATE_UNKNOWN] = {"unknown", LIGHT_UNKNOWN},
    [CLOUD_STATE_NONE] = {"none", LIGHT_OFF},
    [CLOUD_STATE_CONNECTING] = {"connecting", LIGHT_BUSY},
    [CLOUD_STATE_CONNECTED] = {"connected", LIGHT_OK},
    [CLOUD_STATE_DISCONNECTED] = {"disconnected", LIGHT_WARN},
    [CLOUD_STATE_REFUSED] = {"refused", LIGHT_BAD},
};
_Static_assert(ARRAY_LEN(cloud_words) == CLOUD_STATE_COUNT, "a word for each state");

static const struct word module_words[] = {
    [MODULE_STATE_UNKNOWN] = {"unknown", LIGHT_UNKNOWN},
    [MODULE_STATE_PULLING] = {"pulling", LIGHT_BUSY},
    [MODULE_STATE_RUNNING] = {"running", LIGHT_OK},
    [MODULE_STATE_BACKOFF] = {"backoff", LIGHT_WARN},
    [MODULE_STATE_STOPPED] = {"stopped", LIGHT_OFF},
    [MODULE_STATE_FAILED] = {"failed", LIGHT_BAD},
    [MODULE_STATE_DEAD] = {"dead", LIGHT_BAD},
};
_Static_assert(ARRAY_LEN(module_words) == MODULE_STATE_COUNT, "a word for each state");

static const struct word job_words[] = {
    [JOB_STATE_RUNNING] = {"running", LIGHT_BUSY}, [JOB_STATE_DONE] = {"done", LIGHT_OK},
    [JOB_STATE_FAILED] = {"failed", LIGHT_BAD},    [JOB_STATE_CANCELLED] = {"cancelled", LIGHT_OFF},
    [JOB_STATE_UNDOING] = {"undoing", LIGHT_BUSY},
};
_Static_assert(ARRAY_LEN(job_words) == JOB_STATE_COUNT, "a word for each state");

static const char *word_name(const struct word *words, size_t n, unsigned value)
{
    return value < n ? words[value].name : "unknown";
}

static enum light word_light(const struct word *words, size_t n, unsigned value)
{
    return value < n ? words[value].light : LIGHT_UNKNOWN;
}

/* The value for a word, or FALLBACK. */
static unsigned word_parse(const struct word *words, size_t n, const char *name, unsigned fallback)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(words[i].name, name))
            return (unsigned)i;
    return fallback;
}

#define NAME(words, value)  word_name(words, ARRAY_LEN(words), (unsigned)(value))
#define LIGHT(words, value) word_light(words, ARRAY_LEN(words), (unsigned)(value))
#define PARSE(words, name)  word_parse(words, ARRAY_LEN(words), name, 0)

const char *light_name(enum light light)
{
    return NAME(light_words, light);
}

enum light light_parse(const char *name)
{
    return (enum light)PARSE(light_words, name);
}

const char *vm_network_name(enum vm_network network)
{
    return NAME(network_words, network);
}

int vm_network_parse(const char *name, enum vm_network *ret_network, struct err *err)
{
    unsigned value = word_parse(network_words, VM_NETWORK_COUNT, name, VM_NETWORK_COUNT);
    if (value == VM_NETWORK_COUNT) {
        err_set(err, ERR_INVALID, "network \"%s\" is not known", name ? name : "");
        return err_hint(err,
                        "use \"user\" (works everywhere) or \"nat\" (libvirt's default network)");
    }
    *ret_network = (enum vm_network)value;
    return 0;
}

const char *vm_state_name(enum vm_state state)
{
    return NAME(vm_words, state);
}

enum vm_state vm_state_parse(const char *name)
{
    return (enum vm_state)PARSE(vm_words, name);
}

enum light vm_state_light(enum vm_state state)
{
    return LIGHT(vm_words, state);
}

const char *runtime_state_name(enum runtime_state state)
{
    return NAME(runtime_words, state);
}

enum runtime_state runtime_state_parse(const char *name)
{
    return (enum runtime_state)PARSE(runtime_words, name);
}

enum light runtime_state_light(enum runtime_state state)
{
    return LIGHT(runtime_words, state);
}

const char *cloud_state_name(enum cloud_state state)
{
    return NAME(cloud_words, state);
}

enum cloud_state cloud_state_parse(const char *name)
{
    return (enum cloud_state)PARSE(cloud_words, name);
}

enum light cloud_state_light(enum cloud_state state)
{
    return LIGHT(cloud_words, state);
}

const char *module_state_name(enum module_state state)
{
    return NAME(module_words, state);
}

enum module_state module_state_parse(const char *name)
{
    return (enum module_state)PARSE(module_words, name);
}

enum light module_state_light(enum module_state state)
{
    return LIGHT(module_words, state);
}

const char *job_state_name(enum job_state state)
{
    return NAME(job_words, state);
}

enum job_state job_state_parse(const char *name)
{
    return (enum job_state)PARSE(job_words, name);
}

bool job_state_ended(enum job_state state)
{
    return state == JOB_STATE_DONE || state == JOB_STATE_FAILED || state == JOB_STATE_CANCELLED;
}
