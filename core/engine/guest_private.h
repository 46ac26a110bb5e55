/* What the files guest*.c share; nobody else includes this. guest.c: the session and its life;
 * guest_call.c: requests; guest_poll.c: the rounds of polling; guest_read.c: parsing, pure. */
#ifndef BERTH_ENGINE_GUEST_PRIVATE_H
#define BERTH_ENGINE_GUEST_PRIVATE_H

#include "core/engine/guest.h"
#include "core/engine/guest_read.h"
#include "core/io/http_client.h"
#include "core/io/remote.h"

#define GUEST_MGMT_SOCKET   "/run/iotedge/mgmt.sock"
#define GUEST_DOCKER_SOCKET "/run/docker.sock"
#define GUEST_ADMIN_SOCKET  "/run/berth/guest.sock"
#define GUEST_API           "api-version=2022-08-03"

#define GUEST_CALL_MS  30000 /* a guest under TCG is slow, not dead: its silence shows elsewhere */
#define GUEST_TEXT_MAX 256U  /* characters of a module's name in a URL */

/* What is known of a module from one round to the next. */
struct guest_module_memory {
    char name[MODEL_NAME_MAX];
    uint64_t started_ms;
    uint32_t restarts;
    struct guest_stats stats;
    double cpu_percent;
};

/* One round: three questions to the runtime at once, then one by one the figures of its containers.
 */
struct guest_round {
    bool running;
    unsigned waiting; /* of the three */
    struct http_call *calls[3];
    struct http_call *stats;
    struct guest_call *admin; /* asks for the reason when the runtime does not answer */
    size_t next;              /* module whose figures come next */
    struct err runtime_err;   /* of GET /modules; kind ERR_NONE: it answered */
};

struct guest {
    uv_loop_t *loop;
    char *host, *key_file, *host_key, *user;
    char *mgmt, *docker, *admin; /* paths of its sockets */
    uint16_t port;
    const struct guest_events *events;
    void *arg;

    enum guest_state state;
    struct err why; /* of the last failure to reach it */
    struct remote *remote;
    unsigned tries; /* failed ones since it last answered */
    uv_timer_t again;
    uv_timer_t poll;
    unsigned handles;
    bool watched;
    bool freed;

    struct guest_call **calls;
    size_t n_calls, cap_calls;

    struct guest_round round;
    struct guest_module_memory memory[MODEL_MODULES_MAX];
    size_t n_memory;
    struct vm_status view; /* the members that guest_fill() gives */
    struct vm_status told; /* as it was at the last on_change */
};

/* guest_poll.c */
void guest_round_start(struct guest *g);
void guest_round_cancel(struct guest *g);
void guest_changed(struct guest *g); /* tells the owner where the view differs */

/* guest_call.c */
void guest_calls_end(struct guest *g);

/* Appends TEXT as one segment of a URL's path. */
void guest_url_segment(struct buf *out, const char *text);

#endif
