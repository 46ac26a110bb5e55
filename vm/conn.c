/* See conn.h. virConnectOpen() may block for ever on a daemon that hangs, so it runs on a thread
 * that can be left behind. */
#include "vm/conn.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/path.h"
#include "core/base/str.h"
#include "vm/virt.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define OPEN_LIMIT_MS    10000
#define KEEPALIVE_S      5
#define KEEPALIVE_MISSED 3

struct vm_conn {
    virConnectPtr virt;
    char *uri;
    bool session;
};

/* Shared by the caller and the thread that opens; the last one frees it. */
struct opening {
    pthread_mutex_t lock;
    pthread_cond_t done_cond;
    int refs;
    bool done, abandoned;
    char *uri;
    virConnectPtr virt;
    struct err err;
};

static int open_uri(const char *uri, virConnectPtr *ret_virt, struct err *err);
static int choose_and_open(unsigned int flags, struct vm_conn *c, struct err *err);

virConnectPtr vm_conn_virt(const struct vm_conn *conn)
{
    return conn->virt;
}

int vm_conn_open(const char *uri, unsigned int flags, struct vm_conn **ret_conn, struct err *err)
{
    virt_events_start();
    const char *env = getenv("BERTH_LIBVIRT_URI"); /* NOLINT(concurrency-mt-unsafe) */
    if (!uri || !*uri)
        uri = env && *env ? env : NULL;
    auto_vm_conn struct vm_conn *c = xcalloc(1, sizeof(*c));
    /* Root's system connection may need its daemons started, also where it was asked for by name.
     */
    if (!uri || (str_eq(uri, "qemu:///system") && geteuid() == 0)) {
        if (choose_and_open(flags, c, err) < 0)
            return -1;
    } else {
        c->uri = xstrdup(uri);
        if (open_uri(uri, &c->virt, err) < 0)
            return -1;
    }
    c->session = str_ends(c->uri, "/session");
    /* A daemon that hangs later ends the connection instead of a thread. Drivers inside our process
     * have none. */
    (void)virConnectSetKeepAlive(c->virt, KEEPALIVE_S, KEEPALIVE_MISSED);
    *ret_conn = steal(c);
    return 0;
}

void vm_conn_free(struct vm_conn *conn)
{
    if (!conn)
        return;
    if (conn->virt)
        (void)virConnectClose(conn->virt);
    free(conn->uri);
    free(conn);
}

const char *vm_conn_uri(const struct vm_conn *conn)
{
    return conn->uri;
}

bool vm_conn_session(const struct vm_conn *conn)
{
    return conn->session;
}

bool vm_conn_alive(const struct vm_conn *conn)
{
    return virConnectIsAlive(conn->virt) == 1;
}

uint32_t vm_conn_version(const struct vm_conn *conn)
{
    unsigned long version = 0;
    return virConnectGetLibVersion(conn->virt, &version) < 0 ? 0 : (uint32_t)version;
}

void vm_conn_version_text(uint32_t version, char *to, size_t size)
{
    (void)str_format(to, size, "%u.%u.%u", version / 1000000, version / 1000 % 1000,
                     version % 1000);
}

/* ---------------------------------------------------------------------------------- choosing */

/* QEMU of the system libvirt runs as another user: that user must be able to pass through every
 * folder down to our state. */
static bool state_passable(void)
{
    auto_free char *state = path_of(PATH_STATE, "%s", "");
    for (char *at = state + 1;; at++) {
        if (*at && *at != '/')
            continue;
        char kept = *at;
        *at = '\0';
        struct stat st;
        if (stat(state, &st) == 0 && !(st.st_mode & S_IXOTH))
            return false;
        if (!kept)
            return true;
        *at = kept;
    }
}

static int open_as_root(unsigned int flags, struct vm_conn *c, struct err *err)
{
    c->uri = xstrdup("qemu:///system");
    if (flags & VM_CONN_START) {
        if (virt_daemon_start(err) < 0)
            return -1;
    } else if (!virt_daemon_answers()) {
        err_set(err, ERR_UNREACHABLE, "libvirt's daemon does not run");
        return err_hint(err, "It is started when the VM is installed.");
    }
    return open_uri(c->uri, &c->virt, err);
}

static int choose_and_open(unsigned int flags, struct vm_conn *c, struct err *err)
{
    if (geteuid() == 0)
        return open_as_root(flags, c, err);
    if (state_passable() && virt_daemon_answers() &&
        open_uri("qemu:///system", &c->virt, NULL) == 0) {
        c->uri = xstrdup("qemu:///system");
        return 0;
    }
    c->uri = xstrdup("qemu:///session");
    return open_uri(c->uri, &c->virt, err);
}

/* ----------------------------------------------------------------------------------- opening */

static void opening_unref(struct opening *o)
{
    pthread_mutex_lock(&o->lock);
    bool last = --o->refs == 0;
    pthread_mutex_unlock(&o->lock);
    if (!last)
        return;
    (void)pthread_cond_destroy(&o->done_cond);
    (void)pthread_mutex_destroy(&o->lock);
    free(o->uri);
    free(o);
}

static void *run_opening(void *arg)
{
    struct opening *o = arg;
    virConnectPtr virt = virConnectOpen(o->uri);
    struct err why = {0};
    if (!virt) {
        virt_err(&why, "open %s", o->uri);
        err_hint(&why, why.kind == ERR_AUTH
                           ? "Work as root, or leave BERTH_LIBVIRT_URI unset to use a "
                             "libvirt of your own (qemu:///session)."
                           : "Is it installed? apt-get install libvirt-daemon-system "
                             "qemu-system-x86");
    }
    pthread_mutex_lock(&o->lock);
    bool abandoned = o->abandoned;
    o->done = true;
    o->virt = abandoned ? NULL : virt;
    o->err = why;
    (void)pthread_cond_signal(&o->done_cond);
    pthread_mutex_unlock(&o->lock);
    if (abandoned && virt)
        (void)virConnectClose(virt);
    opening_unref(o);
    return NULL;
}

static struct opening *opening_start(const char *uri, struct err *err)
{
    struct opening *o = xcalloc(1, sizeof(*o));
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&o->done_cond, &attr);
    (void)pthread_condattr_destroy(&attr);
    (void)pthread_mutex_init(&o->lock, NULL);
    o->uri = xstrdup(uri);
    o->refs = 2;
    pthread_t thread;
    int why = pthread_create(&thread, NULL, run_opening, o);
    if (why == 0) {
        (void)pthread_detach(thread);
        return o;
    }
    o->refs = 1;
    opening_unref(o);
    err_sys(err, why, "start a thread");
    return NULL;
}

static int open_uri(const char *uri, virConnectPtr *ret_virt, struct err *err)
{
    struct opening *o = opening_start(uri, err);
    if (!o)
        return -1;
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += OPEN_LIMIT_MS / 1000;
    pthread_mutex_lock(&o->lock);
    while (!o->done && pthread_cond_timedwait(&o->done_cond, &o->lock, &until) != ETIMEDOUT)
        continue;
    int result = -1;
    if (!o->done) {
        o->abandoned = true;
        err_set(err, ERR_TIMEOUT, "libvirt (%s) does not answer within %d s", uri,
                OPEN_LIMIT_MS / 1000);
        err_hint(err, "Restart it: systemctl restart libvirtd. Running VMs go on.");
    } else if (o->virt) {
        *ret_virt = o->virt;
        result = 0;
    } else if (err) {
        *err = o->err;
    }
    pthread_mutex_unlock(&o->lock);
    opening_unref(o);
    return result;
}
