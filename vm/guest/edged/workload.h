/* The workload API, as aziot-edged serves it: through it a module gets its signatures, its
 * encryption, its certificates and what it is to trust. Each module has a socket of its own in a
 * folder of its own, which its container sees, read-only, at WORKLOAD_FOLDER: as a folder, so that
 * a runtime that was started anew serves the containers that went on meanwhile. A socket is there
 * before its container is made and as long as the module is deployed or has a container. Material
 * is only for the module itself: its socket, and a process of its container at the other end. One
 * more socket, for all, is beside that of the management API. Loop thread only. */
#ifndef BERTH_EDGED_WORKLOAD_H
#define BERTH_EDGED_WORKLOAD_H

#include "core/io/http_server.h"
#include "vm/guest/edged/agent.h"
#include "vm/guest/edged/certs.h"
#include "vm/guest/edged/cloud.h"
#include "vm/guest/edged/keys.h"

#define WORKLOAD_FOLDER "/var/run/iotedge"
#define WORKLOAD_URI    "unix://" WORKLOAD_FOLDER "/workload.sock"

struct workload;

/* All borrowed, and outlive it. */
struct workload_context {
    uv_loop_t *loop;
    struct docker *docker;
    const struct config *config;
    const struct device *device; /* empty as long as it is not known */
    const struct keys *keys;
    struct certs *certs;
    const struct agent *agent;
    const struct cloud *cloud;
    void (*list)(void *arg, struct http_exchange *x); /* answers GET /modules */
    void *arg;
};

/* Makes the folder STATE_DIR/mnt. CONTEXT is copied; its agent and cloud may come later. */
struct workload *workload_new(const struct workload_context *context, const char *state_dir,
                              struct err *err);
/* The two that need it themselves, and the socket for all. */
int workload_begin(struct workload *w, const struct agent *agent, const struct cloud *cloud,
                   const char *shared_socket, struct err *err);
void workload_free(struct workload *w); /* NULL is fine; sockets close, folders stay */

/* Sockets for these modules, and for no others; what else there was of others goes. */
void workload_keep(struct workload *w, const struct module_view *views, size_t n);

/* Has the hub delete the identities known here of modules that are not WANTED any more, where it is
 * connected; those of the runtime stay. To be called again and again: what failed is tried anew. */
void workload_drop_identities(struct workload *w, bool (*wanted)(const void *arg, const char *name),
                              const void *arg);

/* The socket for the edge hub (vm/guest/hub/edge_workload.h), which only process PID may use: it
 * signs as every module that has an identity here. PID 0: nobody. */
int workload_open_hub(struct workload *w, const char *path, struct err *err);
void workload_admit_hub(struct workload *w, pid_t pid);

/* The folder of MODULE's socket on this machine. The caller frees it. */
char *workload_folder(const struct workload *w, const char *module);

/* MODULE's socket is there when this returns. */
int workload_open(struct workload *w, const char *module, struct err *err);
/* The generation of MODULE's identity where it is known: modules start without a network, too. A
 * hub that is connected is asked for news on the side. NULL: workload_identify() has to make it. */
const char *workload_generation(struct workload *w, const char *module);
/* Has the hub make MODULE's identity. FN comes once, never from inside. NULL with ERR. */
struct workload_wait;
typedef void (*workload_fn)(void *arg, const char *generation, const struct err *err);
struct workload_wait *workload_identify(struct workload *w, const char *module, workload_fn fn,
                                        void *arg, struct err *err);
void workload_cancel(struct workload_wait *wait); /* FN does not come; NULL is fine */

#endif
