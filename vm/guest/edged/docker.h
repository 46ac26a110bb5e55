/* The container engine through its HTTP API (Docker Engine API 1.41, as Docker and podman serve it)
 * on a unix socket. Every call is asynchronous and answers once, never from inside the call. Loop
 * thread only. */
#ifndef BERTH_EDGED_DOCKER_H
#define BERTH_EDGED_DOCKER_H

#include "core/base/err.h"
#include "core/base/json.h"
#include "core/io/http_client.h"
#include "vm/guest/edged/deployment.h"

#include <uv.h>

struct docker;

/* ERR is NULL on success (2xx and 304); else its message is the engine's own or says why the engine
 * cannot be reached. STATUS is 0 where no answer came. JSON is NULL where the answer has no body.
 */
typedef void (*docker_fn)(void *arg, int status, const cJSON *json, const struct err *err);

struct docker *docker_new(uv_loop_t *loop, const char *socket_path);
void docker_free(struct docker *d); /* after all calls were ended or cancelled */

/* A call under way, to be cancelled with http_call_cancel() semantics: FN does not come any more.
 */
struct docker_call;
void docker_cancel(struct docker_call *call); /* NULL is fine */

struct docker_call *docker_get(struct docker *d, const char *target, docker_fn fn, void *arg);
struct docker_call *docker_post(struct docker *d, const char *target, const cJSON *body,
                                docker_fn fn, void *arg);
struct docker_call *docker_delete(struct docker *d, const char *target, docker_fn fn, void *arg);
/* FN as above, ERR also where the pull failed half-way. REGISTRY may be NULL. */
struct docker_call *docker_pull(struct docker *d, const char *image,
                                const struct registry *registry, docker_fn fn, void *arg);

/* A raw stream (logs, events): DATA as it comes, DONE at its end. */
struct http_call *docker_stream(struct docker *d, const char *target, http_data_fn data,
                                http_done_fn done, void *arg);

/* Percent-encodes TEXT for a path or a query. */
void docker_encode(struct buf *out, const char *text);

#endif
