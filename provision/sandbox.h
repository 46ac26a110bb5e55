/* The sandbox: berth-hub in its cloud role, a process on this host that outlives the engine. Its
 * folder holds sandbox.json, which says where it listens, how to rule it and which process it is.
 */
#ifndef BERTH_PROVISION_SANDBOX_H
#define BERTH_PROVISION_SANDBOX_H

#include "core/base/err.h"
#include "core/base/secret.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#define SANDBOX_HOST          "sandbox.berth.internal"
#define SANDBOX_MQTT_PORT     8883 /* defaults on this host: none needs root */
#define SANDBOX_HTTPS_PORT    8443
#define SANDBOX_REGISTRY_PORT 5000
#define SANDBOX_HUBS_MAX      8

/* What is in sandbox.json. */
struct sandbox_record {
    char host[130];                       /* its first hub's name */
    char hubs[SANDBOX_HUBS_MAX + 1][130]; /* the names of all of them */
    size_t n_hubs;
    uint16_t mqtt_port, https_port, registry_port; /* 0: no registry */
    char ca_file[256];
    char version[32];
    char dps_host[130]; /* of its Device Provisioning Service; "": it has none */
    char id_scope[32];
    pid_t pid;
    uint64_t pid_start;
    struct secret service, dps; /* connection strings of the services; secrets */
};

/* "STATE/sandbox/LEAF"; "": the folder. Heap string. */
char *sandbox_path(const char *leaf);

/* ERR_NOT_FOUND: there never was one. Blocking, a small file; any thread. */
int sandbox_load(struct sandbox_record *ret, struct err *err);
void sandbox_record_done(struct sandbox_record *r); /* wipes */
#define auto_sandbox_record ATTR_CLEANUP(sandbox_record_done)
/* The JSON text itself. Pure. */
int sandbox_parse(const char *data, size_t len, struct sandbox_record *ret, struct err *err);

/* Whether the process that wrote the record still runs. */
bool sandbox_alive(const struct sandbox_record *r);
/* The record of a sandbox that runs; ERR_UNREACHABLE where none does. */
int sandbox_load_running(struct sandbox_record *ret, struct err *err);

struct sandbox_options {
    const char *program;       /* berth-hub; NULL: beside our own program, else from PATH */
    const char *const *listen; /* addresses, NULL-terminated; NULL: 127.0.0.1 */
    uint16_t mqtt_port, https_port, registry_port; /* 0: as last time, or the defaults above */
    const char *const *hubs; /* names of further hubs besides SANDBOX_HOST, NULL-terminated; NULL:
                                as last time, else none */
};

/* The end of a start or a stop: once, never from inside. */
typedef void (*sandbox_done_fn)(void *arg, const struct err *err);

/* Starts it unless it runs already; ERR_EXISTS where that one's ports or hubs are not those that
 * were asked for. ERR_REMOTE with its own words where it cannot start: "port 8883 is taken by
 * another program". Loop thread. */
void sandbox_start(uv_loop_t *loop, const struct sandbox_options *options, sandbox_done_fn done,
                   void *arg);

/* SIGTERM, after 10 s SIGKILL; done when it is gone, at once where it does not run. Loop thread. */
void sandbox_stop(uv_loop_t *loop, sandbox_done_fn done, void *arg);

/* Deletes everything that a stopped sandbox left: devices, keys, certificates, images. ERR_BUSY
 * where one still runs. Blocking; any thread. */
int sandbox_erase(struct err *err);

#endif
