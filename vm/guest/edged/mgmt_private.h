/* What the files of the management API share. */
#ifndef BERTH_EDGED_MGMT_PRIVATE_H
#define BERTH_EDGED_MGMT_PRIVATE_H

#include "core/io/http_server.h"
#include "vm/guest/edged/agent_log.h"
#include "vm/guest/edged/api.h"
#include "vm/guest/edged/mgmt.h"
#include "vm/guest/edged/sysinfo.h"

#define MGMT_AGENT "edgeAgent"

struct mgmt {
    struct mgmt_context c;
    struct http_server *server;
    struct sysinfo_cpu cpu;      /* at the last reading */
    char server_version[64];     /* of the container engine; empty: not known yet */
    struct mgmt_follow *follows; /* of our own log */
    struct mgmt_action *actions; /* engine calls that requests started */
    uv_async_t *log_wake;
};

/* NAME: the module in the path, decoded; "" where there is none. */
typedef void (*mgmt_fn)(struct mgmt *m, struct http_exchange *x, const char *name);

/* What is under way then ends without anybody being told. */
void mgmt_actions_done(struct mgmt *m);
/* An engine's refusal, or that it cannot be reached. */
void mgmt_reply_engine(struct http_exchange *x, int status, const struct err *err);

/* mgmt_modules.c */
void mgmt_modules_list(struct mgmt *m, struct http_exchange *x, const char *name);
void mgmt_modules_get(struct mgmt *m, struct http_exchange *x, const char *name);
void mgmt_modules_start(struct mgmt *m, struct http_exchange *x, const char *name);
void mgmt_modules_stop(struct mgmt *m, struct http_exchange *x, const char *name);
void mgmt_modules_restart(struct mgmt *m, struct http_exchange *x, const char *name);

/* mgmt_logs.c */
void mgmt_logs(struct mgmt *m, struct http_exchange *x, const char *name);

/* mgmt_own_log.c: the same for this process and the edge hub. Q is parsed. */
void mgmt_own_log_init(struct mgmt *m);
void mgmt_own_log_done(struct mgmt *m);
void mgmt_own_log(struct mgmt *m, struct http_exchange *x, enum agent_log which,
                  const struct log_query *q);

/* mgmt_system.c */
void mgmt_system_info(struct mgmt *m, struct http_exchange *x, const char *name);
void mgmt_system_resources(struct mgmt *m, struct http_exchange *x, const char *name);

#endif
