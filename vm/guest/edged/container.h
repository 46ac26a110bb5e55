/* A container of ours as the engine tells it (Docker Engine API 1.41), and what the management API
 * and the twin call its state. Pure. */
#ifndef BERTH_EDGED_CONTAINER_H
#define BERTH_EDGED_CONTAINER_H

#include "core/base/json.h"
#include "vm/guest/edged/deployment.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum container_state {
    CONTAINER_UNKNOWN,
    CONTAINER_CREATED,
    CONTAINER_RUNNING,
    CONTAINER_PAUSED,
    CONTAINER_RESTARTING,
    CONTAINER_REMOVING,
    CONTAINER_EXITED,
    CONTAINER_DEAD,
    CONTAINER_STATE_COUNT
};

struct container {
    char name[DEPLOYMENT_NAME_MAX];
    char id[72];
    char *image; /* label original-image; the name where there is none */
    char image_hash[80];
    char *labels;                    /* JSON object */
    char hash[DEPLOYMENT_HASH_SIZE]; /* label berth.spec; empty where it is another's */
    enum container_state state;
    bool owned; /* carries the owner label */
    bool ended; /* an exit is on record: exit_code and finished_ms tell */
    int exit_code;
    pid_t pid; /* of its first process, on this machine; 0 unless it runs */
    uint64_t started_ms;
    uint64_t finished_ms;
};

/* From the answer of GET /containers/NAME/json. */
int container_parse(const cJSON *inspect, struct container *ret, struct err *err);
void container_done(struct container *c);

/* runtimeStatus as the management API tells it. */
enum module_status {
    STATUS_UNKNOWN,
    STATUS_RUNNING,
    STATUS_STOPPED,
    STATUS_FAILED,
    STATUS_DEAD,
    STATUS_BACKOFF,
    STATUS_COUNT
};
const char *module_status_name(enum module_status status);
enum module_status container_status(const struct container *c); /* never STATUS_BACKOFF */

#endif
