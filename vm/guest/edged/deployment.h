/* A deployment: the desired properties of $edgeAgent as plain structs. Pure. */
#ifndef BERTH_EDGED_DEPLOYMENT_H
#define BERTH_EDGED_DEPLOYMENT_H

#include "core/base/err.h"
#include "core/base/json.h"
#include "core/base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEPLOYMENT_MODULES_MAX 50
#define DEPLOYMENT_NAME_MAX    128
#define DEPLOYMENT_ORDER_LAST  4294967295U /* default startupOrder: not reported */
#define DEPLOYMENT_CHUNK_MAX   512         /* characters of createOptions, createOptions01, ... */
#define DEPLOYMENT_CHUNKS_MAX  100
#define DEPLOYMENT_HASH_SIZE   17

/* lastDesiredStatus.code */
enum deployment_code {
    DEPLOYMENT_OK = 200,
    DEPLOYMENT_BAD_FORMAT = 400,
    DEPLOYMENT_NOT_RUNNING = 406,
    DEPLOYMENT_BAD_SCHEMA = 412,
    DEPLOYMENT_EMPTY = 417,
    DEPLOYMENT_FAILED = 500,
};

enum restart_policy {
    RESTART_NEVER,
    RESTART_ON_FAILURE,
    RESTART_ON_UNHEALTHY,
    RESTART_ALWAYS,
    RESTART_POLICY_COUNT
};
const char *restart_policy_name(enum restart_policy policy);

struct env_var {
    char *name;
    char *value;
};

struct module_spec {
    char name[DEPLOYMENT_NAME_MAX];
    char *image;          /* with tag */
    char *create_options; /* one compact JSON object; "{}" by default */
    char *version;        /* NULL where none is given */
    struct env_var *env;
    size_t n_env;
    enum restart_policy restart;
    bool pull;    /* imagePullPolicy on-create, not never */
    bool running; /* status running, not stopped */
    uint32_t startup_order;
    char hash[DEPLOYMENT_HASH_SIZE]; /* of all of it but status: another hash means a new container
                                      */
};

struct registry {
    char *address;
    char *username;
    struct secret password;
};

struct deployment {
    uint64_t version; /* $version */
    struct module_spec
        *modules; /* user modules, in the order they are to be attempted: startupOrder, then name */
    size_t n_modules;
    struct registry *registries;
    size_t n_registries;
    char *runtime_settings;    /* JSON object as given, for the report */
    char *log_options;         /* runtime.settings.loggingOptions; "" where none */
    struct module_spec *agent; /* systemModules.edgeAgent; NULL where it is not named */
    struct module_spec *hub;   /* systemModules.edgeHub */
};

/* RET_CODE is set on failure, to one of the deployment_codes. */
int deployment_parse(const cJSON *desired, struct deployment *ret, enum deployment_code *ret_code,
                     struct err *err);
void deployment_done(struct deployment *d);
const struct module_spec *deployment_find(const struct deployment *d, const char *name);
/* The credentials for IMAGE's registry; NULL where there are none. */
const struct registry *deployment_registry(const struct deployment *d, const char *image);
bool deployment_same_registry(const char *image, const char *other);

#endif
