/* What the files of the workload API share: workload.c has sockets and admission,
 * workload_request.c the way of a request and who may make it, workload_hub.c the same for the edge
 * hub, workload_answer.c what is answered. Nobody else includes this. */
#ifndef BERTH_EDGED_WORKLOAD_PRIVATE_H
#define BERTH_EDGED_WORKLOAD_PRIVATE_H

#include "vm/guest/edged/api.h"
#include "vm/guest/edged/workload.h"

struct workload_socket {
    struct workload *w;
    struct workload_socket *next;
    char module[DEPLOYMENT_NAME_MAX]; /* "": for all */
    char *path;
    struct http_server *server; /* NULL: it could not be made */
    bool wanted;
};

struct workload {
    struct workload_context c;
    char *folder;
    struct workload_socket *sockets;
    struct workload_wait *waits;
    unsigned drop_failures;  /* of deletions of identities in a row */
    uint64_t drop_after_ms;  /* none before */
    struct http_server *hub; /* at the edge hub's socket; NULL: not open */
    pid_t hub_pid;           /* who may use it */
};

void workload_close_hub(struct workload *w);

/* For http_server_new(), with a socket. */
void workload_on_request(struct http_exchange *x, void *arg); /* ARG: a struct workload_socket */

/* What is asked for, once it is clear that it may be. NAMES: module and generation as in the path;
 * BODY may be NULL. Each answers X. */
typedef void (*workload_answer_fn)(struct workload *w, struct http_exchange *x,
                                   const struct api_names *names, const cJSON *body);
void workload_sign(struct workload *w, struct http_exchange *x, const struct api_names *names,
                   const cJSON *body);
void workload_hub_sign(struct workload *w, struct http_exchange *x, const struct api_names *names,
                       const cJSON *body);
void workload_hub_cert(struct workload *w, struct http_exchange *x, const struct api_names *names,
                       const cJSON *body);
void workload_encrypt(struct workload *w, struct http_exchange *x, const struct api_names *names,
                      const cJSON *body);
void workload_decrypt(struct workload *w, struct http_exchange *x, const struct api_names *names,
                      const cJSON *body);
void workload_server_cert(struct workload *w, struct http_exchange *x,
                          const struct api_names *names, const cJSON *body);
void workload_identity_cert(struct workload *w, struct http_exchange *x,
                            const struct api_names *names, const cJSON *body);
void workload_trust(struct workload *w, struct http_exchange *x, const struct api_names *names,
                    const cJSON *body);
void workload_manifest_trust(struct workload *w, struct http_exchange *x,
                             const struct api_names *names, const cJSON *body);
void workload_modules(struct workload *w, struct http_exchange *x, const struct api_names *names,
                      const cJSON *body);

#endif
