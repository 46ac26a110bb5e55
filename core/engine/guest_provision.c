/* See guest_provision.h. */
#include "core/engine/guest_provision.h"

static struct guest *find(void *arg, struct err *err)
{
    struct guest_provision *source = arg;
    return source->find(source->arg, err);
}

static void *on_admin(void *arg, const char *line, const void *body, size_t len,
                      uint64_t timeout_ms, guest_admin_fn done, void *done_arg, struct err *err)
{
    struct guest *g = find(arg, err);
    return g ? guest_admin(g, line, body, len, timeout_ms, done, done_arg, err) : NULL;
}

static void *on_reach(void *arg, const char *host, uint16_t port, guest_done_fn done,
                      void *done_arg, struct err *err)
{
    struct guest *g = find(arg, err);
    return g ? guest_reach(g, host, port, done, done_arg, err) : NULL;
}

static void on_cancel(void *call)
{
    guest_call_cancel(call);
}

static bool on_look(void *arg, struct vm_status *ret_status)
{
    struct guest *g = find(arg, NULL);
    if (!g || guest_state(g) != GUEST_STATE_READY)
        return false;
    guest_poll(g);
    guest_fill(g, ret_status);
    return true;
}

void guest_provision_init(struct provision_guest *ret, struct guest_provision *source)
{
    *ret = (struct provision_guest){
        .arg = source,
        .admin = on_admin,
        .reach = on_reach,
        .cancel = on_cancel,
        .look = on_look,
    };
}
