/* See sandbox.h. */
#include "vm/guest/hub/sandbox.h"

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "core/io/child.h"
#include "vm/guest/hub/c2d.h"
#include "vm/guest/hub/certs.h"
#include "vm/guest/hub/clients.h"
#include "vm/guest/hub/dps.h"
#include "vm/guest/hub/events.h"
#include "vm/guest/hub/methods.h"
#include "vm/guest/hub/mqtt_conn.h"
#include "vm/guest/hub/oci_registry.h"
#include "vm/guest/hub/rest.h"
#include "vm/guest/hub/rest_events.h"

#define RENEW_CHECK_MS  (12ULL * 3600 * 1000)
#define CONNECTIONS_MAX 12000 /* of each port: devices come over both */
#define NAMES_MAX       (1 + SANDBOX_HUBS_MAX + SANDBOX_ADDRESSES_MAX + 8)

/* Who is asked about a CONNECT, in turn; the last takes what nobody wanted. */
static const struct mqtt_head *const heads[] = {&dps_mqtt_head, &clients_mqtt_head, NULL};

struct sandbox {
    const struct sandbox_options *options;
    struct hub hub;
    const char *names[NAMES_MAX + 1];       /* that we answer to: of the hubs, then all others */
    const char *hubs[SANDBOX_HUBS_MAX + 2]; /* those of the hubs alone */
    void *owners[ARRAY_LEN(heads)];         /* of the heads */
    struct tls_server *tls;
    struct oci_registry *registry;
    uv_timer_t renew;
    bool renew_open;
    int lock;
    sandbox_ready_fn ready;
    void *arg;
};

static char *path_in(const struct sandbox *s, const char *leaf)
{
    return xasprintf("%s/%s", s->options->dir, leaf);
}

static void add_name(struct sandbox *s, const char *name)
{
    size_t n = 0;

    while (s->names[n])
        if (str_eq(s->names[n++], name))
            return;
    s->names[n] = name;
}

/* Besides those of the hubs, the names under which a guest or a test may reach the sandbox: user
 * network, libvirt's default network, this machine. */
static void collect_names(struct sandbox *s)
{
    static const char *const fixed[] = {"localhost", "127.0.0.1", "10.0.2.2", "192.168.122.1"};
    const struct sandbox_options *o = s->options;

    s->hubs[0] = o->host;
    for (size_t i = 0; o->hubs[i]; i++)
        s->hubs[i + 1] = o->hubs[i];
    for (size_t i = 0; s->hubs[i]; i++)
        add_name(s, s->hubs[i]);
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        add_name(s, fixed[i]);
    for (size_t i = 0; o->addresses[i]; i++)
        if (!str_eq(o->addresses[i], "0.0.0.0") && !str_eq(o->addresses[i], "::"))
            add_name(s, o->addresses[i]);
}

static int load_tls(struct sandbox *s, struct err *err)
{
    auto_free char *cert = path_in(s, "server.pem");
    auto_free char *key = path_in(s, "server.key");
    struct tls_server *tls = tls_server_new(cert, key, err);

    if (!tls)
        return -1;
    tls_server_ask_client(tls);
    tls_server_free(s->tls); /* connections keep what they began with */
    s->tls = tls;
    return 0;
}

static void on_renew(uv_timer_t *timer)
{
    struct sandbox *s = timer->data;
    struct err err = {0};
    bool renewed = false;

    if (certs_prepare(s->options->dir, s->names, &renewed, &err) < 0 ||
        (renewed && load_tls(s, &err) < 0)) {
        log_error("certs", "renewal: %s", err.msg);
        return;
    }
    if (!renewed)
        return;
    log_info("certs", "the server certificate was renewed");
    mqtt_server_set_tls(s->hub.mqtt, s->tls);
    http_server_set_tls(s->hub.http, s->tls);
    if (s->registry)
        oci_registry_restart(s->registry);
}

/* ------------------------------------------------------------------------------------------
 * sandbox.json */

static int add_connection_string(struct sandbox *s, cJSON *to, const char *policy, struct err *err)
{
    auto_secret struct secret key = {0};
    auto_wiped_buf struct buf text = {0};

    if (auth_policy_key(s->hub.store, policy, &key, err) < 0)
        return -1;
    buf_printf(&text, "HostName=%s;SharedAccessKeyName=%s;SharedAccessKey=%s", s->options->host,
               policy, key.data);
    json_add_str(to, "serviceConnectionString", text.data);
    return 0;
}

static int add_dps(struct sandbox *s, cJSON *record, struct err *err)
{
    cJSON *dps = json_add_obj(record, "dps");

    json_add_str(dps, "host", s->options->host);
    json_add_str(dps, "idScope", dps_id_scope(s->hub.dps));
    return add_connection_string(s, dps, "provisioningserviceowner", err);
}

static int write_record(struct sandbox *s, struct err *err)
{
    auto_json cJSON *record = cJSON_CreateObject();
    auto_wiped_buf struct buf text = {0};
    auto_free char *path = path_in(s, "sandbox.json");
    auto_free char *ca = path_in(s, "ca.pem");
    cJSON *hubs;

    if (add_connection_string(s, record, "iothubowner", err) < 0 || add_dps(s, record, err) < 0)
        return -1;
    json_add_str(record, "host", s->options->host);
    hubs = json_add_array(record, "hubs");
    for (size_t i = 0; s->hubs[i]; i++)
        json_push(hubs, cJSON_CreateString(s->hubs[i]));
    json_add_u64(record, "mqttPort", s->options->mqtt_port);
    json_add_u64(record, "httpsPort", s->options->https_port);
    json_add_str(record, "caFile", ca);
    if (s->options->registry_port) {
        cJSON *registry = json_add_obj(record, "registry");

        json_add_str(registry, "host", s->options->host);
        json_add_u64(registry, "port", s->options->registry_port);
    }
    json_add_u64(record, "pid", (uint64_t)getpid());
    json_add_u64(record, "pidStart", child_start_time(getpid()));
    json_add_str(record, "serverVersion", BERTH_VERSION);
    json_print(&text, record);
    return file_write(path, text.data, text.len, 0600, err);
}

static void on_registry_ready(void *arg, const struct err *err)
{
    struct sandbox *s = arg;
    struct err why = {0};

    if (!err && write_record(s, &why) < 0)
        err = &why;
    s->ready(s->arg, err);
}

/* ------------------------------------------------------------------------------------------
 * opening */

static int take_folder(struct sandbox *s, struct err *err)
{
    auto_free char *lock = path_in(s, "lock");

    if (file_mkdirs(s->options->dir, 0700, err) < 0)
        return -1;
    s->lock = file_lock(lock, false, err);
    if (s->lock < 0 && err && err->kind == ERR_BUSY)
        return err_set(err, ERR_EXISTS, "a sandbox is running in %s already", s->options->dir);
    if (s->lock < 0)
        return -1;
    file_sweep(s->options->dir);
    return 0;
}

static int open_store(struct sandbox *s, struct err *err)
{
    auto_free char *path = path_in(s, "hub.db");

    if (store_open(path, &s->hub.store, err) < 0)
        return -1;
    s->hub.auth = (struct auth){.store = s->hub.store, .hubs = s->hubs, .names = s->names};
    return auth_prepare(s->hub.store, err);
}

static int listen_all(struct sandbox *s, struct err *err)
{
    const struct sandbox_options *o = s->options;

    for (size_t i = 0; o->addresses[i]; i++)
        if (mqtt_server_listen(s->hub.mqtt, o->addresses[i], o->mqtt_port, s->tls, err) < 0 ||
            http_server_listen_tls(s->hub.http, o->addresses[i], o->https_port, s->tls, err) < 0)
            return -1;
    return 0;
}

static int start_registry(struct sandbox *s, struct err *err)
{
    auto_secret struct secret secret = {0};

    if (!s->options->registry_port) {
        if (write_record(s, err) < 0)
            return -1;
        s->ready(s->arg, NULL);
        return 0;
    }
    if (auth_policy_key(s->hub.store, "service", &secret, err) < 0)
        return -1;

    struct oci_registry_options options = {
        .dir = s->options->dir,
        .addresses = s->options->addresses,
        .port = s->options->registry_port,
        .secret = secret.data,
    };

    return oci_registry_start(s->hub.loop, &options, on_registry_ready, s, &s->registry, err);
}

/* The HTTPS port serves two: MQTT over WebSocket at its one address, REST at all others. */
static void on_request(struct http_exchange *x, void *arg)
{
    struct hub *hub = arg;
    struct err err = {0};

    if (!mqtt_server_wants(x))
        rest_handle(x, hub);
    else if (mqtt_server_websocket(hub->mqtt, x, &err) < 0)
        http_reply_message(x, 400, "%s", err.msg);
}

static bool send_method(void *arg, const char *device, const char *module, const char *method,
                        const char *rid, const char *payload, size_t len)
{
    const struct hub *hub = arg;

    return clients_call(hub->clients, device, module, method, rid, payload, len);
}

static int open_parts(struct sandbox *s, struct err *err)
{
    static const struct http_limits limits = {.body_max = (size_t)2 * REST_BODY_MAX,
                                              .connections_max = CONNECTIONS_MAX};
    struct hub *hub = &s->hub;

    if (take_folder(s, err) < 0 || certs_prepare(s->options->dir, s->names, NULL, err) < 0 ||
        load_tls(s, err) < 0 || open_store(s, err) < 0 || !(hub->dps = dps_new(hub, err)))
        return -1;
    hub->events = events_new();
    hub->methods = methods_new(hub->loop, send_method, hub);
    hub->clients = clients_new(hub);
    hub->c2d = c2d_new(hub);
    hub->followers = followers_new(hub);
    s->owners[0] = hub->dps;
    s->owners[1] = hub->clients;
    hub->mqtt = mqtt_server_new(hub->loop, CONNECTIONS_MAX, heads, s->owners, hub_commit, hub);
    hub->http = http_server_new(hub->loop, &limits, on_request, hub);
    http_server_before_send(hub->http, hub_commit, hub);
    (void)uv_timer_init(hub->loop, &s->renew);
    s->renew.data = s;
    s->renew_open = true;
    (void)uv_timer_start(&s->renew, on_renew, RENEW_CHECK_MS, RENEW_CHECK_MS);
    return listen_all(s, err) < 0 ? -1 : start_registry(s, err);
}

int sandbox_open(uv_loop_t *loop, const struct sandbox_options *options, sandbox_ready_fn ready,
                 void *arg, struct sandbox **ret, struct err *err)
{
    struct sandbox *s = xcalloc(1, sizeof(*s));

    s->options = options;
    s->hub = (struct hub){
        .loop = loop, .host = options->host, .hubs = s->hubs, .c2d_lock_ms = options->c2d_lock_ms};
    s->ready = ready;
    s->arg = arg;
    s->lock = -1;
    *ret = s; /* READY may come before we return */
    collect_names(s);
    if (open_parts(s, err) < 0) {
        *ret = NULL;
        sandbox_close(s);
        return -1;
    }
    return 0;
}

static void on_renew_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void sandbox_close(struct sandbox *s)
{
    if (!s)
        return;
    oci_registry_stop(s->registry);
    http_server_free(s->hub.http);
    mqtt_server_free(s->hub.mqtt);
    followers_free(s->hub.followers);
    c2d_free(s->hub.c2d);
    methods_free(s->hub.methods);
    clients_free(s->hub.clients);
    events_free(s->hub.events);
    dps_free(s->hub.dps);
    store_close(s->hub.store);
    tls_server_free(s->tls);
    if (s->lock >= 0)
        (void)close(s->lock);
    if (s->renew_open)
        uv_close((uv_handle_t *)&s->renew, on_renew_closed);
    else
        free(s);
}
