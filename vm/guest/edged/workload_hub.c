/* See workload_private.h: the edge hub's socket. The hub speaks for every module of this device, so
 * that there is nothing to ask the engine about: it is the one process that may. */
#include "vm/guest/edged/workload_private.h"

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#define BODY_MAX        (256U << 10)
#define REQUEST_MS      5000
#define CONNECTIONS_MAX 32

struct endpoint {
    struct api_route route;
    workload_answer_fn fn;
};

static const struct endpoint endpoints[] = {
    {{"POST", "/modules/*/genid/*/sign", API_2018_06_28}, workload_hub_sign},
    {{"POST", "/modules/*/genid/*/certificate/server", API_2018_06_28}, workload_hub_cert},
    {{"GET", "/trust-bundle", API_2018_06_28}, workload_trust},
};

static void on_request(struct http_exchange *x, void *arg)
{
    struct workload *w = arg;
    struct api_names names;
    auto_json cJSON *body = NULL;
    pid_t pid = http_exchange_peer_pid(x);
    if (!w->hub_pid || pid != w->hub_pid) {
        log_warn("workload", "process %d asked for what is only for the edge hub: refused",
                 (int)pid);
        http_reply_message(x, 403, "forbidden");
        return;
    }
    const struct endpoint *e =
        api_find(x, endpoints, ARRAY_LEN(endpoints), sizeof(endpoints[0]), &names);
    if (e && api_body(x, &body))
        e->fn(w, x, &names, body);
}

/* Also where somebody has removed the file of one that is served. */
int workload_open_hub(struct workload *w, const char *path, struct err *err)
{
    const struct http_limits limits = {
        .body_max = BODY_MAX, .request_ms = REQUEST_MS, .connections_max = CONNECTIONS_MAX};
    if (w->hub && file_exists(path))
        return 0;
    workload_close_hub(w);
    w->hub = http_server_new(w->c.loop, &limits, on_request, w);
    if (http_server_listen_unix(w->hub, path, 0600, (uid_t)-1, (gid_t)-1, err) == 0)
        return 0;
    workload_close_hub(w);
    return -1;
}

void workload_admit_hub(struct workload *w, pid_t pid)
{
    w->hub_pid = pid;
}

void workload_close_hub(struct workload *w)
{
    http_server_free(steal(w->hub));
}
