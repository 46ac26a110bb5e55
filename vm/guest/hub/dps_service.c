/* The service API: enrolments, groups of them, and what came of them. One handler for both kinds of
 * enrolments: the path says which. */
#include "vm/guest/hub/dps_records.h"
#include "vm/guest/hub/dps_register.h"

#include "core/base/str.h"
#include "core/io/base64.h"

#include <string.h>
#include <strings.h>

#define BULK_MAX     10 /* as on Azure */
#define PAGE_DEFAULT 100
#define PAGE_MAX     1000

static bool is_group(const struct rest *r)
{
    return !str_eq(r->segments[0], "enrollments");
}

static const char *if_match(const struct rest *r)
{
    return r->if_match[0] ? r->if_match : NULL;
}

/* ------------------------------------------------------------------------------------------
 * one enrolment */

static void reply_enrolment(struct rest *r, const struct dps_enrolment *e, enum dps_show what)
{
    auto_json cJSON *out = dps_enrolment_show(e, what);

    rest_reply_json(r->x, 200, out);
}

/* Of an individual enrolment: how far its device got. */
static int add_state(struct rest *r, const struct dps_enrolment *e, cJSON *to, struct err *err)
{
    auto_registration_row struct registration_row row = {0};
    struct err why = {0};

    if (store_registration_get(r->hub->store, e->id, &row, &why) == 0) {
        json_add(to, "registrationState", dps_registration_show(r->hub->dps, &row));
        return 0;
    }
    if (why.kind != ERR_NOT_FOUND)
        return err_set(err, why.kind, "%s", why.msg);

    cJSON *state = json_add_obj(to, "registrationState");

    json_add_str(state, "registrationId", e->id);
    json_add_str(state, "status", "unassigned");
    return 0;
}

void dps_service_get(struct rest *r)
{
    auto_dps_enrolment struct dps_enrolment e = {0};
    auto_json cJSON *out = NULL;
    struct err err = {0};

    if (dps_records_get(r->hub->dps, is_group(r), r->segments[1], &e, &err) < 0) {
        dps_fail(r, &err);
        return;
    }
    out = dps_enrolment_show(&e, DPS_SHOW_PUBLIC);
    if (!e.group && add_state(r, &e, out, &err) < 0)
        dps_fail(r, &err);
    else
        rest_reply_json(r->x, 200, out);
}

void dps_service_put(struct rest *r)
{
    auto_dps_enrolment struct dps_enrolment e = {0};
    struct err err = {0};

    if (dps_records_put(r->hub->dps, is_group(r), r->segments[1], r->body, if_match(r), &e, &err) <
        0)
        dps_fail(r, &err);
    else
        reply_enrolment(r, &e, DPS_SHOW_KEYS);
}

void dps_service_delete(struct rest *r)
{
    struct err err = {0};

    if (dps_records_delete(r->hub->dps, is_group(r), r->segments[1], if_match(r), &err) < 0)
        dps_fail(r, &err);
    else
        http_reply(r->x, 204, NULL, NULL, 0);
}

void dps_service_attestation(struct rest *r)
{
    auto_dps_enrolment struct dps_enrolment e = {0};
    struct err err = {0};

    if (dps_records_get(r->hub->dps, is_group(r), r->segments[1], &e, &err) < 0) {
        dps_fail(r, &err);
        return;
    }
    auto_json cJSON *out = dps_attestation_show(&e.attestation, DPS_SHOW_KEYS);
    rest_reply_json(r->x, 200, out);
}

/* ------------------------------------------------------------------------------------------
 * several at once */

enum bulk_mode { BULK_CREATE, BULK_UPDATE, BULK_UPDATE_SAME, BULK_DELETE };

static const char *const bulk_words[] = {
    [BULK_CREATE] = "create",
    [BULK_UPDATE] = "update",
    [BULK_UPDATE_SAME] = "updateIfMatchETag",
    [BULK_DELETE] = "delete",
};

static int read_mode(const cJSON *body, enum bulk_mode *ret, struct err *err)
{
    const char *word = "";

    if (dps_json_text(body, "", "mode", &word, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(bulk_words); i++)
        if (strcasecmp(word, bulk_words[i]) == 0) { /* Node's spells the third "...Etag" */
            *ret = (enum bulk_mode)i;
            return 0;
        }
    return err_set(err, ERR_INVALID, "mode: must be create, update, updateIfMatchETag or delete");
}

/* An update without an etag is refused as one that would create, which is what Azure does. */
static int bulk_one(struct dps *d, bool group, enum bulk_mode mode, const char *id,
                    const cJSON *item, struct err *err)
{
    auto_dps_enrolment struct dps_enrolment e = {0};
    const char *etag = NULL;

    if (mode != BULK_CREATE && dps_json_text(item, "", "etag", &etag, err) < 0)
        return -1;
    if (mode == BULK_DELETE)
        return dps_records_delete(d, group, id, etag, err);
    return dps_records_put(d, group, id, item, etag, &e, err);
}

static void bulk_report(const char *key, const char *id, const struct err *err, cJSON *to)
{
    cJSON *entry = cJSON_CreateObject();

    json_add_str(entry, key, id);
    json_add_u64(entry, "errorCode", dps_error_code(err));
    json_add_str(entry, "errorStatus", err->msg);
    json_push(to, entry);
}

static int check_bulk(const cJSON *body, const char *name, const char *key, const cJSON **ret,
                      struct err *err)
{
    const cJSON *item;
    int at = 0;

    if (dps_json_array(body, "", name, ret, err) < 0)
        return -1;
    if (cJSON_GetArraySize(*ret) < 1 || cJSON_GetArraySize(*ret) > BULK_MAX)
        return err_set(err, ERR_INVALID, "%s: must be an array of 1 to %d", name, BULK_MAX);
    cJSON_ArrayForEach(item, *ret)
    {
        if (!cJSON_IsObject(item) || !cJSON_IsString(json_get(item, key)))
            return err_set(err, ERR_INVALID, "%s[%d].%s: is missing", name, at, key);
        at++;
    }
    return 0;
}

void dps_service_bulk(struct rest *r)
{
    bool group = is_group(r);
    const char *key = group ? "enrollmentGroupId" : "registrationId";
    const cJSON *list = NULL, *item;
    enum bulk_mode mode = BULK_CREATE;
    struct err err = {0};

    if (read_mode(r->body, &mode, &err) < 0 ||
        check_bulk(r->body, group ? "enrollmentGroups" : "enrollments", key, &list, &err) < 0) {
        dps_fail(r, &err);
        return;
    }

    auto_json cJSON *out = cJSON_CreateObject();
    cJSON *errors = json_add_array(out, "errors");

    cJSON_ArrayForEach(item, list)
    {
        const char *id = json_str(item, key, "");
        struct err why = {0};

        if (bulk_one(r->hub->dps, group, mode, id, item, &why) < 0)
            bulk_report(key, id, &why, errors);
    }
    json_add_bool(out, "isSuccessful", cJSON_GetArraySize(errors) == 0);
    rest_reply_json(r->x, 200, out);
}

/* ------------------------------------------------------------------------------------------
 * queries, page by page. A continuation token is the base64 of the last id that was shown. */

struct page {
    struct dps *d;
    cJSON *array;
    size_t n, max;
    char after[IDENTITY_ID_MAX]; /* the last one shown */
    bool more;
};

/* All that clients ask for is everything: "SELECT *" or "*". */
static int check_query(const cJSON *body, struct err *err)
{
    const char *text = "";

    if (dps_json_text(body, "", "query", &text, err) < 0)
        return -1;
    if (strcasestr(text, "where"))
        return err_set(err, ERR_INVALID, "query: only SELECT * without conditions is possible");
    return 0;
}

static int read_page(struct rest *r, struct page *p, struct err *err)
{
    const char *count = http_exchange_header(r->x, "x-ms-max-item-count");
    const char *token = http_exchange_header(r->x, "x-ms-continuation");
    auto_buf struct buf id = {0};
    uint64_t max = 0;

    if (count && (!str_to_u64(count, PAGE_MAX, &max)))
        return err_set(err, ERR_INVALID, "x-ms-max-item-count: must be 1 to %d", PAGE_MAX);
    if (token &&
        (base64_decode(token, strlen(token), &id, NULL) < 0 || strlen(buf_str(&id)) != id.len ||
         !str_copy(p->after, sizeof(p->after), buf_str(&id))))
        return err_set(err, ERR_INVALID, "x-ms-continuation: is not one of this service");
    p->d = r->hub->dps;
    p->max = max ? (size_t)max : PAGE_DEFAULT;
    return check_query(r->body, err);
}

/* False where the page was full before: there is more. */
static bool page_takes(struct page *p, const char *id)
{
    p->more = p->n == p->max;
    if (p->more)
        return false;
    p->n++;
    STR_SET(p->after, id);
    return true;
}

static void reply_page(struct rest *r, const struct page *p, const char *type)
{
    auto_buf struct buf token = {0};

    if (p->more) {
        base64_encode(p->after, strlen(p->after), &token);
        http_reply_header(r->x, "x-ms-continuation", token.data);
    }
    http_reply_header(r->x, "x-ms-item-type", type);
    rest_reply_json(r->x, 200, p->array);
}

static bool add_enrolment(void *arg, const struct enrolment_row *row)
{
    struct page *p = arg;
    auto_dps_enrolment struct dps_enrolment e = {0};

    if (!page_takes(p, row->id))
        return false;
    if (dps_enrolment_unpack(row, &e, NULL) == 0)
        json_push(p->array, dps_enrolment_show(&e, DPS_SHOW_PUBLIC));
    return true;
}

void dps_service_query(struct rest *r)
{
    auto_json cJSON *array = cJSON_CreateArray();
    struct page page = {.array = array};
    struct err err = {0};

    if (read_page(r, &page, &err) < 0 ||
        store_enrolment_each(r->hub->store, is_group(r), NULL, page.after, page.max + 1,
                             add_enrolment, &page, &err) < 0)
        dps_fail(r, &err);
    else
        reply_page(r, &page, is_group(r) ? "EnrollmentGroup" : "Enrollment");
}

/* ------------------------------------------------------------------------------------------
 * registrations */

void dps_service_state_get(struct rest *r)
{
    auto_registration_row struct registration_row row = {0};
    struct err err = {0};

    if (store_registration_get(r->hub->store, r->segments[1], &row, &err) < 0) {
        dps_fail(r, &err);
        return;
    }
    auto_json cJSON *out = dps_registration_show(r->hub->dps, &row);
    rest_reply_json(r->x, 200, out);
}

void dps_service_state_delete(struct rest *r)
{
    struct err err = {0};

    if (dps_records_forget(r->hub->dps, r->segments[1], if_match(r), &err) < 0)
        dps_fail(r, &err);
    else
        http_reply(r->x, 204, NULL, NULL, 0);
}

static bool add_registration(void *arg, const struct registration_row *row)
{
    struct page *p = arg;

    if (!page_takes(p, row->id))
        return false;
    json_push(p->array, dps_registration_show(p->d, row));
    return true;
}

void dps_service_state_query(struct rest *r)
{
    auto_enrolment_row struct enrolment_row group = {0};
    auto_json cJSON *array = cJSON_CreateArray();
    struct page page = {.array = array};
    struct err err = {0};

    if (read_page(r, &page, &err) < 0 ||
        store_enrolment_get(r->hub->store, true, r->segments[1], &group, &err) < 0 ||
        store_registration_each(r->hub->store, r->segments[1], page.after, page.max + 1,
                                add_registration, &page, &err) < 0)
        dps_fail(r, &err);
    else
        reply_page(r, &page, "DeviceRegistration");
}
