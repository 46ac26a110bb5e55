/* See workload_private.h: the way of a request. A caller is a module's where it shares the process
 * namespace of the module's container, which nobody outside can get into without being root. What
 * is known of the container is asked first; where that does not do, because the container was just
 * started, the engine itself. A container that sees all processes of the machine shares that
 * namespace with everybody: there only the engine can tell. */
#include "vm/guest/edged/workload_private.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/workload_body.h"

#include <sys/stat.h>

struct endpoint {
    struct api_route route;
    bool own; /* only for the module in the path */
    workload_answer_fn fn;
};

static const struct endpoint endpoints[] = {
    {{"GET", "/modules", API_2018_06_28}, false, workload_modules},
    {{"GET", "/modules/", API_2018_06_28}, false, workload_modules},
    {{"POST", "/modules/*/genid/*/sign", API_2018_06_28}, true, workload_sign},
    {{"POST", "/modules/*/genid/*/encrypt", API_2018_06_28}, true, workload_encrypt},
    {{"POST", "/modules/*/genid/*/decrypt", API_2018_06_28}, true, workload_decrypt},
    {{"POST", "/modules/*/certificate/identity", API_2018_06_28}, true, workload_identity_cert},
    {{"POST", "/modules/*/genid/*/certificate/server", API_2018_06_28}, true, workload_server_cert},
    {{"GET", "/trust-bundle", API_2018_06_28}, false, workload_trust},
    {{"GET", "/manifest-trust-bundle", API_2018_06_28}, false, workload_manifest_trust},
};

/* A request whose caller the engine is asked about. */
struct inquiry {
    struct workload *w;
    struct http_exchange *x;
    const struct endpoint *endpoint;
    struct api_names names;
    cJSON *body;
    struct docker_call *call;
};

/* ------------------------------------------------------------------------------- namespaces */

static bool pid_namespace(pid_t pid, struct stat *ret)
{
    char path[40];
    (void)str_format(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
    return pid > 0 && stat(path, ret) == 0;
}

static bool same_namespace(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether a container whose first process is INIT has a namespace of its own, and CALLER is in it.
 */
static bool is_inside(pid_t caller, pid_t init)
{
    struct stat ours, its, callers;
    return stat("/proc/self/ns/pid", &ours) == 0 && pid_namespace(init, &its) &&
           pid_namespace(caller, &callers) && !same_namespace(&its, &ours) &&
           same_namespace(&its, &callers);
}

static const char *container_name(const char *module)
{
    return module + (module[0] == '$');
}

/* ------------------------------------------------------------------------------- inquiry */

static void inquiry_free(struct inquiry *q)
{
    docker_cancel(q->call);
    cJSON_Delete(q->body);
    free(q);
}

static void on_client_gone(void *arg)
{
    inquiry_free(arg);
}

static void settle(struct inquiry *q, bool allowed)
{
    struct http_exchange *x = q->x;
    http_exchange_on_close(x, NULL, NULL);
    if (allowed) {
        q->endpoint->fn(q->w, x, &q->names, q->body);
    } else {
        log_warn("workload", "process %d asked for what is only for module %s: refused",
                 (int)http_exchange_peer_pid(x), container_name(q->names.at[0]));
        http_reply_message(x, 403, "forbidden");
    }
    inquiry_free(q);
}

static void ask_engine(struct inquiry *q, const char *what, docker_fn fn)
{
    auto_buf struct buf target = {0};
    buf_puts(&target, "/containers/");
    docker_encode(&target, container_name(q->names.at[0]));
    buf_puts(&target, what);
    q->call = docker_get(q->w->c.docker, buf_str(&target), fn, q);
}

static void on_top(void *arg, int status, const cJSON *json, const struct err *err)
{
    struct inquiry *q = arg;
    (void)status;
    q->call = NULL;
    settle(q, !err && workload_body_top_has(json, "PID", (uint64_t)http_exchange_peer_pid(q->x)));
}

/* podman's word for the numbers that this machine has for the processes, on which Docker's ps
 * stumbles. */
static void on_top_podman(void *arg, int status, const cJSON *json, const struct err *err)
{
    struct inquiry *q = arg;
    (void)status;
    q->call = NULL;
    if (err)
        ask_engine(q, "/top", on_top);
    else
        settle(q, workload_body_top_has(json, "HPID", (uint64_t)http_exchange_peer_pid(q->x)));
}

static void on_inspected(void *arg, int status, const cJSON *json, const struct err *err)
{
    struct inquiry *q = arg;
    (void)status;
    q->call = NULL;
    pid_t init = (pid_t)json_u64(json_get(json, "State"), "Pid", 0);
    const char *mode = json_str(json_get(json, "HostConfig"), "PidMode", "");
    if (!err && str_eq(mode, "host"))
        ask_engine(q, "/top?ps_args=hpid", on_top_podman);
    else
        settle(q, !err && is_inside(http_exchange_peer_pid(q->x), init));
}

static void inquire(struct workload *w, struct http_exchange *x, const struct endpoint *e,
                    const struct api_names *names, cJSON *take_body)
{
    struct inquiry *q = xcalloc(1, sizeof(*q));
    *q = (struct inquiry){.w = w, .x = x, .endpoint = e, .names = *names, .body = take_body};
    http_exchange_on_close(x, on_client_gone, q);
    ask_engine(q, "/json", on_inspected);
}

/* ------------------------------------------------------------------------------- requests */

void workload_on_request(struct http_exchange *x, void *arg)
{
    const struct workload_socket *s = arg;
    struct workload *w = s->w;
    struct api_names names;
    auto_json cJSON *body = NULL;
    const struct endpoint *e =
        api_find(x, endpoints, ARRAY_LEN(endpoints), sizeof(endpoints[0]), &names);
    if (!e || !api_body(x, &body))
        return;
    if (!e->own) {
        e->fn(w, x, &names, body);
        return;
    }
    const char *name = container_name(names.at[0]);
    const struct container *c = containers_find(agent_containers(w->c.agent), name);
    if (!c || (*s->module && !str_eq(s->module, name)))
        http_reply_message(x, 403, "forbidden");
    else if (is_inside(http_exchange_peer_pid(x), c->pid))
        e->fn(w, x, &names, body);
    else
        inquire(w, x, e, &names, steal(body));
}
