/* What the files of the edge hub share: edge_hub.c decides, edge_hub_child.c has the child. Nobody
 * else includes this. */
#ifndef BERTH_EDGED_EDGE_HUB_PRIVATE_H
#define BERTH_EDGED_EDGE_HUB_PRIVATE_H

#include "core/io/child.h"
#include "vm/guest/edged/edge_hub.h"
#include "vm/guest/edged/edge_hub_state.h"

struct edge_hub_wait {
    struct edge_hub_wait *next;
    bool start; /* for the next start; else for the end */
    edge_hub_fn fn;
    void *arg;
};

struct edge_hub {
    struct edge_hub_context c;
    bool began; /* the device is known */
    const struct device *device;
    bool known; /* and what the folder holds */
    bool closed;
    bool foreign;      /* what is in its folder is another device's, or may be */
    uv_timer_t *timer; /* the next look */
    char *dir, *state_path, *settings_path;
    struct edge_hub_state state; /* its container: how the child is doing, in a container's words */
    struct module_track track;   /* busy: its identity is asked for */
    char hash[DEPLOYMENT_HASH_SIZE]; /* of the spec that the track is for */
    bool wanted;                     /* and its status */
    struct child_service *child;     /* NULL: none runs */
    struct buf settings;             /* it was started with */
    bool ending;                     /* it was told to end */
    bool again;                      /* to be started without being counted */
    struct workload_wait *admission;
    struct edge_hub_wait *waits;
};

const struct module_spec *edge_hub_spec(const struct edge_hub *h); /* NULL: not deployed */
void edge_hub_look_in(struct edge_hub *h, uint64_t ms);
void edge_hub_save(struct edge_hub *h);
/* Until it has worked once (KNOWN). */
int edge_hub_take_folder(struct edge_hub *h, struct err *err);
int edge_hub_clear(struct edge_hub *h, struct err *err); /* of what is FOREIGN */
/* Tells those that wait for a START, or for the end, that it came, or why not. */
void edge_hub_tell(struct edge_hub *h, bool start, const struct err *err);

/* edge_hub_child.c */
void edge_hub_make_settings(const struct edge_hub *h, const struct module_spec *spec,
                            struct buf *out);
/* Only while there is no child. COUNTED: as one more restart. */
void edge_hub_start(struct edge_hub *h, const struct module_spec *spec, bool counted);
void edge_hub_end_child(struct edge_hub *h);

#endif
