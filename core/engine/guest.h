/* The engine's tie to one running guest: an SSH session that comes back by itself, what the guest
 * says about itself (asked every two seconds while somebody looks), and requests to it. One guest a
 * running VM: made when the power goes on, freed when it is off. Loop thread only. */
#ifndef BERTH_ENGINE_GUEST_H
#define BERTH_ENGINE_GUEST_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct guest;

/* Where and who; copied. */
struct guest_target {
    const char *host;     /* IP address: "127.0.0.1", or the guest's on the NAT network */
    uint16_t port;        /* vm_record.ssh_port, or 22 */
    const char *key_file; /* the client key of this VM */
    const char *host_key; /* vm_record.host_key */
    const char *user;     /* NULL: "berth" */
    const char *root;     /* in front of the paths of the guest's sockets; NULL: none */
};

struct guest_events {
    void (*on_change)(void *arg); /* what guest_fill() gives is different; maybe often */
    void (*on_sample)(void *arg); /* a round of polling is complete: figures for the series */
};

struct guest *guest_new(uv_loop_t *loop, const struct guest_target *target,
                        const struct guest_events *events, void *arg);
/* Ends what is under way: the DONE of every call comes with ERR_UNREACHABLE, from inside this. No
 * event after it. NULL is fine. */
void guest_free(struct guest *g);

enum guest_state {
    GUEST_STATE_STARTING, /* SSH has not answered yet */
    GUEST_STATE_READY,
    GUEST_STATE_SILENT, /* answered before, no longer does; it is tried again */
};
enum guest_state guest_state(const struct guest *g);

/* Fills the members of V that come from inside: state (STARTING, RUNNING, SILENT) and reason,
 * seen_ms, cpu, memory, disk, runtime*, device_id, hub, cloud*, modules. The others are left. */
void guest_fill(const struct guest *g, struct vm_status *v);

/* Somebody looks: poll every 2 s, else every 15 s. */
void guest_watched(struct guest *g, bool watched);
/* Poll as soon as possible, such as after something was changed. */
void guest_poll(struct guest *g);

/* A request under way. Gone once its DONE was called. */
struct guest_call;
/* Ends it; DONE does not come. */
void guest_call_cancel(struct guest_call *c);

/* One verb of the guest's privileged helper: LINE is "VERB ARG..." without newline, BODY may be
 * NULL. DONE: once, never from inside; TEXT is what followed "ok", BODY what came behind it. A
 * refusal by the helper is ERR_REMOTE with its words. NULL with ERR_UNREACHABLE when the guest does
 * not answer at present. TIMEOUT_MS 0: 60 s. The body's copies are wiped. */
typedef void (*guest_admin_fn)(void *arg, const char *text, const struct buf *body,
                               const struct err *err);
struct guest_call *guest_admin(struct guest *g, const char *line, const void *body, size_t len,
                               uint64_t timeout_ms, guest_admin_fn done, void *arg,
                               struct err *err);

enum guest_module_action {
    GUEST_MODULE_START,
    GUEST_MODULE_STOP,
    GUEST_MODULE_RESTART,
};
typedef void (*guest_done_fn)(void *arg, const struct err *err);
/* ERR_NOT_FOUND: no such module. NULL as with guest_admin. */
struct guest_call *guest_module(struct guest *g, enum guest_module_action action,
                                const char *module, guest_done_fn done, void *arg, struct err *err);

struct guest_log_options {
    uint64_t tail;  /* lines; UINT64_MAX: all */
    uint64_t since; /* seconds since 1970; 0: from the beginning */
    bool follow;
};
/* A module's log as it comes: Docker frames, each payload beginning with an RFC 3339 time and a
 * space. DATA returns false to be called no more until guest_log_resume(); the guest is slowed down
 * meanwhile. DONE with ERR NULL: the log is over. NULL as with guest_admin. */
struct guest_call *guest_log(struct guest *g, const char *module,
                             const struct guest_log_options *options,
                             bool (*data)(void *arg, const char *data, size_t len),
                             guest_done_fn done, void *arg, struct err *err);
void guest_log_resume(struct guest_call *c);

/* GET over TCP from inside the guest, such as a module's metrics: "http://HOST:PORT/PATH" in
 * pieces. BODY_MAX bounds the answer. An error status is ERR_REMOTE. NULL as with guest_admin. */
typedef void (*guest_get_fn)(void *arg, const struct buf *body, const struct err *err);
struct guest_call *guest_get(struct guest *g, const char *host, uint16_t port, const char *path,
                             size_t body_max, guest_get_fn done, void *arg, struct err *err);

/* What the container engine says of container NAME: the JSON of GET /containers/NAME/json. NULL as
 * with guest_admin. */
struct guest_call *guest_inspect(struct guest *g, const char *name, guest_get_fn done, void *arg,
                                 struct err *err);

/* Whether HOST:PORT accepts a TCP connection made from inside the guest (its DNS, its routes). */
struct guest_call *guest_reach(struct guest *g, const char *host, uint16_t port, guest_done_fn done,
                               void *arg, struct err *err);

#endif
