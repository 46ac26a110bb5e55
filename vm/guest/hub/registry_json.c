/* See registry.h: identities as JSON. */
#include "core/base/clock.h"
#include "core/base/str.h"
#include "core/io/base64.h"
#include "vm/guest/hub/clients.h"
#include "vm/guest/hub/registry_private.h"
#include "vm/guest/hub/twins.h"

#include <ctype.h>
#include <string.h>

#define REASON_MAX 128 /* characters */

static const char *const auth_words[] = {
    [IDENTITY_SAS] = "sas",
    [IDENTITY_SELF_SIGNED] = "selfSigned",
    [IDENTITY_CA] = "certificateAuthority",
    [IDENTITY_NONE] = "none",
};

const char *registry_auth_word(enum identity_auth auth)
{
    return (unsigned)auth < ARRAY_LEN(auth_words) ? auth_words[auth] : "none";
}

bool registry_auth_parse(const char *word, enum identity_auth *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(auth_words); i++)
        if (str_eq(word, auth_words[i])) {
            *ret = (enum identity_auth)i;
            return true;
        }
    return false;
}

/* ---- showing ---- */

void registry_add_time(cJSON *to, const char *name, uint64_t wall_ms)
{
    char when[CLOCK_TEXT_MAX];

    clock_format(when, sizeof(when), wall_ms);
    json_add_str(to, name, wall_ms ? when : "0001-01-01T00:00:00Z");
}

void registry_add_activity(const struct client_state *state, cJSON *to)
{
    json_add_str(to, "connectionState", state->connected ? "Connected" : "Disconnected");
    registry_add_time(to, "lastActivityTime", state->activity_ms);
    json_add_u64(to, "cloudToDeviceMessageCount", state->c2d_count);
}

void registry_add_thumbprints(const struct identity *id, cJSON *to)
{
    cJSON *thumbs = json_add_obj(to, "x509Thumbprint");

    json_add_str_or_null(thumbs, "primaryThumbprint", id->primary_thumbprint);
    json_add_str_or_null(thumbs, "secondaryThumbprint", id->secondary_thumbprint);
}

/* A leaf is in the scope of its parent; an IoT Edge device has one of its own. */
void registry_add_scopes(const struct identity *id, cJSON *to)
{
    char own[REGISTRY_SCOPE_MAX];
    cJSON *parents;

    if (id->iot_edge) {
        registry_scope(id, own, sizeof(own));
        json_add_str(to, "deviceScope", own);
    } else if (id->parents[0]) {
        json_add_str(to, "deviceScope", id->parents);
    }
    parents = json_add_array(to, "parentScopes");
    if (id->parents[0])
        json_push(parents, cJSON_CreateString(id->parents));
}

static void show_authentication(const struct identity *id, cJSON *to)
{
    cJSON *auth = json_add_obj(to, "authentication");
    cJSON *key = json_add_obj(auth, "symmetricKey");

    json_add_str_or_null(key, "primaryKey", id->primary_key);
    json_add_str_or_null(key, "secondaryKey", id->secondary_key);
    registry_add_thumbprints(id, auth);
    json_add_str(auth, "type", registry_auth_word(id->auth));
}

static void show_device(const struct identity *id, cJSON *to)
{
    json_add_str(to, "status", id->disabled ? "disabled" : "enabled");
    json_add_str_or_null(to, "statusReason", id->status_reason);
    registry_add_time(to, "statusUpdatedTime", id->status_ms);
    json_add_bool(json_add_obj(to, "capabilities"), "iotEdge", id->iot_edge);
    registry_add_scopes(id, to);
}

cJSON *registry_show(struct hub *hub, const struct identity *id)
{
    cJSON *out = cJSON_CreateObject();
    struct client_state state;
    char etag[16];

    clients_state(hub->clients, id->device, id->module, &state);
    json_add_str(out, "deviceId", id->device);
    if (id->module[0]) {
        json_add_str(out, "moduleId", id->module);
        json_add_str_or_null(out, "managedBy", id->managed_by);
    }
    json_add_str(out, "generationId", id->generation);
    twins_etag(id->version, etag, sizeof(etag));
    json_add_str(out, "etag", etag);
    registry_add_activity(&state, out);
    registry_add_time(out, "connectionStateUpdatedTime", state.state_ms);
    show_authentication(id, out);
    if (!id->module[0])
        show_device(id, out);
    return out;
}

/* ---- reading ---- */

static int read_key(const cJSON *keys, const char *name, char *to, size_t size, struct err *err)
{
    const char *text = keys ? json_str(keys, name, "") : "";
    auto_wiped_buf struct buf bytes = {0};

    if (text[0] && (base64_decode(text, strlen(text), &bytes, NULL) < 0 || bytes.len < 16 ||
                    bytes.len > 64 || !str_copy(to, size, text)))
        return err_set(err, ERR_INVALID,
                       "authentication.symmetricKey.%s: must be base64 of 16 to 64 bytes", name);
    if (!to[0])
        auth_make_key(to, size);
    return 0; /* none given: what is there stays, a new identity has a random one */
}

static int read_keys(const cJSON *auth, struct identity *id, struct err *err)
{
    const cJSON *keys = auth ? json_get(auth, "symmetricKey") : NULL;

    if (read_key(keys, "primaryKey", id->primary_key, sizeof(id->primary_key), err) < 0)
        return -1;
    return read_key(keys, "secondaryKey", id->secondary_key, sizeof(id->secondary_key), err);
}

/* Upper case, as tls_peer() gives it. */
static int read_thumbprint(const cJSON *thumbs, const char *name, char *to, struct err *err)
{
    const char *text = json_str(thumbs, name, "");
    size_t len = strlen(text);

    if ((len != 0 && len != 40 && len != 64) || strspn(text, "0123456789abcdefABCDEF") != len)
        return err_set(err, ERR_INVALID,
                       "authentication.x509Thumbprint.%s: must be the SHA-1 (40) or SHA-256 (64) "
                       "of the certificate in hex digits, without colons",
                       name);
    for (size_t i = 0; i <= len; i++)
        to[i] = (char)toupper((unsigned char)text[i]);
    return 0;
}

static int read_thumbprints(const cJSON *auth, struct identity *id, struct err *err)
{
    const cJSON *thumbs = auth ? json_get(auth, "x509Thumbprint") : NULL;

    if (cJSON_IsObject(thumbs) &&
        (read_thumbprint(thumbs, "primaryThumbprint", id->primary_thumbprint, err) < 0 ||
         read_thumbprint(thumbs, "secondaryThumbprint", id->secondary_thumbprint, err) < 0))
        return -1;
    if (!id->primary_thumbprint[0] && !id->secondary_thumbprint[0])
        return err_set(err, ERR_INVALID,
                       "authentication.x509Thumbprint: selfSigned needs one thumbprint or two");
    return 0;
}

static bool has_thumbprint(const cJSON *auth)
{
    const cJSON *thumbs = json_get(auth, "x509Thumbprint");

    return thumbs && (json_str(thumbs, "primaryThumbprint", "")[0] ||
                      json_str(thumbs, "secondaryThumbprint", "")[0]);
}

static int read_type(const cJSON *auth, struct identity *id, struct err *err)
{
    const char *type = json_str(auth, "type", NULL);

    if (!type) {
        if (has_thumbprint(auth))
            id->auth = IDENTITY_SELF_SIGNED;
        else if (json_get(auth, "symmetricKey"))
            id->auth = IDENTITY_SAS;
        return 0;
    }
    if (!registry_auth_parse(type, &id->auth))
        return err_set(
            err, ERR_INVALID,
            "authentication.type: must be sas, selfSigned, certificateAuthority or none");
    return 0;
}

/* What another type needs is forgotten. */
static int read_authentication(const cJSON *body, struct identity *id, struct err *err)
{
    const cJSON *auth = json_get(body, "authentication");

    if (auth && !cJSON_IsNull(auth)) {
        if (!cJSON_IsObject(auth))
            return err_set(err, ERR_INVALID, "authentication: must be an object");
        if (read_type(auth, id, err) < 0)
            return -1;
    }
    if (id->auth == IDENTITY_SAS) {
        if (read_keys(auth, id, err) < 0)
            return -1;
    } else {
        explicit_bzero(id->primary_key, sizeof(id->primary_key));
        explicit_bzero(id->secondary_key, sizeof(id->secondary_key));
    }
    if (id->auth == IDENTITY_SELF_SIGNED)
        return read_thumbprints(auth, id, err);
    id->primary_thumbprint[0] = id->secondary_thumbprint[0] = '\0';
    return 0;
}

/* A member that repeats what the path says must agree with it. */
static int check_repeated(const cJSON *body, const char *name, const char *value, struct err *err)
{
    const char *text = json_str(body, name, value);

    if (!str_eq(text, value))
        return err_set(err, ERR_INVALID, "%s: is not the one of the path", name);
    return 0;
}

/* TO is as wide as MAX characters can be. Absent: it stays; null: it goes. */
static int read_text(const cJSON *body, const char *name, size_t max, char *to, size_t size,
                     struct err *err)
{
    const cJSON *item = json_get(body, name);
    size_t n = 0;

    if (!item)
        return 0;
    if (!cJSON_IsString(item) && !cJSON_IsNull(item))
        return err_set(err, ERR_INVALID, "%s: must be text", name);
    for (const char *c = cJSON_IsString(item) ? item->valuestring : ""; *c; c++)
        n += ((unsigned char)*c & 0xc0) != 0x80;
    if (n > max || !str_copy(to, size, item->valuestring))
        return err_set(err, ERR_INVALID, "%s: must not be longer than %zu characters", name, max);
    return 0;
}

static int read_status(const cJSON *body, struct identity *id, struct err *err)
{
    const char *status = json_str(body, "status", id->disabled ? "disabled" : "enabled");
    bool disabled = str_eq(status, "disabled");

    if (!disabled && !str_eq(status, "enabled"))
        return err_set(err, ERR_INVALID, "status: must be enabled or disabled");
    if (disabled != id->disabled)
        id->status_ms = clock_wall_ms();
    id->disabled = disabled;
    return read_text(body, "statusReason", REASON_MAX, id->status_reason, sizeof(id->status_reason),
                     err);
}

int registry_read(const cJSON *body, struct identity *id, struct err *err)
{
    const cJSON *capabilities = json_get(body, "capabilities");

    if (check_repeated(body, "deviceId", id->device, err) < 0 ||
        (id->module[0] && check_repeated(body, "moduleId", id->module, err) < 0) ||
        read_authentication(body, id, err) < 0)
        return -1;
    if (id->module[0])
        return read_text(body, "managedBy", sizeof(id->managed_by) - 1, id->managed_by,
                         sizeof(id->managed_by), err);
    if (capabilities)
        id->iot_edge = json_bool(capabilities, "iotEdge", id->iot_edge);
    return read_status(body, id, err);
}
