/* See dps_register.h. A registration is done when it is acknowledged: the operation that a client
 * then asks for has ended already. */
#include "vm/guest/hub/dps_register.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/random.h"
#include "core/base/str.h"
#include "core/base/uuid.h"
#include "vm/guest/hub/dps_assign.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PAYLOAD_MAX (64U << 10)

static const char *const status_words[] = {
    [REGISTRATION_ASSIGNED] = "assigned",
    [REGISTRATION_FAILED] = "failed",
    [REGISTRATION_DISABLED] = "disabled",
};

static const char *const substatus_words[] = {
    [SUBSTATUS_INITIAL] = "initialAssignment",
    [SUBSTATUS_MIGRATED] = "deviceDataMigrated",
    [SUBSTATUS_RESET] = "deviceDataReset",
    [SUBSTATUS_AGAIN] = "reprovisionedToInitialAssignment",
};

void dps_reply_done(struct dps_reply *a)
{
    cJSON_Delete(a->body);
    a->body = NULL;
}

void dps_reply_err(struct dps_reply *a, unsigned code, const char *message)
{
    a->status = (int)(code / 1000);
    a->body = dps_error_body(code, message);
}

/* ------------------------------------------------------------------------------------------
 * showing */

cJSON *dps_registration_show(const struct dps *d, const struct registration_row *row)
{
    cJSON *out = cJSON_CreateObject();
    cJSON *payload = row->payload ? json_parse(row->payload, strlen(row->payload), NULL) : NULL;
    char when[CLOCK_TEXT_MAX];

    json_add_str(out, "registrationId", row->id);
    clock_format(when, sizeof(when), row->created_ms);
    json_add_str(out, "createdDateTimeUtc", when);
    if (row->status == REGISTRATION_ASSIGNED) {
        json_add_str(out, "assignedHub", row->hub[0] ? row->hub : d->hub->hubs[0]);
        json_add_str(out, "deviceId", row->device);
    }
    json_add_str(out, "status", status_words[row->status]);
    if (row->status == REGISTRATION_ASSIGNED)
        json_add_str(out, "substatus", substatus_words[row->substatus]);
    if (row->error_code) {
        json_add_u64(out, "errorCode", row->error_code);
        json_add_str(out, "errorMessage", row->error);
    }
    clock_format(when, sizeof(when), row->updated_ms);
    json_add_str(out, "lastUpdatedDateTimeUtc", when);
    json_add_str(out, "etag", row->etag);
    if (payload)
        json_add(out, "payload", payload);
    return out;
}

/* For a TPM: the key of its device, which it then signs the hub's tokens with. */
static int add_tpm(struct dps *d, const struct dps_grant *grant, const struct registration_row *row,
                   cJSON *to, struct err *err)
{
    auto_identity struct identity device = {0};
    auto_buf struct buf blob = {0};
    char uri[2 * IDENTITY_ID_MAX];

    (void)str_format(uri, sizeof(uri), "%s/devices/%s", row->hub[0] ? row->hub : d->hub->hubs[0],
                     row->device);
    if (store_identity_get(d->hub->store, row->device, "", &device, err) < 0 ||
        dps_auth_wrap(d, &grant->enrolment, device.primary_key, uri, &blob, err) < 0)
        return -1;
    json_add_str(json_add_obj(to, "tpm"), "authenticationKey", blob.data);
    return 0;
}

/* With what only the device itself is told. */
static int show_own(struct dps *d, const struct dps_grant *grant,
                    const struct registration_row *row, cJSON **ret, struct err *err)
{
    enum dps_proof proof = grant->enrolment.attestation.proof;
    auto_json cJSON *out = dps_registration_show(d, row);

    if (proof == DPS_PROOF_TPM && row->status == REGISTRATION_ASSIGNED &&
        add_tpm(d, grant, row, out, err) < 0)
        return -1;
    if (proof == DPS_PROOF_X509 || (proof == DPS_PROOF_KEY && row->group[0])) {
        cJSON *how = json_add_obj(out, dps_proof_word(proof));

        if (grant->has_cert)
            json_add(how, "certificateInfo", dps_cert_show(&grant->cert));
        if (row->group[0])
            json_add_str(how, "enrollmentGroupId", row->group);
    }
    *ret = steal(out);
    return 0;
}

static void answer_failure(struct dps_reply *a, const struct err *err)
{
    dps_reply_err(a, dps_error_code(err), err->msg);
}

static void answer_operation(struct dps *d, const struct dps_grant *grant,
                             const struct registration_row *row, struct dps_reply *ret)
{
    auto_json cJSON *out = cJSON_CreateObject();
    cJSON *state = NULL;
    struct err err = {0};

    if (show_own(d, grant, row, &state, &err) < 0) {
        answer_failure(ret, &err);
        return;
    }
    json_add_str(out, "operationId", row->operation);
    json_add_str(out, "status", status_words[row->status]);
    json_add(out, "registrationState", state);
    if (row->status == REGISTRATION_DISABLED) {
        /* Here, too, for clients that take this for an error: IoT Edge's does. */
        json_add_u64(out, "errorCode", row->error_code);
        json_add_str(out, "message", row->error);
    }
    ret->status = 200;
    ret->body = steal(out);
}

/* ------------------------------------------------------------------------------------------
 * registering */

static int check_id(const struct dps_request *q, struct err *err)
{
    return dps_id_valid(q->id)
               ? 0
               : err_set(err, ERR_INVALID,
                         "registrationId: must be 1 to 128 letters, digits or -._:");
}

static int admit(struct dps *d, const struct dps_request *q, struct dps_grant *grant,
                 struct dps_reply *ret)
{
    struct err err = {0};

    if (check_id(q, &err) < 0 || dps_auth_device(d, &q->proof, q->id, grant, &err) < 0) {
        log_info("dps", "refused %s: %s", q->id, err.msg);
        answer_failure(ret, &err);
        return -1;
    }
    return 0;
}

static int check_body(const struct dps_request *q, struct buf *payload, struct err *err)
{
    const char *id = q->id;
    const cJSON *extra = q->body ? json_get(q->body, "payload") : NULL;

    if (q->body && !cJSON_IsObject(q->body))
        return err_set(err, ERR_INVALID, "the body must be a JSON object");
    if (dps_json_text(q->body, "", "registrationId", &id, err) < 0)
        return -1;
    if (strcasecmp(id, q->id) != 0)
        return err_set(err, ERR_INVALID, "registrationId: is not the one of the address");
    if (extra && !cJSON_IsNull(extra))
        json_print(payload, extra);
    if (payload->len > PAYLOAD_MAX)
        return err_set(err, ERR_INVALID, "payload: more than %u KB", PAYLOAD_MAX / 1024);
    return 0;
}

/* "4.REGISTRATION.UNIQUE", in the form that the service's have. */
static void make_operation(char to[DPS_OPERATION_MAX])
{
    uint64_t registration;
    char unique[UUID_SIZE];

    random_bytes(&registration, sizeof(registration));
    uuid_make(unique);
    (void)str_format(to, DPS_OPERATION_MAX, "4.%016" PRIx64 ".%s", registration, unique);
}

/* What is known of it from before, or what a new one begins with. */
static int begin(struct dps *d, const struct dps_request *q, const struct dps_grant *grant,
                 struct registration_row *reg, struct err *err)
{
    const struct dps_enrolment *e = &grant->enrolment;
    uint64_t now = clock_wall_ms();
    struct err why = {0};

    if (store_registration_get(d->hub->store, q->id, reg, &why) < 0) {
        if (why.kind != ERR_NOT_FOUND)
            return err_set(err, why.kind, "%s", why.msg);
        STR_SET(reg->id, e->group ? q->id : e->id);
        reg->created_ms = now;
    }
    STR_SET(reg->group, e->group ? e->id : "");
    make_operation(reg->operation);
    dps_etag(reg->etag);
    reg->updated_ms = now;
    reg->error_code = 0;
    reg->error[0] = '\0';
    free(reg->payload);
    reg->payload = NULL;
    return 0;
}

static void fail(struct registration_row *reg, enum registration_status status, unsigned code,
                 const char *message)
{
    reg->status = status;
    reg->error_code = code;
    STR_SET(reg->error, message);
    log_warn("dps", "registration of %s: %s", reg->id, message);
}

/* Sets the outcome; -1 where there is none because the store does not work. */
static int decide(struct dps *d, const struct dps_grant *grant, struct registration_row *reg,
                  struct err *err)
{
    struct err why = {0};

    reg->status = REGISTRATION_ASSIGNED;
    if (grant->enrolment.disabled) {
        fail(reg, REGISTRATION_DISABLED, DPS_ERR_DISABLED, "the enrolment is disabled");
        reg->operation[0] = '\0';
        return 0;
    }
    if (dps_assign(d, grant, reg, &why) == 0)
        return 0;
    if (why.kind == ERR_SYSTEM)
        return err_set(err, why.kind, "%s", why.msg);
    fail(reg, REGISTRATION_FAILED,
         why.kind == ERR_NOT_FOUND ? DPS_ERR_HUB_NOT_FOUND : dps_error_code(&why), why.msg);
    return 0;
}

static void challenge(struct dps *d, const struct dps_request *q, const cJSON *tpm,
                      struct dps_reply *ret)
{
    auto_buf struct buf blob = {0};
    struct err err = {0};

    if (check_id(q, &err) < 0 || dps_auth_challenge(d, q->id, tpm, &blob, &err) < 0) {
        log_info("dps", "refused %s: %s", q->id, err.msg);
        answer_failure(ret, &err);
        return;
    }
    dps_reply_err(ret, DPS_ERR_UNAUTHORIZED, "Authorization required: activate the key");
    json_add_str(ret->body, "authenticationKey", blob.data);
    json_add_str(ret->body, "keyName", "registration");
}

void dps_register_device(struct dps *d, const struct dps_request *q, struct dps_reply *ret)
{
    const cJSON *tpm = q->body ? json_get(q->body, "tpm") : NULL;
    auto_dps_grant struct dps_grant grant = {0};
    auto_registration_row struct registration_row reg = {0};
    auto_buf struct buf payload = {0};
    struct err err = {0};

    if (cJSON_IsObject(tpm) && !q->proof.token) {
        challenge(d, q, tpm, ret);
        return;
    }
    if (admit(d, q, &grant, ret) < 0)
        return;
    if (check_body(q, &payload, &err) < 0 || begin(d, q, &grant, &reg, &err) < 0) {
        answer_failure(ret, &err);
        return;
    }
    if (payload.len > 0)
        reg.payload = buf_steal(&payload);
    if (decide(d, &grant, &reg, &err) < 0 ||
        store_registration_put(d->hub->store, &reg, &err) < 0) {
        answer_failure(ret, &err);
        return;
    }
    if (reg.status == REGISTRATION_DISABLED) {
        answer_operation(d, &grant, &reg, ret);
        return;
    }
    ret->status = 202;
    ret->retry = true;
    ret->body = cJSON_CreateObject();
    json_add_str(ret->body, "operationId", reg.operation);
    json_add_str(ret->body, "status", "assigning");
}

void dps_register_poll(struct dps *d, const struct dps_request *q, const char *operation,
                       struct dps_reply *ret)
{
    auto_dps_grant struct dps_grant grant = {0};
    auto_registration_row struct registration_row reg = {0};

    if (admit(d, q, &grant, ret) < 0)
        return;
    if (store_registration_get(d->hub->store, q->id, &reg, NULL) < 0 ||
        !str_eq(reg.operation, operation))
        dps_reply_err(ret, DPS_ERR_NO_OPERATION, "there is no such operation");
    else
        answer_operation(d, &grant, &reg, ret);
}

void dps_register_lookup(struct dps *d, const struct dps_request *q, struct dps_reply *ret)
{
    auto_dps_grant struct dps_grant grant = {0};
    auto_registration_row struct registration_row reg = {0};
    struct err err = {0};

    if (admit(d, q, &grant, ret) < 0)
        return;
    if (store_registration_get(d->hub->store, q->id, &reg, &err) < 0 ||
        show_own(d, &grant, &reg, &ret->body, &err) < 0)
        answer_failure(ret, &err);
    else
        ret->status = 200;
}
