/* What the files of a provisioning run share; nobody else includes this. provision.c runs a step,
 * step_*.c are the steps, method.c the tables. */
#ifndef BERTH_PROVISION_PROVISION_PRIVATE_H
#define BERTH_PROVISION_PROVISION_PRIVATE_H

#include "core/azure/connstr.h"
#include "core/io/child.h"
#include "provision/hub_rest.h"
#include "provision/provision.h"
#include "provision/sandbox.h"

struct provision {
    uv_loop_t *loop;
    const struct provision_method *method;
    const struct provision_guest *guest;
    const struct provision_events *events;
    void *arg;

    /* What is to be done. */
    struct secret string; /* the device's connection string */
    struct connstr device;
    char device_id[130]; /* sandbox */
    char host_ip[64];
    char *sample;
    struct sandbox_record sandbox;
    bool has_sandbox;

    /* The step under way. */
    bool busy;
    bool ending; /* its result waits in `why` for the turn */
    bool failed;
    struct err why;
    void *call; /* to the guest */
    struct hub_rest *rest;
    struct child *child;
    uv_timer_t turn;   /* tells the end */
    uv_timer_t again;  /* looks or asks again */
    const char *verb;  /* what is asked again, */
    uint64_t until_ms; /* and how long */
    unsigned handles;
    bool freed;

    /* What the steps found and did. */
    bool config_unchanged; /* the helper found it in place, and kept */
    bool config_applied;   /* the helper said so */
    bool sandbox_set;
    struct vm_status before; /* the guest before the configuration was written */
    uint64_t begun_ms;       /* of the waiting */
    uint64_t trouble_ms;     /* since when the device cannot connect; 0: it has not failed yet */
    char trouble[200];       /* why */
};

/* The step is over; the owner is told on the loop's next turn. Only the first end counts. */
void provision_end(struct provision *p, const struct err *err);
void provision_say(struct provision *p, int percent, const char *fmt, ...) ATTR_PRINTF(3, 4);

/* For steps that need the sandbox: reads its record. */
int provision_need_sandbox(struct provision *p, struct err *err);

/* step_guest.c */
void step_check_string(struct provision *p);
void step_find_guest(struct provision *p);
void step_reach_hub(struct provision *p);
void step_write_config(struct provision *p);
void step_undo_config(struct provision *p);
void step_keep_config(struct provision *p);
void step_trust_sandbox(struct provision *p);
void step_undo_trust(struct provision *p);
/* step_connect.c */
void step_wait_connected(struct provision *p);
/* step_sandbox.c */
void step_register_device(struct provision *p);
void step_store_image(struct provision *p);
void step_deploy_sample(struct provision *p);

#endif
