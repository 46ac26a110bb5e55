/* Making a guest a device of a hub. A method is a const table of steps; who runs them (the engine's
 * jobs) applies one after the other and, when one fails, undoes those that were begun in reverse.
 * Everything in the guest goes through the helper's fixed verbs; the secret lives in here only,
 * is wiped with it, and is never written on this host. Loop thread only. */
#ifndef BERTH_PROVISION_PROVISION_H
#define BERTH_PROVISION_PROVISION_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct provision; /* one run of a method on one guest */

/* How a run reaches its guest; core/engine/guest_provision.h makes one. The calls answer NULL with
 * ERR where the guest does not answer at present, else DONE comes once, never from inside. */
struct provision_guest {
    void *arg;
    void *(*admin)(void *arg, const char *line, const void *body, size_t len, uint64_t timeout_ms,
                   void (*done)(void *done_arg, const char *text, const struct buf *body,
                                const struct err *err),
                   void *done_arg, struct err *err);
    /* Can HOST:PORT be reached from inside the guest? */
    void *(*reach)(void *arg, const char *host, uint16_t port,
                   void (*done)(void *done_arg, const struct err *err), void *done_arg,
                   struct err *err);
    void (*cancel)(void *call);
    /* What is known of it, and "ask it again now". False: it is not there. */
    bool (*look)(void *arg, struct vm_status *ret_status);
};

struct provision_step {
    const char *name;
    uint64_t limit_ms;
    uint64_t usual_ms;
    bool again; /* what it finds lives in memory only: after a kill it is applied again */
    bool (*check)(const struct provision *p); /* true: already so; NULL: never */
    void (*apply)(struct provision *p);
    void (*undo)(struct provision *p); /* NULL: nothing to take back */
};

struct provision_method {
    const char *name;
    const struct provision_step *steps;
    size_t n_steps;
};
extern const struct provision_method provision_connection_string;
extern const struct provision_method provision_sandbox;

struct provision_events {
    /* What it is doing now. */
    void (*on_progress)(void *arg, int percent, const char *text);
    /* The end of provision_apply() or provision_undo(): once each, never from inside. */
    void (*on_step)(void *arg, const struct err *err);
};

/* GUEST, EVENTS and ARG must outlive the run. */
struct provision *provision_new(uv_loop_t *loop, const struct provision_method *method,
                                const struct provision_guest *guest,
                                const struct provision_events *events, void *arg);
/* Wipes the secret; what is under way ends without an event. NULL is fine. */
void provision_free(struct provision *p);

/* For provision_connection_string, before its first step. Copies. ERR_INVALID says what is wrong
 * with the string. */
int provision_set_string(struct provision *p, const char *text, size_t len, struct err *err);

/* For provision_sandbox: the sandbox must run before its steps begin (sandbox.h). Copies. */
struct provision_sandbox_options {
    const char *device_id;
    const char *host_ip; /* this host as the guest sees it: "10.0.2.2", or the NAT gateway */
    const char *sample;  /* docker archive of berth-sensor; NULL: no modules are deployed */
};
void provision_set_sandbox(struct provision *p, const struct provision_sandbox_options *options);

void provision_apply(struct provision *p, size_t step);
void provision_undo(struct provision *p, size_t step);
/* The step under way ends soon with ERR_CANCELLED. */
void provision_cancel(struct provision *p);

#endif
