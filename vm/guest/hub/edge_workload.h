/* The runtime's socket for its edge hub: keys never leave the runtime, so it signs as any module of
 * this device, and makes the hub's certificate. HTTP in the form of the workload API:
 *
 *   POST /modules/{m}/genid/{g}/sign   {"keyId":"primary"|"secondary","algo":"HMACSHA256",
 *       "data":base64} -> 200 {"digest":base64}; 404: this device has no such module
 *   POST /modules/$edgeHub/genid/{g}/certificate/server   {"commonName":host} -> 201
 *   GET /trust-bundle   -> 200 {"certificate":PEM}
 *
 * {g} is not looked at. A few calls go at a time, the others wait; each ends within ten seconds.
 * Loop thread only; answers never come from inside a call, and must not free it all. */
#ifndef BERTH_HUB_EDGE_WORKLOAD_H
#define BERTH_HUB_EDGE_WORKLOAD_H

#include "core/base/err.h"
#include "core/base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct edge_workload;
struct edge_workload_call;

struct edge_workload *edge_workload_new(uv_loop_t *loop, const char *socket_path);
void edge_workload_free(struct edge_workload *w); /* open calls end unanswered; NULL is fine */

/* ERR_NOT_FOUND: this device has no such module; ERR_UNREACHABLE: the runtime does not answer. */
typedef void (*edge_sign_fn)(void *arg, const unsigned char *digest, const struct err *err);
/* HMAC-SHA256 (32 bytes) of DATA with a key of MODULE. */
struct edge_workload_call *edge_workload_sign(struct edge_workload *w, const char *module,
                                              bool secondary, const void *data, size_t len,
                                              edge_sign_fn fn, void *arg);

/* A new certificate for the host name: PEM chain, leaf first, and key; CERT and KEY are good for
 * the call only. */
typedef void (*edge_cert_fn)(void *arg, const char *cert, const char *key, uint64_t until_ms,
                             const struct err *err);
struct edge_workload_call *edge_workload_cert(struct edge_workload *w, const char *host,
                                              edge_cert_fn fn, void *arg);

typedef void (*edge_trust_fn)(void *arg, const char *pem, const struct err *err);
struct edge_workload_call *edge_workload_trust(struct edge_workload *w, edge_trust_fn fn,
                                               void *arg);

void edge_workload_cancel(struct edge_workload_call *call); /* FN does not come; NULL is fine */

/* A token for RESOURCE ("HUB/devices/D/modules/M"), signed as MODULE, good until EXPIRY_S. TOKEN is
 * good for the call only. */
typedef void (*edge_token_fn)(void *arg, const struct secret *token, const struct err *err);
struct edge_workload_call *edge_workload_token(struct edge_workload *w, const char *module,
                                               const char *resource, uint64_t expiry_s,
                                               edge_token_fn fn, void *arg);

#endif
