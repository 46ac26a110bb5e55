/* Questions to a service of this machine over its unix socket, the runtime's management API or the
 * container engine's: HTTP/1.1, one at a time, blocking. */
#ifndef BERTH_IOTEDGE_ASK_H
#define BERTH_IOTEDGE_ASK_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/json.h"
#include "vm/guest/iotedge/iotedge.h"

#include <stdint.h>

#define ASK_MGMT_VERSION "api-version=2022-08-03"
#define ASK_ENGINE_API   "/v1.41"

struct ask;

/* Of the runtime at OPTIONS' host, of the engine at its socket. Nobody is asked yet. */
struct ask *ask_runtime(const struct iotedge *o);
struct ask *ask_engine(const struct iotedge *o);
void ask_free(struct ask *a); /* NULL is fine */
DEFINE_AUTO(ask, struct ask, ask_free)
#define auto_ask ATTR_CLEANUP(ask_freep)

/* ERR_UNREACHABLE, ERR_AUTH: nobody answers there, and what to do about it. An answer that is no
 * success is an error, too, with the words of who answered: ERR_NOT_FOUND (404), ERR_INVALID (400),
 * ERR_REMOTE. RET may be NULL; of an answer without a body it becomes NULL. */
int ask_json(struct ask *a, const char *method, const char *target, cJSON **ret, struct err *err);

/* A body of any length, as it comes. FN false: no more is wanted, which is no error. */
int ask_stream(struct ask *a, const char *target,
               bool (*fn)(void *arg, const char *data, size_t len), void *arg, struct err *err);

/* How long an answer may take from now on. Usually two minutes. */
void ask_limit(struct ask *a, uint64_t ms);

#endif
