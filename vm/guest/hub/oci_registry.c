/* See oci_registry.h. setpriv --pdeathsig ties the child's life to ours even across SIGKILL. */
#include "vm/guest/hub/oci_registry.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/child.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define ADDRESSES_MAX  8
#define READY_MS       15000
#define PROBE_MS       100
#define BACKOFF_MIN_MS 500
#define BACKOFF_MAX_MS 30000
#define HEALTHY_MS     60000 /* up for so long: the next end starts from the shortest back-off */

struct instance {
    struct oci_registry *owner;
    struct child *child; /* NULL between two lives */
    uv_timer_t timer;    /* probe, or restart */
    uv_tcp_t probe;
    uv_connect_t connect;
    bool probing, up;
    uint64_t started_ms, backoff_ms;
    struct sockaddr_storage address;
    char text[64]; /* "127.0.0.1:5000" */
    char *config;
};

struct oci_registry {
    uv_loop_t *loop;
    struct instance instances[ADDRESSES_MAX];
    size_t n;
    uint64_t deadline_ms;
    oci_registry_ready_fn ready; /* NULL once it was called */
    void *arg;
    unsigned handles; /* open ones that point here */
    bool stopping;
};

static void start_child(struct instance *i);
static void on_probe_timer(uv_timer_t *timer);

static void tell_ready(struct oci_registry *r, const struct err *err)
{
    oci_registry_ready_fn fn = r->ready;

    r->ready = NULL;
    if (fn)
        fn(r->arg, err);
}

static void unref(struct oci_registry *r)
{
    if (--r->handles > 0)
        return;
    for (size_t i = 0; i < r->n; i++)
        free(r->instances[i].config);
    free(r);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct instance *i = handle->data;

    unref(i->owner);
}

/* ------------------------------------------------------------------------------------------ probe
 */

static void on_probe_closed(uv_handle_t *handle)
{
    struct instance *i = handle->data;
    struct oci_registry *r = i->owner;

    i->probing = false;
    if (!r->stopping && i->child && !i->up)
        (void)uv_timer_start(&i->timer, on_probe_timer, PROBE_MS, 0);
    unref(r);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct instance *i = connect->data;
    struct oci_registry *r = i->owner;

    if (status == UV_ECANCELED)
        return;
    if (status == 0 && i->child && !i->up) {
        bool all = true;

        i->up = true;
        log_info("registry", "docker-registry answers on %s", i->text);
        for (size_t k = 0; k < r->n; k++)
            all = all && r->instances[k].up;
        if (all)
            tell_ready(r, NULL);
    }
    uv_close((uv_handle_t *)&i->probe, on_probe_closed);
}

static void on_probe_timer(uv_timer_t *timer)
{
    struct instance *i = timer->data;
    struct oci_registry *r = i->owner;
    struct err err = {0};

    if (i->probing || !i->child)
        return;
    if (r->ready && clock_mono_ms() > r->deadline_ms) {
        (void)err_set(&err, ERR_TIMEOUT, "docker-registry does not answer on %s", i->text);
        tell_ready(r, &err);
        return;
    }
    i->probing = true;
    r->handles++;
    (void)uv_tcp_init(r->loop, &i->probe);
    i->probe.data = i;
    i->connect.data = i;
    if (uv_tcp_connect(&i->connect, &i->probe, (const struct sockaddr *)&i->address, on_connected) <
        0)
        uv_close((uv_handle_t *)&i->probe, on_probe_closed);
}

/* ------------------------------------------------------------------------------------------ life
 */

static void on_restart(uv_timer_t *timer)
{
    start_child(timer->data);
}

static void on_end(void *arg, const struct child_result *result, const struct err *err)
{
    struct instance *i = arg;
    struct oci_registry *r = i->owner;
    uint64_t lived = clock_mono_ms() - i->started_ms;
    struct err why = {0};

    (void)result;
    i->child = NULL;
    i->up = false;
    if (r->stopping)
        return;
    if (r->ready) {
        (void)err_set(&why, err ? err->kind : ERR_REMOTE, "docker-registry: %s",
                      err ? err->msg : "it ended");
        if (err && err->kind == ERR_NOT_FOUND)
            (void)err_hint(&why, "apt-get install docker-registry");
        tell_ready(r, &why);
        return;
    }
    if (lived > HEALTHY_MS)
        i->backoff_ms = BACKOFF_MIN_MS;
    log_warn("registry", "docker-registry on %s ended: %s; next start in %u ms", i->text,
             err ? err->msg : "exit", (unsigned)i->backoff_ms);
    (void)uv_timer_start(&i->timer, on_restart, i->backoff_ms, 0);
    i->backoff_ms = i->backoff_ms * 2 < BACKOFF_MAX_MS ? i->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static void start_child(struct instance *i)
{
    const char *argv[] = {"setpriv",         "--pdeathsig", "KILL",    "--",
                          "docker-registry", "serve",       i->config, NULL};
    /* Its own tracing would look for a collector and complain. */
    const char *env[] = {"OTEL_TRACES_EXPORTER=none", NULL};
    struct child_options options = {.argv = argv, .env = env};

    i->started_ms = clock_mono_ms();
    i->child = child_start(i->owner->loop, &options, on_end, i);
    (void)uv_timer_start(&i->timer, on_probe_timer, PROBE_MS, 0);
}

static int write_config(const struct instance *i, const struct oci_registry_options *o,
                        struct err *err)
{
    auto_wiped_buf struct buf text = {0};

    buf_printf(&text,
               "version: 0.1\n"
               "log:\n  level: error\n  accesslog:\n    disabled: true\n"
               "storage:\n  filesystem:\n    rootdirectory: '%s/registry'\n"
               "  delete:\n    enabled: true\n"
               "http:\n  addr: '%s'\n  secret: '%s'\n"
               "  tls:\n    certificate: '%s/server.pem'\n    key: '%s/server.key'\n"
               "    minimumtls: tls1.2\n",
               o->dir, i->text, o->secret, o->dir, o->dir);
    return file_write(i->config, text.data, text.len, 0600, err);
}

/* docker-registry says so only in its log, after a while. */
static int check_free(const struct sockaddr_storage *address, uint16_t port, struct err *err)
{
    auto_close int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len =
        address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int on = 1;

    if (fd < 0)
        return err_sys(err, errno, "socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)address, len) == 0)
        return 0;
    if (errno == EADDRINUSE)
        return err_set(err, ERR_EXISTS, "port %u is taken by another program", port);
    return err_sys(err, errno, "listen on port %u", port);
}

static int prepare(struct instance *i, size_t number, const char *address,
                   const struct oci_registry_options *o, struct err *err)
{
    bool v6 = uv_ip4_addr(address, o->port, (struct sockaddr_in *)&i->address) != 0;

    if (v6 && uv_ip6_addr(address, o->port, (struct sockaddr_in6 *)&i->address) != 0)
        return err_set(err, ERR_INVALID, "not an IP address: %s", address);
    (void)str_format(i->text, sizeof(i->text), v6 ? "[%s]:%u" : "%s:%u", address, o->port);
    i->config = xasprintf("%s/registry-%zu.yml", o->dir, number);
    i->backoff_ms = BACKOFF_MIN_MS;
    return check_free(&i->address, o->port, err) < 0 ? -1 : write_config(i, o, err);
}

int oci_registry_start(uv_loop_t *loop, const struct oci_registry_options *options,
                       oci_registry_ready_fn ready, void *arg, struct oci_registry **ret,
                       struct err *err)
{
    struct oci_registry *r = xcalloc(1, sizeof(*r));

    r->loop = loop;
    r->ready = ready;
    r->arg = arg;
    r->deadline_ms = clock_mono_ms() + READY_MS;
    r->handles = 1;
    for (const char *const *a = options->addresses; *a && r->n < ADDRESSES_MAX; a++) {
        r->n++;
        if (prepare(&r->instances[r->n - 1], r->n, *a, options, err) < 0) {
            unref(r);
            return -1;
        }
    }
    for (size_t i = 0; i < r->n; i++) {
        struct instance *it = &r->instances[i];

        it->owner = r;
        (void)uv_timer_init(loop, &it->timer);
        it->timer.data = it;
        r->handles++;
        start_child(it);
    }
    *ret = r;
    return 0;
}

void oci_registry_restart(struct oci_registry *r)
{
    for (size_t i = 0; i < r->n; i++) {
        struct instance *it = &r->instances[i];

        if (!it->child)
            continue;
        child_cancel(it->child);
        it->child = NULL;
        it->up = false;
        (void)uv_timer_start(&it->timer, on_restart, BACKOFF_MIN_MS, 0);
    }
}

void oci_registry_stop(struct oci_registry *r)
{
    if (!r)
        return;
    r->stopping = true;
    r->ready = NULL;
    for (size_t i = 0; i < r->n; i++) {
        struct instance *it = &r->instances[i];

        if (it->child)
            child_cancel(it->child);
        it->child = NULL;
        if (it->probing && !uv_is_closing((uv_handle_t *)&it->probe))
            uv_close((uv_handle_t *)&it->probe, on_probe_closed);
        uv_close((uv_handle_t *)&it->timer, on_timer_closed);
    }
    unref(r);
}
