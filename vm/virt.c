/* What all callers of libvirt share: its errors in our words, its event loop's thread. */
#include "vm/virt.h"

#include "core/base/mem.h"
#include "core/base/path.h"
#include "core/base/str.h"
#include "vm/domain_xml.h"

#include <libvirt/virterror.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

static pthread_once_t events_once = PTHREAD_ONCE_INIT;

/* ------------------------------------------------------------------------------------ errors */

static enum err_kind kind_of(const virError *e)
{
    static const struct {
        int code;
        enum err_kind kind;
    } kinds[] = {
        {VIR_ERR_NO_DOMAIN, ERR_NOT_FOUND},
        {VIR_ERR_NO_NETWORK, ERR_NOT_FOUND},
        {VIR_ERR_NO_DOMAIN_METADATA, ERR_NOT_FOUND},
        {VIR_ERR_DOM_EXIST, ERR_EXISTS},
        {VIR_ERR_AUTH_FAILED, ERR_AUTH},
        {VIR_ERR_AUTH_CANCELLED, ERR_AUTH},
        {VIR_ERR_AUTH_UNAVAILABLE, ERR_AUTH},
        {VIR_ERR_ACCESS_DENIED, ERR_AUTH},
        {VIR_ERR_OPERATION_DENIED, ERR_AUTH},
        {VIR_ERR_NO_CONNECT, ERR_UNREACHABLE},
        {VIR_ERR_INVALID_CONN, ERR_UNREACHABLE},
        {VIR_ERR_OPERATION_TIMEOUT, ERR_TIMEOUT},
        {VIR_ERR_OPERATION_INVALID, ERR_BUSY},
        {VIR_ERR_RESOURCE_BUSY, ERR_BUSY},
        {VIR_ERR_NO_SUPPORT, ERR_UNSUPPORTED},
        {VIR_ERR_CONFIG_UNSUPPORTED, ERR_UNSUPPORTED},
        {VIR_ERR_ARGUMENT_UNSUPPORTED, ERR_UNSUPPORTED},
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].code == e->code)
            return kinds[i].kind;
    return e->domain == VIR_FROM_RPC ? ERR_UNREACHABLE : ERR_REMOTE;
}

int virt_err(struct err *err, const char *fmt, ...)
{
    const virError *e = virGetLastError();
    auto_free char *what = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&what, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    if (!e)
        return err_set(err, ERR_REMOTE, "%s: libvirt gave no reason", what);
    char why[320];
    str_sanitise_to(why, sizeof(why), e->message ? e->message : "libvirt gave no reason");
    return err_set(err, kind_of(e), "%s: %s", what, why);
}

int virt_code(void)
{
    const virError *e = virGetLastError();
    return e ? e->code : VIR_ERR_OK;
}

/* ------------------------------------------------------------------------------------ events */

static void swallow_message(void *arg, virErrorPtr error)
{
    (void)arg;
    (void)error;
}

static void *run_events(void *arg)
{
    (void)arg;
    /* Signals are the main loop's business. */
    sigset_t all;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (;;)
        (void)virEventRunDefaultImpl();
    return NULL;
}

static void start_events(void)
{
    virSetErrorFunc(NULL, swallow_message);
    pthread_t thread;
    if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0 ||
        pthread_create(&thread, NULL, run_events, NULL) != 0)
        abort();
    (void)pthread_detach(thread);
}

void virt_events_start(void)
{
    (void)pthread_once(&events_once, start_events);
}

/* ------------------------------------------------------------------------------------ domains */

bool virt_domain_is_ours(virDomainPtr domain)
{
    auto_free char *mark =
        virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, DOMAIN_MARK_URI, 0);
    auto_free char *state = path_of(PATH_STATE, "%s", "");
    char owner[PATH_MAX];
    return mark && domain_xml_attr(mark, "state", owner, sizeof(owner)) && str_eq(owner, state);
}

virDomainPtr virt_domain_find(struct vm_conn *conn, const char *name, struct err *err)
{
    auto_virt_domain virDomainPtr domain = virDomainLookupByName(vm_conn_virt(conn), name);
    if (!domain) {
        virt_err(err, "find VM %s", name);
        return NULL;
    }
    if (!virt_domain_is_ours(domain)) {
        err_set(err, ERR_EXISTS, "libvirt has a VM \"%s\" that Berth did not make here", name);
        err_hint(err, "It is left alone. Choose another name, or remove it with virsh.");
        return NULL;
    }
    return steal(domain);
}
