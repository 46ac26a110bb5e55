/* See dps_answer.h. */
#include "core/azure/dps_answer.h"

#include "core/base/json.h"
#include "core/base/str.h"
#include "core/io/base64.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define SERVICE "the provisioning service"

/* ------------------------------------------------------------------------------- refusals */

static const struct refusal {
    int status;
    enum err_kind kind;
    const char *text;
    const char *hint;
} refusals[] = {
    {400, ERR_REMOTE, SERVICE " found the request wrong", "check the registration ID"},
    {401, ERR_REMOTE, SERVICE " refused the device's key or certificate",
     "is it that of this enrolment (of a group: the derived key), and is the clock right?"},
    {403, ERR_REMOTE, SERVICE " does not let the device in",
     "the hub may be full, or a firewall rule of the service is in the way"},
    {404, ERR_NOT_FOUND, SERVICE " knows no such ID scope or enrolment",
     "compare the ID scope and the registration ID with the portal's"},
    {429, ERR_UNREACHABLE, SERVICE " is too busy", NULL},
};

/* JSON may be NULL: proxies and firewalls answer in their own ways. */
static int refuse(int status, const cJSON *json, struct err *err)
{
    char text[200], number[24] = "";
    uint64_t code = json_u64(json, "errorCode", json_u64(json, "code", 0));
    str_sanitise_to(text, sizeof(text),
                    json_str(json, "message", json_str(json, "errorMessage", "")));
    if (code)
        (void)str_format(number, sizeof(number), ", %" PRIu64, code);
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refusal *r = &refusals[i];
        if (r->status != status)
            continue;
        err_set(err, r->kind, "%s (%d%s%s%s)", r->text, status, number, *text ? ": " : "", text);
        return r->hint ? err_hint(err, "%s", r->hint) : -1;
    }
    return err_set(err, status >= 500 ? ERR_UNREACHABLE : ERR_PROTOCOL,
                   SERVICE " answered %d%s%s%s", status, number, *text ? ": " : "", text);
}

/* The status "failed", "disabled" or "unassigned" of a registration. */
static int not_assigned(const char *status, const cJSON *state, struct err *err)
{
    char text[200];
    uint64_t code = json_u64(state, "errorCode", 0);
    str_sanitise_to(text, sizeof(text), json_str(state, "errorMessage", ""));
    if (str_eq(status, "disabled")) {
        err_set(err, ERR_REMOTE, SERVICE " has the enrolment of this device disabled");
        return err_hint(err, "have it enabled there");
    }
    if (!str_eq(status, "failed"))
        return err_set(err, ERR_PROTOCOL, SERVICE " answered with an unknown status");
    return err_set(err, ERR_REMOTE,
                   SERVICE " could not assign the device to a hub (%" PRIu64 "%s%s)", code,
                   *text ? ": " : "", text);
}

/* ------------------------------------------------------------------------------- fields */

bool dps_split_host(const char *text, char *to, size_t size, uint16_t *ret_port)
{
    uint64_t port = 0;
    size_t len = strcspn(text, ":");
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("-._", text[i]))
            return false;
    if (!len || (text[len] && (!str_to_u64(text + len + 1, UINT16_MAX, &port) || !port)) ||
        !str_format(to, size, "%.*s", (int)len, text))
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

/* Ids travel in paths, user names and topics. */
static bool plain_id(const char *text, size_t size)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f || *c == '/')
            return false;
    return *text && strlen(text) < size;
}

static int take_tpm_key(const cJSON *object, struct dps_answer *a, struct err *err)
{
    auto_wiped_buf struct buf bytes = {0};
    const char *text = json_str(object, "authenticationKey", "");
    if (base64_decode(text, strlen(text), &bytes, NULL) < 0)
        return err_set(err, ERR_PROTOCOL, SERVICE "'s authenticationKey is not base64");
    if (bytes.len)
        secret_set(&a->tpm_key, bytes.data, bytes.len);
    return 0;
}

static int take_device(const cJSON *state, struct dps_answer *a, struct err *err)
{
    const char *hub = json_str(state, "assignedHub", "");
    const char *id = json_str(state, "deviceId", "");
    if (!dps_split_host(hub, a->device.hub, sizeof(a->device.hub), &a->device.port))
        return err_set(err, ERR_PROTOCOL, SERVICE " named a hub that is no host name");
    if (!plain_id(id, sizeof(a->device.id)))
        return err_set(err, ERR_PROTOCOL, SERVICE " gave a device id that is none");
    STR_SET(a->device.id, id);
    str_sanitise_to(a->device.detail, sizeof(a->device.detail), json_str(state, "substatus", ""));
    a->kind = DPS_ASSIGNED;
    return take_tpm_key(json_get(state, "tpm"), a, err);
}

static int take_state(const cJSON *json, struct dps_answer *a, struct err *err)
{
    const cJSON *state = json_get(json, "registrationState");
    const char *status = json_str(json, "status", json_str(state, "status", ""));
    if (str_eq(status, "assigned"))
        return take_device(state, a, err);
    if (!str_eq(status, "assigning"))
        return not_assigned(status, state, err);
    const char *operation = json_str(json, "operationId", "");
    if (!plain_id(operation, sizeof(a->operation)))
        return err_set(err, ERR_PROTOCOL, SERVICE "'s answer has no usable operationId");
    STR_SET(a->operation, operation);
    a->kind = DPS_ASSIGNING;
    return 0;
}

int dps_answer_parse(int status, const char *body, size_t len, struct dps_answer *ret,
                     struct err *err)
{
    auto_dps_answer struct dps_answer a = {0};
    auto_json cJSON *json = len ? json_parse(body, len, NULL) : NULL;
    if (status == 401 && *json_str(json, "authenticationKey", "")) {
        a.kind = DPS_CHALLENGE;
        if (take_tpm_key(json, &a, err) < 0)
            return -1;
    } else if (status < 200 || status >= 300) {
        return refuse(status, json, err);
    } else if (!cJSON_IsObject(json)) {
        err_set(err, ERR_PROTOCOL, SERVICE "'s answer is not JSON");
        return err_hint(err, "is global_endpoint that of a provisioning service?");
    } else if (take_state(json, &a, err) < 0) {
        return -1;
    }
    *ret = a;
    a = (struct dps_answer){0};
    return 0;
}

void dps_answer_done(struct dps_answer *a)
{
    secret_wipe(&a->tpm_key);
    *a = (struct dps_answer){0};
}
