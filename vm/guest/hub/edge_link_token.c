/* See edge_upstream_private.h: what an identity logs in with. The runtime signs for the modules of
 * this device; for others the cloud has told their keys. */
#include "core/azure/sas.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/percent.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_scope.h"
#include "vm/guest/hub/edge_upstream_private.h"

#include <string.h>

static void on_signed(void *arg, const struct secret *token, const struct err *why)
{
    struct edge_link *l = arg;

    l->asking = NULL;
    edge_link_on_token(l, token, why);
}

/* For a child that proves itself by a certificate nobody has a key to sign with: the hub shows a
 * token of its own, and on whose behalf. Else with the key of the child, or one of its modules. */
static int ask_for_child(struct edge_link *l, const char *resource, uint64_t expiry_s,
                         struct secret *ret_token, struct err *err)
{
    const struct edge *e = l->upstream->edge;
    const struct edge_identity *child = edge_scope_find(e->scope, l->device, l->module);

    if (!child)
        return err_set(err, ERR_NOT_FOUND, "the cloud does not count it among this device's");
    if (!child->enabled)
        return err_set(err, ERR_REMOTE, "it is disabled");
    l->on_behalf = child->auth == SCOPE_AUTH_SELF_SIGNED || child->auth == SCOPE_AUTH_CA;
    if (l->on_behalf) {
        auto_free char *own =
            xasprintf("%s/devices/%s/modules/" EDGE_HUB_ID, e->settings->hub, e->settings->device);

        l->asking = edge_workload_token(e->workload, EDGE_HUB_ID, own, expiry_s, on_signed, l);
        return 0;
    }
    if (child->auth != SCOPE_AUTH_SAS || !child->primary.len)
        return err_set(err, ERR_UNSUPPORTED,
                       "the cloud lets nobody in as it: its authentication type is none");
    return sas_make(resource, child->primary.data, expiry_s, NULL, ret_token, err);
}

void edge_link_put_chain(const struct edge_link *l, struct buf *user)
{
    auto_free char *chain =
        xasprintf("%s%s%s;%s", l->id, l->module[0] ? ";" : "", l->module[0] ? l->device : "",
                  l->upstream->edge->settings->device);

    buf_puts(user, "&auth-chain=");
    percent_encode(chain, strlen(chain), user);
}

void edge_link_ask_token(struct edge_link *l)
{
    const struct edge *e = l->upstream->edge;
    uint64_t expiry_s = clock_wall_ms() / 1000 + l->upstream->token_s;
    auto_free char *resource = xasprintf("%s/devices/%s%s%s", e->settings->hub, l->device,
                                         l->module[0] ? "/modules/" : "", l->module);
    auto_secret struct secret token = {0};
    struct err err;

    if (l->module[0] && str_eq(l->device, e->settings->device))
        l->asking = edge_workload_token(e->workload, l->module, resource, expiry_s, on_signed, l);
    else if (ask_for_child(l, resource, expiry_s, &token, &err) < 0)
        edge_link_on_token(l, NULL, &err);
    else if (!l->on_behalf)
        edge_link_on_token(l, &token, NULL);
}
