/* HTTP/1.1 as a client over a unix socket or an SSH channel (mgmt.sock, docker.sock): one
 * connection a call, content-length, chunked or until-close bodies, strictly bounded. For HTTPS to
 * the outside there is http.h (libcurl). Loop thread only. */
#ifndef BERTH_IO_HTTP_CLIENT_H
#define BERTH_IO_HTTP_CLIENT_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/io/stream.h"

#include <stdint.h>

struct http_call;

struct http_request {
    const char *method;       /* "GET" */
    const char *target;       /* "/modules?api-version=2022-08-03"; already encoded */
    const char *content_type; /* NULL without a body */
    const void *body;
    size_t body_len;
    const char *const
        *headers; /* NULL, or more header lines "Name: value" without line ends, behind them a NULL.
                     A "Host:" among them replaces the default "localhost" */
    uint64_t timeout_ms; /* for the whole call; of a streamed one for the headers only */
    size_t body_max;     /* ERR_PROTOCOL beyond it; 0: 1 MiB. No limit on streamed bodies */
};

/* Streamed body as it arrives. Return false to be called no more until http_call_resume(). */
typedef bool (*http_data_fn)(void *arg, const char *data, size_t len);

/* The end, exactly once, never from inside http_call_start: ERR is NULL when an answer came,
 * whatever its status (an error status is not an `err`); BODY then holds it (empty where data_fn
 * took it). The call is freed after this returns. */
typedef void (*http_done_fn)(void *arg, int status, const struct buf *body, const struct err *err);

/* DATA_FN NULL: the body is collected for DONE. With DATA_FN a body of a 2xx answer goes there; of
 * other answers it is collected. */
struct http_call *http_call_start(struct dialer *dialer, uv_loop_t *loop, const char *socket_path,
                                  const struct http_request *request, http_data_fn data_fn,
                                  http_done_fn done, void *arg);

/* Copies the value of the answer's header NAME (any case; the first of that name) to TO; only in
 * DONE or after the first data. False where there is none or it does not fit. */
bool http_call_header(const struct http_call *call, const char *name, char *to, size_t size);

/* Ends the call; DONE does not come. */
void http_call_cancel(struct http_call *call);
void http_call_resume(struct http_call *call);

#endif
