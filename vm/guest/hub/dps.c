/* See dps.h. The service as a whole: its id scope, its addresses, the form of its errors. */
#include "vm/guest/hub/dps_private.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/random.h"
#include "core/base/str.h"
#include "core/base/uuid.h"
#include "core/io/base64.h"

#include <inttypes.h>
#include <stdlib.h>

#define SCOPE_ENTRY "dps-id-scope"

void dps_etag(char to[DPS_ETAG_MAX])
{
    unsigned char bytes[12];
    auto_buf struct buf text = {0};

    random_bytes(bytes, sizeof(bytes));
    base64_encode(bytes, sizeof(bytes), &text);
    (void)str_copy(to, DPS_ETAG_MAX, text.data);
}

/* ------------------------------------------------------------------------------------------
 * errors */

unsigned dps_error_code(const struct err *err)
{
    static const struct {
        enum err_kind kind;
        unsigned code;
    } codes[] = {
        {ERR_INVALID, DPS_ERR_INVALID},     {ERR_PROTOCOL, DPS_ERR_INVALID},
        {ERR_AUTH, DPS_ERR_UNAUTHORIZED},   {ERR_NO_SPACE, DPS_ERR_QUOTA},
        {ERR_NOT_FOUND, DPS_ERR_NOT_FOUND}, {ERR_UNSUPPORTED, DPS_ERR_METHOD},
        {ERR_EXISTS, DPS_ERR_EXISTS},       {ERR_BUSY, DPS_ERR_PRECONDITION},
    };

    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (codes[i].kind == err->kind)
            return codes[i].code;
    return DPS_ERR_SERVER;
}

cJSON *dps_error_body(unsigned code, const char *message)
{
    cJSON *out = cJSON_CreateObject();
    char when[CLOCK_TEXT_MAX], tracking[UUID_SIZE];

    uuid_make(tracking);
    clock_format(when, sizeof(when), clock_wall_ms());
    json_add_u64(out, "errorCode", code);
    json_add_str(out, "trackingId", tracking);
    json_add_str(out, "message", message);
    json_add_str(out, "timestampUtc", when);
    return out;
}

void dps_fail(struct rest *r, const struct err *err)
{
    char text[sizeof(err->msg) + sizeof(err->hint) + 4];
    unsigned code = dps_error_code(err);

    (void)str_format(text, sizeof(text), "%s%s%s", err->msg, err->hint[0] ? ". " : "", err->hint);

    auto_json cJSON *body = dps_error_body(code, text);

    rest_reply_json(r->x, (int)(code / 1000), body);
}

/* ------------------------------------------------------------------------------------------
 * the service */

/* As Azure's look: 0ne and eight digits. */
static int take_scope(struct dps *d, struct err *err)
{
    auto_secret struct secret scope = {0};
    struct err why = {0};
    uint32_t number;

    if (store_secret_get(d->hub->store, SCOPE_ENTRY, &scope, &why) == 0) {
        STR_SET(d->scope, scope.data);
        return 0;
    }
    if (why.kind != ERR_NOT_FOUND)
        return err_set(err, why.kind, "%s", why.msg);
    random_bytes(&number, sizeof(number));
    (void)str_format(d->scope, sizeof(d->scope), "0ne%08" PRIX32, number);
    if (store_secret_put(d->hub->store, SCOPE_ENTRY, d->scope, err) < 0)
        return -1;
    return store_commit(d->hub->store, err);
}

struct dps *dps_new(struct hub *hub, struct err *err)
{
    struct dps *d = xcalloc(1, sizeof(*d));

    d->hub = hub;
    if (take_scope(d, err) < 0) {
        dps_free(d);
        return NULL;
    }
    return d;
}

void dps_free(struct dps *d)
{
    free(d);
}

const char *dps_id_scope(const struct dps *d)
{
    return d->scope;
}

#define READ  RIGHT_ENROLMENT_READ
#define WRITE RIGHT_ENROLMENT_WRITE

/* Devices show their tokens to the handlers. The service comes first: what it calls "registrations"
 * could be an id scope. */
static const struct rest_route routes[] = {
    {"POST", "enrollments", WRITE, true, dps_service_bulk},
    {"POST", "enrollments/query", READ, false, dps_service_query},
    {"GET", "enrollments/*", READ, false, dps_service_get},
    {"PUT", "enrollments/*", WRITE, true, dps_service_put},
    {"DELETE", "enrollments/*", WRITE, false, dps_service_delete},
    {"POST", "enrollments/*/attestationmechanism", READ, false, dps_service_attestation},
    {"POST", "enrollmentGroups", WRITE, true, dps_service_bulk},
    {"POST", "enrollmentGroups/query", READ, false, dps_service_query},
    {"GET", "enrollmentGroups/*", READ, false, dps_service_get},
    {"PUT", "enrollmentGroups/*", WRITE, true, dps_service_put},
    {"DELETE", "enrollmentGroups/*", WRITE, false, dps_service_delete},
    {"POST", "enrollmentGroups/*/attestationmechanism", READ, false, dps_service_attestation},
    /* Node's SDK writes this one in lower case. */
    {"POST", "enrollmentgroups/*/attestationmechanism", READ, false, dps_service_attestation},
    {"GET", "registrations/*", RIGHT_REGISTRATION_READ, false, dps_service_state_get},
    {"DELETE", "registrations/*", RIGHT_REGISTRATION_WRITE, false, dps_service_state_delete},
    {"POST", "registrations/*/query", RIGHT_REGISTRATION_READ, false, dps_service_state_query},
    {"PUT", "*/registrations/*/register", 0, false, dps_device_register},
    {"GET", "*/registrations/*/operations/*", 0, false, dps_device_poll},
    {"POST", "*/registrations/*", 0, false, dps_device_lookup},
};

const struct rest_table dps_routes = {.routes = routes, .n = ARRAY_LEN(routes), .fail = dps_fail};
