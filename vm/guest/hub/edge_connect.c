/* The CONNECT of an edge hub's client, from its check to its session; see edge_clients.h. */
#include "vm/guest/hub/edge_clients_private.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_auth.h"
#include "vm/guest/hub/edge_scope.h"
#include "vm/guest/hub/edge_store.h"

#define PENDING_MAX 64 /* checks at a time: what clients sent early waits in memory meanwhile */

/* A CONNECT that is being checked. */
struct edge_pending {
    struct edge_clients *clients;
    struct edge_pending *next;
    struct mqtt_conn *conn;
    struct edge_auth_wait *wait;
    struct topic_user user;
    struct will *will;
    bool clean;
};

static void pending_free(struct edge_pending *p)
{
    struct edge_pending **at = &p->clients->pending;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    p->clients->n_pending--;
    will_free(p->will);
    free(p);
}
DEFINE_AUTO(pending, struct edge_pending, pending_free)
#define auto_pending ATTR_CLEANUP(pending_freep)

/* As many as may be are here, and it is none of them. */
static int check_room(const struct edge_clients *c, const struct topic_user *user, struct err *err)
{
    unsigned max = c->edge->settings->max_clients;

    if (c->connected < max || edge_clients_connected(c, user->device, user->module))
        return 0;
    return err_set(err, ERR_BUSY, "%u clients are connected, and no more may be", max);
}

static int check_name(const struct edge_clients *c, const struct topic_user *user, struct err *err)
{
    if (str_eq(user->device, c->edge->settings->device) && str_eq(user->module, EDGE_HUB_ID))
        return err_set(err, ERR_AUTH, "this is " EDGE_HUB_ID " itself");
    return 0;
}

/* What was subscribed before, for a client that asked to be remembered; forgets it for one that did
 * not. */
static int restore_session(struct edge_store *store, const struct edge_pending *p,
                           unsigned *ret_subs, bool *ret_present, struct err *err)
{
    bool keep = !p->clean;
    bool present = edge_store_session_get(store, p->user.device, p->user.module, ret_subs);

    if (!keep)
        *ret_subs = 0;
    *ret_present = present && keep;
    if (present == keep)
        return 0;
    return edge_store_session_put(store, p->user.device, p->user.module, keep, 0, err);
}

static struct edge_client *begin(struct edge_pending *p, uint64_t expiry_s, unsigned subs)
{
    struct edge_clients *clients = p->clients;
    struct edge_client *c = edge_clients_need(clients, p->user.device, p->user.module);

    if (c->conn)
        mqtt_conn_end(c->conn, "another connection took its place");
    c->will = steal(p->will); /* who is not connected has none */
    free(c->model_id);
    c->model_id = p->user.model_id[0] ? xstrdup(p->user.model_id) : NULL;
    c->conn = p->conn;
    c->subs = c->stored = subs;
    c->held = subs & (SUB_METHODS | SUB_DEVICEBOUND | SUB_INPUTS);
    c->served = 0;
    c->keep = !p->clean;
    c->refused = false;
    c->connected_ms = clock_wall_ms();
    clients->connected++;
    mqtt_conn_expires(p->conn, expiry_s);
    edge_client_say(c, "connected from ", mqtt_conn_peer_text(p->conn));
    edge_clients_count(clients, EDGE_CONNECT_SUCCESS, c->device, c->module, NULL);
    edge_clients_changed(clients);
    edge_client_tell_upstream(c);
    return c;
}

/* A name that anybody may have made up is no label. */
static void count_refused(const struct edge_pending *p)
{
    bool known = edge_scope_find(p->clients->edge->scope, p->user.device, p->user.module);

    edge_clients_count(p->clients, EDGE_CONNECT_FAILED, known ? p->user.device : "unknown",
                       known ? p->user.module : "", "not_authenticated");
}

static void on_checked(void *arg, uint64_t expiry_s, const struct err *refusal)
{
    auto_pending struct edge_pending *p = arg;
    struct err err = {0};
    unsigned subs = 0;
    bool present = false;

    if (refusal) {
        count_refused(p);
        mqtt_conn_refuse(p->conn, refusal);
    } else if (check_room(p->clients, &p->user, &err) < 0 ||
               restore_session(p->clients->edge->store, p, &subs, &present, &err) < 0) {
        mqtt_conn_refuse(p->conn, &err);
    } else {
        mqtt_conn_accept(p->conn, begin(p, expiry_s, subs), present);
    }
}

bool edge_connect_begin(void *owner, struct mqtt_conn *conn, const struct mqtt_packet *packet,
                        struct err *err)
{
    struct edge_clients *c = owner;
    struct topic_user user;
    struct will *will;

    if (c->n_pending >= PENDING_MAX) {
        (void)err_set(err, ERR_BUSY, "too many others are being checked");
        return false;
    }
    if (connect_read_user(packet, &user, err) < 0 || check_name(c, &user, err) < 0 ||
        check_room(c, &user, err) < 0 || connect_read_will(packet, &user, &will, err) < 0)
        return false;

    struct edge_pending *p = xcalloc(1, sizeof(*p));

    *p = (struct edge_pending){.clients = c,
                               .next = c->pending,
                               .conn = conn,
                               .user = user,
                               .will = will,
                               .clean = packet->clean};
    c->pending = p;
    c->n_pending++;

    const struct edge_claim claim = {.hub = p->user.host,
                                     .device = p->user.device,
                                     .module = p->user.module,
                                     .token = packet->password.at,
                                     .len = packet->password.len,
                                     .tls = mqtt_conn_tls(conn)};

    p->wait = edge_auth_check(c->edge->auth, &claim, on_checked, p);
    return true;
}

void edge_connect_abandon(void *owner, struct mqtt_conn *conn)
{
    struct edge_clients *c = owner;
    struct edge_pending *p = c->pending;

    while (p->conn != conn)
        p = p->next;
    edge_auth_cancel(p->wait);
    pending_free(p);
}
