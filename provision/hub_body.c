/* See hub_body.h. */
#include "provision/hub_body.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <string.h>

#define ETAG_MAX 64

/* ---- a device ---- */

static const char *auth_word(enum sandbox_auth auth)
{
    switch (auth) {
    case SANDBOX_AUTH_SAS:
        return "sas";
    case SANDBOX_AUTH_X509_SELF_SIGNED:
        return "selfSigned";
    case SANDBOX_AUTH_X509_CA:
        return "certificateAuthority";
    case SANDBOX_AUTH_NONE:
    case SANDBOX_AUTH_TPM:
    case SANDBOX_AUTH_COUNT:
    default:
        return "none";
    }
}

void hub_body_device(const struct hub_device_options *o, struct buf *out)
{
    auto_json cJSON *root = cJSON_CreateObject();
    json_add_str(root, "deviceId", o->id);
    json_add_str(root, "status", "enabled");
    json_add_bool(json_add_obj(root, "capabilities"), "iotEdge", o->edge);
    cJSON *auth = json_add_obj(root, "authentication");
    json_add_str(auth, "type", auth_word(o->auth));
    if (o->thumbprint) {
        cJSON *prints = json_add_obj(auth, "x509Thumbprint");
        json_add_str(prints, "primaryThumbprint", o->thumbprint);
        json_add_str_or_null(prints, "secondaryThumbprint", o->thumbprint2);
    }
    /* An edge device has a scope of its own and lists its parent's; another one is in it. */
    if (o->parent_scope && !o->edge)
        json_add_str(root, "deviceScope", o->parent_scope);
    if (o->parent_scope)
        json_push(json_add_array(root, "parentScopes"), cJSON_CreateString(o->parent_scope));
    json_print(out, root);
}

int hub_body_device_status(const char *text, size_t len, bool enabled, struct buf *out,
                           struct err *err)
{
    auto_json cJSON *root = json_parse(text, len, err);
    if (!root)
        return -1;
    if (!json_get(root, "deviceId"))
        return err_set(err, ERR_PROTOCOL, "the hub's answer is no device");
    cJSON_DeleteItemFromObjectCaseSensitive(root, "status");
    json_add_str(root, "status", enabled ? "enabled" : "disabled");
    json_print(out, root);
    return 0;
}

/* ---- an enrolment ---- */

static void add_certificate(cJSON *attestation, const struct hub_enrolment_options *o)
{
    cJSON *x509 = json_add_obj(attestation, "x509");
    cJSON *which = json_add_obj(x509, o->group ? "signingCertificates" : "clientCertificates");
    json_add_str(json_add_obj(which, "primary"), "certificate", o->certificate);
}

static void add_attestation(cJSON *root, const struct hub_enrolment_options *o)
{
    cJSON *attestation = json_add_obj(root, "attestation");
    if (o->auth == SANDBOX_AUTH_SAS) {
        json_add_str(attestation, "type", "symmetricKey");
        cJSON *keys = json_add_obj(attestation, "symmetricKey");
        json_add_str(keys, "primaryKey", o->key);
        json_add_str(keys, "secondaryKey", o->key);
    } else if (o->auth == SANDBOX_AUTH_TPM) {
        json_add_str(attestation, "type", "tpm");
        json_add_str(json_add_obj(attestation, "tpm"), "endorsementKey", o->endorsement);
    } else {
        json_add_str(attestation, "type", "x509");
        add_certificate(attestation, o);
    }
}

void hub_body_enrolment(const struct hub_enrolment_options *o, struct buf *out)
{
    auto_json cJSON *root = cJSON_CreateObject();
    json_add_str(root, o->group ? "enrollmentGroupId" : "registrationId", o->id);
    if (o->device && !o->group)
        json_add_str(root, "deviceId", o->device);
    add_attestation(root, o);
    json_add_bool(json_add_obj(root, "capabilities"), "iotEdge", o->edge);
    json_add_str(root, "provisioningStatus", "enabled");
    cJSON *again = json_add_obj(root, "reprovisionPolicy");
    json_add_bool(again, "updateHubAssignment", true);
    json_add_bool(again, "migrateDeviceData", true);
    json_add_str(root, "allocationPolicy", o->hub ? "static" : "hashed");
    if (o->hub)
        json_push(json_add_array(root, "iotHubs"), cJSON_CreateString(o->hub));
    json_print(out, root);
}

int hub_body_authority(const char *pem, struct buf *out, struct err *err)
{
    if (strstr(pem, "PRIVATE KEY-----")) {
        err_set(err, ERR_INVALID, "the file holds a private key, which must not leave its place");
        return err_hint(err, "give a file that holds the certificate alone");
    }
    if (!strstr(pem, "-----BEGIN CERTIFICATE-----"))
        return err_set(err, ERR_INVALID, "the file holds no certificate in PEM form");
    auto_json cJSON *root = cJSON_CreateObject();
    json_add_str(root, "certificate", pem);
    json_print(out, root);
    return 0;
}

/* ---- documents that people write ---- */

static int parse_document(const char *text, size_t len, cJSON **ret, struct err *err)
{
    cJSON *root = json_parse(text, len, err);
    if (root && cJSON_IsObject(root)) {
        *ret = root;
        return 0;
    }
    cJSON_Delete(root);
    return root ? err_set(err, ERR_INVALID, "the text is no JSON object") : -1;
}

static void set_member(cJSON *obj, const char *key, cJSON *take_value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(obj, key);
    json_add(obj, key, take_value);
}

/* A manifest alone becomes the content of a configuration. */
static cJSON *as_configuration(cJSON *take_root)
{
    if (json_get(take_root, "content"))
        return take_root;
    cJSON *root = cJSON_CreateObject();
    json_add(root, "content", take_root);
    return root;
}

int hub_body_configuration(const char *text, size_t len, const struct hub_configuration_options *o,
                           char *ret_id, struct buf *out, struct err *err)
{
    auto_json cJSON *root = NULL;
    if (parse_document(text, len, &root, err) < 0)
        return -1;
    root = as_configuration(root);
    if (o->id)
        set_member(root, "id", cJSON_CreateString(o->id));
    if (o->target)
        set_member(root, "targetCondition", cJSON_CreateString(o->target));
    if (o->priority || !json_get(root, "priority"))
        set_member(root, "priority", cJSON_CreateNumber(o->priority ? *o->priority : 10));
    const char *id = json_str(root, "id", "");
    if (!id[0]) {
        err_set(err, ERR_INVALID, "id: the configuration has no name");
        return err_hint(err, "give it with --id, or as \"id\" in the file");
    }
    if (!str_copy(ret_id, SANDBOX_ID_MAX, id))
        return err_set(err, ERR_INVALID, "id: longer than %d characters", SANDBOX_ID_MAX - 1);
    cJSON_DeleteItemFromObjectCaseSensitive(root, "etag");
    json_print(out, root);
    return 0;
}

/* What the service adds to desired properties when it shows them. */
static void drop_marks(cJSON *desired)
{
    cJSON_DeleteItemFromObjectCaseSensitive(desired, "$metadata");
    cJSON_DeleteItemFromObjectCaseSensitive(desired, "$version");
}

int hub_body_twin(const char *text, size_t len, char *ret_etag, struct buf *out, struct err *err)
{
    auto_json cJSON *given = NULL;
    auto_json cJSON *patch = cJSON_CreateObject();
    if (parse_document(text, len, &given, err) < 0)
        return -1;
    cJSON *properties = cJSON_GetObjectItemCaseSensitive(given, "properties");
    cJSON *desired = cJSON_DetachItemFromObjectCaseSensitive(properties, "desired");
    cJSON *tags = cJSON_DetachItemFromObjectCaseSensitive(given, "tags");
    if (tags)
        json_add(patch, "tags", tags);
    if (desired) {
        drop_marks(desired);
        json_add(json_add_obj(patch, "properties"), "desired", desired);
    }
    if (!tags && !desired) {
        err_set(err, ERR_INVALID, "the patch has neither \"tags\" nor \"properties.desired\"");
        return err_hint(err, "for example: {\"properties\":{\"desired\":{\"interval\":5}}}");
    }
    if (!str_copy(ret_etag, ETAG_MAX, json_str(given, "etag", "")))
        return err_set(err, ERR_INVALID, "etag: longer than %d characters", ETAG_MAX - 1);
    json_print(out, patch);
    return 0;
}
