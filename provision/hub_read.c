/* See hub_read.h. */
#include "provision/hub_read.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <string.h>

#define SAID_MAX     300
#define SCOPE_PREFIX "ms-azure-iot-edge://"

static cJSON *parse(const char *text, size_t len, struct err *err)
{
    cJSON *root = json_parse(text, len, err);
    if (!root)
        err_wrap(err, "the hub's answer");
    return root;
}

/* Copies a member, sanitised. */
#define TAKE(field, obj, key) str_sanitise_to((field), sizeof(field), json_str((obj), (key), ""))

/* The first of January of the year 1 stands for "never". */
static uint64_t time_of(const cJSON *obj, const char *key)
{
    const char *text = json_str(obj, key, "");
    uint64_t ms = 0;
    return !str_starts(text, "0001-") && clock_parse(text, &ms) ? ms : 0;
}

static uint32_t u32_of(const cJSON *obj, const char *key)
{
    uint64_t value = json_u64(obj, key, 0);
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

/* ---- refusals ---- */

/* What the hub said, without the code word that some clients look for. */
static void said_of(const cJSON *root, char *to, size_t size)
{
    const char *text = json_str(root, "message", json_str(root, "Message", ""));
    const char *behind = strchr(text, ';');
    if (str_starts(text, "ErrorCode:") && behind)
        text = behind + 1;
    str_sanitise_to(to, size, text);
}

static enum err_kind kind_of(int status, uint64_t code, const char *said)
{
    switch (status) {
    case 400:
        return strstr(said, "no such address") ? ERR_UNSUPPORTED : ERR_INVALID;
    case 401:
        return ERR_AUTH;
    case 403:
    case 429:
        return ERR_NO_SPACE;
    case 404:
        return code == 404103 ? ERR_UNREACHABLE : ERR_NOT_FOUND;
    case 405:
    case 501:
        return ERR_UNSUPPORTED;
    case 408:
    case 504:
        return ERR_TIMEOUT;
    case 409:
        return ERR_EXISTS;
    case 412:
        return ERR_BUSY;
    case 413:
        return ERR_INVALID;
    default:
        return ERR_REMOTE;
    }
}

int hub_read_status(int status, const char *text, size_t len, struct err *err)
{
    char said[SAID_MAX];
    if (status >= 200 && status < 300)
        return 0;
    auto_json cJSON *root = json_parse(text, len, NULL);
    said_of(root, said, sizeof(said));
    enum err_kind kind = kind_of(status, json_u64(root, "errorCode", 0), said);
    if (kind == ERR_UNSUPPORTED) {
        err_set(err, kind, "the sandbox that runs cannot do this");
        return err_hint(err,
                        "it is of an older version: berth sandbox stop, then berth sandbox start");
    }
    if (said[0])
        return err_set(err, kind, "%s", said);
    return err_set(err, kind, "the hub answered %d", status);
}

/* ---- lists ---- */

/* Reads one item into AT; false: it is not one. */
typedef bool (*read_item_fn)(const cJSON *item, void *at);

static int read_one(const char *text, size_t len, read_item_fn read, void *to, const char *what,
                    struct err *err)
{
    auto_json cJSON *root = parse(text, len, err);
    if (!root)
        return -1;
    return read(root, to) ? 0 : err_set(err, ERR_PROTOCOL, "the hub's answer is no %s", what);
}

struct item_list {
    void *to;
    size_t size, max;
    read_item_fn read;
    const char *what;
};

/* The list itself, or the one that an object around it holds; NULL where there is none. */
static const cJSON *list_of(const cJSON *root)
{
    const cJSON *at = cJSON_IsObject(root) ? root->child : root;
    while (at && !cJSON_IsArray(at))
        at = at == root ? NULL : at->next;
    return at;
}

static int read_list(const char *text, size_t len, const struct item_list *list, size_t *ret_n,
                     struct err *err)
{
    auto_json cJSON *root = parse(text, len, err);
    size_t n = 0;
    if (!root)
        return -1;
    const cJSON *array = list_of(root);
    if (!array)
        return err_set(err, ERR_PROTOCOL, "the hub's answer is no list of %s", list->what);
    for (const cJSON *item = array->child; item && n < list->max; item = item->next)
        if (list->read(item, (char *)list->to + n * list->size))
            n++;
    *ret_n = n;
    return 0;
}

/* ---- devices ---- */

static enum sandbox_auth auth_of(const char *word)
{
    return str_eq(word, "sas")                    ? SANDBOX_AUTH_SAS
           : str_eq(word, "selfSigned")           ? SANDBOX_AUTH_X509_SELF_SIGNED
           : str_eq(word, "certificateAuthority") ? SANDBOX_AUTH_X509_CA
                                                  : SANDBOX_AUTH_NONE;
}

/* The name in a scope, which is "ms-azure-iot-edge://NAME-GENERATION". */
static void name_of_scope(const char *scope, char *to, size_t size)
{
    if (str_starts(scope, SCOPE_PREFIX))
        scope += strlen(SCOPE_PREFIX);
    str_sanitise_to(to, size, scope);
    char *end = strrchr(to, '-');
    if (end)
        *end = '\0';
}

static void take_parent(const cJSON *json, struct sandbox_device *d)
{
    const cJSON *first = cJSON_GetArrayItem(json_get(json, "parentScopes"), 0);
    const char *scope = cJSON_IsString(first) ? first->valuestring : "";
    if (!scope[0] && !d->edge)
        scope = json_str(json, "deviceScope", "");
    name_of_scope(scope, d->parent, sizeof(d->parent));
}

static bool take_device(const cJSON *json, void *at)
{
    struct sandbox_device *d = at;
    const cJSON *auth = json_get(json, "authentication");
    const cJSON *prints = json_get(auth, "x509Thumbprint");
    memset(d, 0, sizeof(*d));
    TAKE(d->id, json, "deviceId");
    TAKE(d->module, json, "moduleId");
    TAKE(d->thumbprint, prints, "primaryThumbprint");
    TAKE(d->thumbprint2, prints, "secondaryThumbprint");
    d->auth = auth_of(json_str(auth, "type", ""));
    d->edge = json_bool(json_get(json, "capabilities"), "iotEdge", false);
    d->enabled = !str_eq(json_str(json, "status", ""), "disabled");
    d->connected = str_eq(json_str(json, "connectionState", ""), "Connected");
    d->modules = -1;
    d->waiting = u32_of(json, "cloudToDeviceMessageCount");
    d->activity_ms = time_of(json, "lastActivityTime");
    d->changed_ms = time_of(json, "connectionStateUpdatedTime");
    take_parent(json, d);
    return d->id[0] != '\0';
}

int hub_read_device(const char *text, size_t len, struct sandbox_device *ret, struct err *err)
{
    return read_one(text, len, take_device, ret, "device", err);
}

int hub_read_devices(const char *text, size_t len, struct sandbox_device *to, size_t max,
                     size_t *ret_n, struct err *err)
{
    const struct item_list list = {to, sizeof(*to), max, take_device, "devices"};
    return read_list(text, len, &list, ret_n, err);
}

int hub_read_count(const char *text, size_t len, size_t *ret_n, struct err *err)
{
    auto_json cJSON *root = parse(text, len, err);
    if (!root)
        return -1;
    if (!cJSON_IsArray(root))
        return err_set(err, ERR_PROTOCOL, "the hub's answer is no list");
    *ret_n = (size_t)cJSON_GetArraySize(root);
    return 0;
}

int hub_read_connection_string(const char *text, size_t len, const char *host, struct secret *ret,
                               struct err *err)
{
    auto_json cJSON *root = parse(text, len, err);
    if (!root)
        return -1;
    const cJSON *auth = json_get(root, "authentication");
    const char *device = json_str(root, "deviceId", "");
    const char *module = json_str(root, "moduleId", "");
    const char *key = json_str(json_get(auth, "symmetricKey"), "primaryKey", "");
    enum sandbox_auth way = auth_of(json_str(auth, "type", ""));
    bool x509 = way == SANDBOX_AUTH_X509_SELF_SIGNED || way == SANDBOX_AUTH_X509_CA;
    if (!device[0])
        return err_set(err, ERR_PROTOCOL, "the hub's answer is no device");
    if (!x509 && (way != SANDBOX_AUTH_SAS || !key[0]))
        return err_set(err, ERR_UNSUPPORTED, "this device has neither a key nor a certificate");
    auto_wiped_buf struct buf string = {0};
    buf_printf(&string, "HostName=%s;DeviceId=%s;", host, device);
    if (module[0])
        buf_printf(&string, "ModuleId=%s;", module);
    buf_printf(&string, x509 ? "x509=true" : "SharedAccessKey=%s", key);
    secret_set(ret, string.data, string.len);
    return 0;
}

int hub_read_scope(const char *text, size_t len, char *to, struct err *err)
{
    auto_json cJSON *root = parse(text, len, err);
    if (!root)
        return -1;
    const char *scope = json_str(root, "deviceScope", "");
    if (!json_bool(json_get(root, "capabilities"), "iotEdge", false) || !scope[0])
        return err_set(err, ERR_INVALID, "the parent is no IoT Edge device: it has no children");
    if (!str_copy(to, 256, scope))
        return err_set(err, ERR_PROTOCOL, "the parent's scope is too long");
    return 0;
}

int hub_read_etag(const char *text, size_t len, char *to, struct err *err)
{
    auto_json cJSON *root = parse(text, len, err);
    if (!root)
        return -1;
    const char *etag = json_str(root, "etag", "");
    if (!etag[0] || strpbrk(etag, "\"\r\n") || !str_copy(to, 64, etag))
        return err_set(err, ERR_PROTOCOL, "the hub's answer has no etag");
    return 0;
}

/* ---- enrolments ---- */

static enum sandbox_auth attestation_of(const cJSON *attestation, bool group)
{
    const char *type = json_str(attestation, "type", "");
    if (str_eq(type, "symmetricKey"))
        return SANDBOX_AUTH_SAS;
    if (str_eq(type, "tpm"))
        return SANDBOX_AUTH_TPM;
    if (!str_eq(type, "x509"))
        return SANDBOX_AUTH_NONE;
    return group ? SANDBOX_AUTH_X509_CA : SANDBOX_AUTH_X509_SELF_SIGNED;
}

static bool take_enrolment(const cJSON *json, void *at)
{
    struct sandbox_enrolment *e = at;
    const cJSON *attestation = json_get(json, "attestation");
    const cJSON *x509 = json_get(attestation, "x509");
    memset(e, 0, sizeof(*e));
    TAKE(e->id, json, "registrationId");
    if (!e->id[0]) {
        e->group = true;
        TAKE(e->id, json, "enrollmentGroupId");
    }
    const cJSON *which = json_get(x509, e->group ? "signingCertificates" : "clientCertificates");
    const cJSON *info = json_get(json_get(which, "primary"), "info");
    TAKE(e->thumbprint, info, "sha1Thumbprint");
    if (json_str(info, "sha256Thumbprint", "")[0])
        TAKE(e->thumbprint, info, "sha256Thumbprint");
    TAKE(e->device, json, "deviceId");
    TAKE(e->hub, json_get(json, "registrationState"), "assignedHub");
    e->auth = attestation_of(attestation, e->group);
    e->edge = json_bool(json_get(json, "capabilities"), "iotEdge", false);
    e->enabled = !str_eq(json_str(json, "provisioningStatus", ""), "disabled");
    return e->id[0] != '\0';
}

int hub_read_enrolment(const char *text, size_t len, struct sandbox_enrolment *ret, struct err *err)
{
    return read_one(text, len, take_enrolment, ret, "enrolment", err);
}

int hub_read_enrolments(const char *text, size_t len, struct sandbox_enrolment *to, size_t max,
                        size_t *ret_n, struct err *err)
{
    const struct item_list list = {to, sizeof(*to), max, take_enrolment, "enrolments"};
    return read_list(text, len, &list, ret_n, err);
}

int hub_read_enrolment_key(const char *text, size_t len, struct secret *ret, struct err *err)
{
    auto_json cJSON *root = parse(text, len, err);
    if (!root)
        return -1;
    const cJSON *attestation = json_get(root, "attestation");
    const cJSON *keys = json_get(attestation ? attestation : root, "symmetricKey");
    const char *key = json_str(keys, "primaryKey", "");
    if (key[0])
        secret_set(ret, key, strlen(key));
    return 0;
}

/* ---- the rest ---- */

static bool take_authority(const cJSON *json, void *at)
{
    struct sandbox_authority *a = at;
    memset(a, 0, sizeof(*a));
    TAKE(a->thumbprint, json, "thumbprint");
    TAKE(a->subject, json, "subject");
    a->until_ms = time_of(json, "notAfter");
    return a->thumbprint[0] != '\0';
}

int hub_read_authority(const char *text, size_t len, struct sandbox_authority *ret, struct err *err)
{
    return read_one(text, len, take_authority, ret, "certificate authority", err);
}

int hub_read_authorities(const char *text, size_t len, struct sandbox_authority *to, size_t max,
                         size_t *ret_n, struct err *err)
{
    const struct item_list list = {to, sizeof(*to), max, take_authority, "authorities"};
    return read_list(text, len, &list, ret_n, err);
}

static int count_of(const cJSON *results, const char *key)
{
    double value = json_num(results, key, -1);
    return value >= 0 && value <= INT32_MAX ? (int)value : -1;
}

static bool take_configuration(const cJSON *json, void *at)
{
    struct sandbox_configuration *c = at;
    const cJSON *results = json_get(json_get(json, "systemMetrics"), "results");
    double priority = json_num(json, "priority", 0);
    memset(c, 0, sizeof(*c));
    TAKE(c->id, json, "id");
    TAKE(c->target, json, "targetCondition");
    c->priority = priority >= INT32_MIN && priority <= INT32_MAX ? (int)priority : 0;
    c->targeted = count_of(results, "targetedCount");
    c->applied = count_of(results, "appliedCount");
    c->updated_ms = time_of(json, "lastUpdatedTimeUtc");
    return c->id[0] != '\0';
}

int hub_read_configurations(const char *text, size_t len, struct sandbox_configuration *to,
                            size_t max, size_t *ret_n, struct err *err)
{
    const struct item_list list = {to, sizeof(*to), max, take_configuration, "configurations"};
    return read_list(text, len, &list, ret_n, err);
}

int hub_read_message_id(const char *text, size_t len, char *to, size_t size, struct err *err)
{
    auto_json cJSON *root = parse(text, len, err);
    if (!root)
        return -1;
    str_sanitise_to(to, size, json_str(root, "messageId", ""));
    return 0;
}
