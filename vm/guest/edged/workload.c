/* See workload.h: sockets and admission. */
#include "vm/guest/edged/workload_private.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/digest.h"
#include "vm/guest/edged/identity.h"
#include "vm/guest/edged/restart.h"

#include <string.h>
#include <unistd.h>

#define BODY_MAX    (256U << 10)
#define REQUEST_MS  5000 /* as Microsoft's */
#define NAME_SHOWN  40   /* a longer name's folder is its digest: a socket's path is short */
#define SOCKET_NAME "/workload.sock"

struct workload_wait {
    struct workload *w;
    struct workload_wait *next;
    workload_fn fn; /* NULL: cancelled, or nobody waits */
    void *arg;
    bool drop; /* the hub is to delete it */
    char module[DEPLOYMENT_NAME_MAX];
};

/* ------------------------------------------------------------------------------- sockets */

/* A deployed name begins with a letter or digit: none is like a digest's. */
char *workload_folder(const struct workload *w, const char *module)
{
    char hex[DIGEST_HEX_SIZE];
    if (strlen(module) <= NAME_SHOWN)
        return xasprintf("%s/%s", w->folder, module);
    digest_sha256(module, strlen(module), hex);
    return xasprintf("%s/.%.32s", w->folder, hex);
}

static struct workload_socket *find(const struct workload *w, const char *module)
{
    struct workload_socket *s = w->sockets;
    while (s && !str_eq(s->module, module))
        s = s->next;
    return s;
}

static int listen_on(struct workload_socket *s, struct err *err)
{
    const struct workload_context *c = &s->w->c;
    const struct http_limits limits = {.body_max = BODY_MAX,
                                       .request_ms = REQUEST_MS,
                                       .connections_max = (unsigned)c->config->workload_requests};
    http_server_free(s->server);
    s->server = http_server_new(c->loop, &limits, workload_on_request, s);
    if (http_server_listen_unix(s->server, s->path, 0666, (uid_t)-1, (gid_t)-1, err) == 0)
        return 0;
    http_server_free(steal(s->server));
    return -1;
}

static struct workload_socket *add(struct workload *w, const char *module, char *take_path)
{
    struct workload_socket *s = xcalloc(1, sizeof(*s));
    s->w = w;
    s->path = take_path;
    s->wanted = true;
    STR_SET(s->module, module);
    s->next = w->sockets;
    w->sockets = s;
    return s;
}

/* Also where somebody has removed the file of one that is served. */
int workload_open(struct workload *w, const char *module, struct err *err)
{
    struct workload_socket *s = find(w, module);
    auto_free char *folder = workload_folder(w, module);
    if (s && s->server && file_exists(s->path))
        return 0;
    if (!s)
        s = add(w, module, xasprintf("%s" SOCKET_NAME, folder));
    if (file_mkdirs(folder, 0755, err) < 0)
        return -1;
    return listen_on(s, err);
}

static void socket_free(struct workload_socket *s)
{
    http_server_free(s->server);
    free(s->path);
    free(s);
}

static void remove_module(struct workload *w, struct workload_socket *s)
{
    auto_free char *folder = workload_folder(w, s->module);
    struct err err;
    certs_forget(w->c.certs, s->module);
    socket_free(s);
    if (file_remove_tree(folder, &err) < 0)
        log_warn("workload", "%s", err.msg);
}

static void remove_unwanted(struct workload *w)
{
    struct workload_socket **at = &w->sockets;
    while (*at) {
        struct workload_socket *s = *at;
        if (s->wanted || !*s->module) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        remove_module(w, s);
    }
}

void workload_keep(struct workload *w, const struct module_view *views, size_t n)
{
    struct err err;
    for (struct workload_socket *s = w->sockets; s; s = s->next)
        s->wanted = false;
    for (size_t i = 0; i < n; i++) {
        struct workload_socket *s = find(w, views[i].name);
        if (s)
            s->wanted = true;
        else if (workload_open(w, views[i].name, &err) < 0)
            log_warn("workload", "%s: %s", views[i].name, err.msg);
    }
    remove_unwanted(w);
}

/* ------------------------------------------------------------------------------- admission */

static struct workload_wait *wait_new(struct workload *w, const char *module, workload_fn fn,
                                      void *arg)
{
    struct workload_wait *wait = xcalloc(1, sizeof(*wait));
    *wait = (struct workload_wait){.w = w, .next = w->waits, .fn = fn, .arg = arg};
    STR_SET(wait->module, module);
    w->waits = wait;
    return wait;
}

static void wait_free(struct workload_wait *wait)
{
    struct workload_wait **at = &wait->w->waits;
    while (*at != wait)
        at = &(*at)->next;
    *at = wait->next;
    free(wait);
}

static void on_identity(void *arg, const char *generation, const struct err *err)
{
    struct workload_wait *wait = arg;
    workload_fn fn = wait->fn;
    void *fn_arg = wait->arg;
    if (err && !fn)
        log_debug("workload", "%s: identity: %s", wait->module, err->msg);
    wait_free(wait);
    if (fn)
        fn(fn_arg, generation, err);
}

struct workload_wait *workload_identify(struct workload *w, const char *module, workload_fn fn,
                                        void *arg, struct err *err)
{
    struct identity *identities = cloud_identity(w->c.cloud);
    if (!identities) {
        err_set(err, ERR_NOT_FOUND, "the device is not known yet");
        return NULL;
    }
    struct workload_wait *wait = wait_new(w, module, fn, arg);
    /* those of the runtime come with the device */
    enum identity_act act = module[0] == '$' ? IDENTITY_GET : IDENTITY_CREATE;
    if (identity_ask(identities, act, module, on_identity, wait, err) == 0)
        return wait;
    wait_free(wait);
    return NULL;
}

static bool waited_for(const struct workload *w, const char *module, bool drops_only)
{
    const struct workload_wait *wait = w->waits;
    while (wait && !(str_eq(wait->module, module) && (wait->drop || !drops_only)))
        wait = wait->next;
    return wait != NULL;
}

/* What the hub is about to delete does not count: a module that comes back waits for a new one. */
const char *workload_generation(struct workload *w, const char *module)
{
    const struct identity *identities = cloud_identity(w->c.cloud);
    const char *known =
        identities && !waited_for(w, module, true) ? identity_generation(identities, module) : NULL;
    /* Not without a connection: questions come one after the other, and the cloud's own would wait
     * behind these. */
    if (known && cloud_state(w->c.cloud).word == CLOUD_CONNECTED)
        (void)workload_identify(w, module, NULL, NULL, NULL);
    return known;
}

static void on_dropped(void *arg, const char *generation, const struct err *err)
{
    struct workload_wait *wait = arg;
    struct workload *w = wait->w;
    (void)generation;
    w->drop_failures = err ? w->drop_failures + 1 : 0;
    w->drop_after_ms = err ? clock_mono_ms() + restart_delay_ms(w->drop_failures) : 0;
    if (err)
        log_warn("identity", "%s stays at the hub for now: %s", wait->module, err->msg);
    else
        log_info("identity", "the hub deleted %s", wait->module);
    wait_free(wait);
}

void workload_drop_identities(struct workload *w, bool (*wanted)(const void *arg, const char *name),
                              const void *arg)
{
    struct identity *identities = cloud_identity(w->c.cloud);
    const char *name = NULL;
    if (!identities || cloud_state(w->c.cloud).word != CLOUD_CONNECTED ||
        clock_mono_ms() < w->drop_after_ms)
        return;
    for (size_t i = 0; (name = identity_known(identities, i)); i++) {
        if (name[0] == '$' || wanted(arg, name) || waited_for(w, name, false))
            continue;
        struct workload_wait *wait = wait_new(w, name, NULL, NULL);
        wait->drop = true;
        if (identity_ask(identities, IDENTITY_DELETE, name, on_dropped, wait, NULL) < 0) {
            wait_free(wait);
            return;
        }
    }
}

void workload_cancel(struct workload_wait *wait)
{
    if (wait)
        wait->fn = NULL;
}

/* ------------------------------------------------------------------------------- life */

struct workload *workload_new(const struct workload_context *context, const char *state_dir,
                              struct err *err)
{
    auto_free char *folder = xasprintf("%s/mnt", state_dir);
    if (file_mkdirs(folder, 0755, err) < 0)
        return NULL;
    struct workload *w = xcalloc(1, sizeof(*w));
    w->c = *context;
    w->folder = steal(folder);
    return w;
}

int workload_begin(struct workload *w, const struct agent *agent, const struct cloud *cloud,
                   const char *shared_socket, struct err *err)
{
    w->c.agent = agent;
    w->c.cloud = cloud;
    return listen_on(add(w, "", xstrdup(shared_socket)), err);
}

void workload_free(struct workload *w)
{
    if (!w)
        return;
    for (struct workload_socket *s = w->sockets, *next; s; s = next) {
        next = s->next;
        socket_free(s);
    }
    for (struct workload_wait *wait = w->waits, *next; wait; wait = next) {
        next = wait->next;
        free(wait);
    }
    workload_close_hub(w);
    free(w->folder);
    free(w);
}
