/* Methods about the enrolments of the sandbox's provisioning service. */
#include "core/engine/methods_sandbox.h"

#include "core/azure/derive.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/sandbox_call.h"
#include "core/rpc/model_sandbox.h"
#include "provision/config_toml.h"
#include "provision/hub_body.h"
#include "provision/hub_read.h"

#include <ctype.h>
#include <string.h>

#define LIST_BODY_MAX (4U << 20)

/* What a method knows of the enrolment that it is about. */
struct enrolment {
    char id[SANDBOX_ID_MAX];
    bool group, edge;
    enum sandbox_auth auth;
    char registration[SANDBOX_ID_MAX]; /* of a group's device whose key is asked for; "": none */
    char device[SANDBOX_ID_MAX];
    char hub[SANDBOX_ID_MAX];
    struct secret key;
    char *certificate, *endorsement;
};

static void enrolment_free(void *data)
{
    struct enrolment *n = data;
    secret_wipe(&n->key);
    free(n->certificate);
    free(n->endorsement);
    free(n);
}

/* Of 1 to 128 characters; the service says what else it wants. */
static int copy_name(const cJSON *params, const char *key, char *to, struct err *err)
{
    if (str_copy(to, SANDBOX_ID_MAX, json_str(params, key, "")))
        return 0;
    return err_set(err, ERR_INVALID, "%s: longer than %d characters", key, SANDBOX_ID_MAX - 2);
}

/* {id, group?, for?} */
static struct sandbox_call *call_new(struct request *req, const cJSON *params)
{
    struct err err = {0};
    const char *id = NULL;
    struct sandbox_call *c = sandbox_call_new(req, params, "enrol list");
    if (!c)
        return NULL;
    struct enrolment *n = xcalloc(1, sizeof(*n));
    c->data = n;
    c->data_free = enrolment_free;
    n->group = json_bool(params, "group", false);
    if (json_need_str(params, "id", &id, &err) < 0 || copy_name(params, "id", n->id, &err) < 0 ||
        copy_name(params, "for", n->registration, &err) < 0) {
        sandbox_call_fail(c, &err);
        return NULL;
    }
    if (n->id[0] && (n->group || !n->registration[0]))
        return c;
    err_set(&err, ERR_INVALID, n->id[0] ? "for: goes with a group only" : "id: is empty");
    if (n->id[0])
        err_hint(&err, "add --group if %s is a group", n->id);
    sandbox_call_fail(c, &err);
    return NULL;
}

/* Heap string. */
static char *path_of_enrolment(const struct enrolment *n, const char *leaf)
{
    return hub_rest_path(
        (const char *const[]){n->group ? "enrollmentGroups" : "enrollments", n->id, leaf, NULL});
}

/* ---- list ---- */

static void list_add(struct sandbox_call *c, const struct sandbox_enrolment *list, size_t n)
{
    cJSON *array = cJSON_GetObjectItemCaseSensitive(c->result, "enrolments");
    if (!c->result) {
        c->result = cJSON_CreateObject();
        array = json_add_array(c->result, "enrolments");
    }
    for (size_t i = 0; i < n; i++)
        json_push(array, model_json_enrolment(&list[i]));
}

static void list_ask(struct sandbox_call *c, const char *path, hub_rest_fn done)
{
    static const char body[] = "{\"query\":\"SELECT * FROM enrollments\"}";
    const struct hub_rest_request request = {.method = "POST",
                                             .path = path,
                                             .body = body,
                                             .len = sizeof(body) - 1,
                                             .page_size = SANDBOX_LIST_MAX,
                                             .body_max = LIST_BODY_MAX,
                                             .dps = true};
    sandbox_call_send(c, &request, done);
}

/* False: the call has failed. */
static bool list_take(struct sandbox_call *c, const char *text, size_t len, const struct err *err)
{
    struct sandbox_enrolment *list = xcalloc(SANDBOX_LIST_MAX, sizeof(*list));
    size_t n = 0;
    struct err bad;
    if (!err && hub_read_enrolments(text, len, list, SANDBOX_LIST_MAX, &n, &bad) < 0)
        err = &bad;
    if (err)
        sandbox_call_fail(c, err);
    else
        list_add(c, list, n);
    free(list);
    return !err;
}

static void on_groups(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    if (list_take(c, text, len, err))
        sandbox_call_reply(c, steal(c->result));
}

static void on_individuals(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    if (list_take(c, text, len, err))
        list_ask(c, "enrollmentGroups/query", on_groups);
}

/* {enrolments: [...]} */
void sandbox_enrol_list(struct request *req, const cJSON *params)
{
    struct sandbox_call *c = sandbox_call_new(req, params, "enrol list");
    if (c)
        list_ask(c, "enrollments/query", on_individuals);
}

/* ---- what a device needs ---- */

static void toml_line(struct buf *out, const char *key, const char *value)
{
    buf_printf(out, "%s = ", key);
    if (config_toml_string(value, strlen(value), out, NULL) < 0)
        buf_puts(out, "\"\"");
    buf_putc(out, '\n');
}

/* The part of config.toml that makes a device register; KEY NULL: it needs none, or it is not
 * known. Where the device has to fill something in, a comment says what. */
static void write_toml(const struct sandbox_call *c, const char *registration,
                       enum sandbox_auth auth, const char *key, struct buf *out)
{
    auto_free char *url = xasprintf("https://%s", c->record.dps_host);
    buf_puts(out, "[provisioning]\nsource = \"dps\"\n");
    toml_line(out, "global_endpoint", url);
    toml_line(out, "id_scope", c->record.id_scope);
    buf_puts(out, "\n[provisioning.attestation]\n");
    toml_line(out, "method",
              auth == SANDBOX_AUTH_SAS   ? "symmetric_key"
              : auth == SANDBOX_AUTH_TPM ? "tpm"
                                         : "x509");
    toml_line(out, "registration_id", registration);
    if (auth == SANDBOX_AUTH_SAS) {
        auto_wiped_buf struct buf value = {0};
        toml_line(&value, "{ value", key);
        buf_printf(out, "symmetric_key = %.*s }\n", (int)value.len - 1, value.data);
    } else if (auth != SANDBOX_AUTH_TPM) {
        buf_puts(out, "identity_cert = \"file:///...\"  # the device's certificate and its chain\n"
                      "identity_pk = \"file:///...\"    # its private key\n");
    }
}

/* The key of the device that is asked for: the enrolment's own, or made of the group's. */
static int device_key(const struct enrolment *n, struct secret *ret, struct err *err)
{
    char lower[SANDBOX_ID_MAX];
    size_t i = 0;
    if (!n->group) {
        secret_set(ret, n->key.data, n->key.len);
        return 0;
    }
    for (; n->registration[i]; i++)
        lower[i] = (char)tolower((unsigned char)n->registration[i]);
    lower[i] = '\0'; /* ids are compared without regard to case: the key is of the lower one */
    return derive_key(n->key.data, lower, ret, err);
}

/* Everything about it that the wizard and config.toml need. */
static void enrolment_reply(struct sandbox_call *c)
{
    const struct enrolment *n = c->data;
    const char *registration = n->group ? n->registration : n->id;
    auto_secret struct secret key = {0};
    auto_wiped_buf struct buf toml = {0};
    struct err err = {0};
    json_add_str(c->result, "idScope", c->record.id_scope);
    json_add_str(c->result, "globalEndpoint", c->record.dps_host);
    json_add_u64(c->result, "httpsPort", c->record.https_port);
    json_add_u64(c->result, "mqttPort", c->record.mqtt_port);
    json_add_str_or_null(c->result, "registrationId", registration);
    if (n->group && n->auth == SANDBOX_AUTH_SAS)
        json_add_str_or_null(c->result, "groupKey", n->key.data);
    bool has_key = n->auth == SANDBOX_AUTH_SAS && registration[0] && n->key.len;
    if (has_key && device_key(n, &key, &err) < 0) {
        sandbox_call_fail(c, &err);
        return;
    }
    json_add_str_or_null(c->result, "key", key.data);
    if (registration[0] && (key.len || n->auth != SANDBOX_AUTH_SAS))
        write_toml(c, registration, n->auth, key.data, &toml);
    json_add_str_or_null(c->result, "configToml", toml.data);
    sandbox_call_reply(c, steal(c->result));
}

static void on_attestation(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    struct enrolment *n = c->data;
    if (!err) /* an older service shows the key with the enrolment instead */
        (void)hub_read_enrolment_key(text, len, &n->key, NULL);
    enrolment_reply(c);
}

static int take_enrolment(struct sandbox_call *c, const char *text, size_t len, struct err *err)
{
    struct enrolment *n = c->data;
    struct sandbox_enrolment e;
    if (hub_read_enrolment(text, len, &e, err) < 0 ||
        (!n->key.len && hub_read_enrolment_key(text, len, &n->key, err) < 0))
        return -1;
    n->auth = e.auth;
    c->result = model_json_enrolment(&e);
    return 0;
}

static void on_enrolment(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    struct enrolment *n = c->data;
    struct err bad;
    if (!err && take_enrolment(c, text, len, &bad) < 0)
        err = &bad;
    if (err) {
        sandbox_call_fail(c, err);
    } else if (n->auth == SANDBOX_AUTH_SAS && !n->key.len) {
        auto_free char *path = path_of_enrolment(n, "attestationmechanism");
        const struct hub_rest_request request = {.method = "POST", .path = path, .dps = true};
        sandbox_call_send(c, &request, on_attestation);
    } else {
        enrolment_reply(c);
    }
}

/* {id, group?, for?}: the enrolment, and what the device needs: idScope, globalEndpoint,
 * registrationId, key, configToml; of a group also groupKey */
void sandbox_enrol_show(struct request *req, const cJSON *params)
{
    struct sandbox_call *c = call_new(req, params);
    if (!c)
        return;
    auto_free char *path = path_of_enrolment(c->data, NULL);
    const struct hub_rest_request request = {.method = "GET", .path = path, .dps = true};
    sandbox_call_send(c, &request, on_enrolment);
}

/* ---- create and delete ---- */

static int take_proof(struct enrolment *n, const cJSON *params, struct err *err)
{
    const char *certificate = json_str(params, "certificate", "");
    const char *endorsement = json_str(params, "endorsementKey", "");
    const char *key = json_str(params, "key", "");
    if (!!certificate[0] + !!endorsement[0] + !!key[0] > 1)
        return err_set(err, ERR_INVALID, "an enrolment has a key, a certificate or a TPM: choose");
    n->auth = endorsement[0]               ? SANDBOX_AUTH_TPM
              : certificate[0] && n->group ? SANDBOX_AUTH_X509_CA
              : certificate[0]             ? SANDBOX_AUTH_X509_SELF_SIGNED
                                           : SANDBOX_AUTH_SAS;
    if (n->auth == SANDBOX_AUTH_TPM && n->group)
        return err_set(err, ERR_INVALID, "tpm: is for one device, not for a group");
    n->certificate = xstrdup(certificate);
    n->endorsement = xstrdup(endorsement);
    if (n->auth == SANDBOX_AUTH_SAS && key[0])
        secret_set(&n->key, key, strlen(key));
    else if (n->auth == SANDBOX_AUTH_SAS)
        derive_random(&n->key);
    return 0;
}

static int take_creation(struct enrolment *n, const cJSON *params, struct err *err)
{
    auto_buf struct buf checked = {0};
    n->edge = json_bool(params, "edge", false);
    if (copy_name(params, "deviceId", n->device, err) < 0 ||
        copy_name(params, "assignTo", n->hub, err) < 0 || take_proof(n, params, err) < 0)
        return -1;
    if (n->device[0] && n->group)
        return err_set(err, ERR_INVALID, "deviceId: a group's devices are named as they register");
    if (!n->certificate[0])
        return 0;
    return hub_body_authority(n->certificate, &checked, err);
}

/* {id, group?, for?, key? | certificate? | endorsementKey?, deviceId?, edge?, assignTo?}: as show
 */
void sandbox_enrol_create(struct request *req, const cJSON *params)
{
    struct err err = {0};
    struct sandbox_call *c = call_new(req, params);
    if (!c)
        return;
    struct enrolment *n = c->data;
    if (take_creation(n, params, &err) < 0) {
        sandbox_call_fail(c, &err);
        return;
    }
    const struct hub_enrolment_options options = {
        .id = n->id,
        .group = n->group,
        .edge = n->edge,
        .auth = n->auth,
        .key = n->key.data,
        .certificate = n->certificate,
        .endorsement = n->endorsement,
        .device = n->device[0] ? n->device : NULL,
        .hub = n->hub[0] ? n->hub : NULL,
    };
    auto_wiped_buf struct buf body = {0};
    auto_free char *path = path_of_enrolment(n, NULL);
    hub_body_enrolment(&options, &body);
    const struct hub_rest_request request = {
        .method = "PUT", .path = path, .body = body.data, .len = body.len, .dps = true};
    sandbox_call_send(c, &request, on_enrolment);
}

/* {id, group?} */
void sandbox_enrol_delete(struct request *req, const cJSON *params)
{
    struct sandbox_call *c = call_new(req, params);
    if (!c)
        return;
    auto_free char *path = path_of_enrolment(c->data, NULL);
    const struct hub_rest_request request = {
        .method = "DELETE", .path = path, .if_match = HUB_REST_ANY, .dps = true};
    sandbox_call_send(c, &request, sandbox_call_done);
}
