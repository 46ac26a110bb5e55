/* See dps_records.h. */
#include "vm/guest/hub/dps_records.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/str.h"

#include <string.h>

int dps_records_get(struct dps *d, bool group, const char *id, struct dps_enrolment *ret,
                    struct err *err)
{
    auto_enrolment_row struct enrolment_row row = {0};

    if (store_enrolment_get(d->hub->store, group, id, &row, err) < 0)
        return -1;
    return dps_enrolment_unpack(&row, ret, err);
}

static int check_etag(const char *etag, const char *if_match, const char *id, struct err *err)
{
    if (if_match && !str_eq(if_match, "*") && !str_eq(if_match, etag))
        return err_set(err, ERR_BUSY, "%s was changed meanwhile: it has another etag", id);
    return 0;
}

static int check_room(struct dps *d, bool group, struct err *err)
{
    int max = group ? DPS_GROUPS_MAX : DPS_ENROLMENTS_MAX;
    uint64_t n = 0;

    if (store_enrolment_count(d->hub->store, group, &n, err) < 0)
        return -1;
    if (n >= (uint64_t)max)
        return err_set(err, ERR_NO_SPACE, "no more than %d enrolment%s", max,
                       group ? " groups" : "s");
    return 0;
}

static int check_put(struct dps *d, bool exists, bool group, const char *id, const char *if_match,
                     const struct dps_enrolment *old, struct err *err)
{
    if (!dps_id_valid(id))
        return err_set(err, ERR_INVALID,
                       "%s: must be 1 to 128 letters, digits or -._: and end with a letter, a "
                       "digit or -",
                       group ? "enrollmentGroupId" : "registrationId");
    if (exists && !if_match)
        return err_set(err, ERR_EXISTS, "Enrollment already exists.");
    if (!exists && if_match)
        return err_set(err, ERR_NOT_FOUND, "there is no enrolment %s to change", id);
    return exists ? check_etag(old->etag, if_match, id, err) : check_room(d, group, err);
}

int dps_records_put(struct dps *d, bool group, const char *id, const cJSON *body,
                    const char *if_match, struct dps_enrolment *ret, struct err *err)
{
    auto_dps_enrolment struct dps_enrolment old = {0};
    auto_enrolment_row struct enrolment_row row = {0};
    struct err why = {0};
    bool exists = dps_records_get(d, group, id, &old, &why) == 0;

    if (!exists && why.kind != ERR_NOT_FOUND)
        return err_set(err, why.kind, "%s", why.msg);
    if (check_put(d, exists, group, id, if_match, &old, err) < 0 ||
        dps_enrolment_read(body, group, exists ? old.id : id, d->hub->hubs, exists ? &old : NULL,
                           ret, err) < 0)
        return -1;
    ret->updated_ms = clock_wall_ms();
    ret->created_ms = exists ? old.created_ms : ret->updated_ms;
    dps_etag(ret->etag);
    dps_enrolment_pack(ret, &row);
    if (store_enrolment_put(d->hub->store, &row, err) < 0)
        return -1;
    log_info("dps", "%s enrolment%s %s", exists ? "changed" : "created", group ? " group" : "",
             ret->id);
    return 0;
}

int dps_records_delete(struct dps *d, bool group, const char *id, const char *if_match,
                       struct err *err)
{
    auto_enrolment_row struct enrolment_row row = {0};

    if (store_enrolment_get(d->hub->store, group, id, &row, err) < 0 ||
        check_etag(row.etag, if_match, id, err) < 0 ||
        store_enrolment_delete(d->hub->store, group, id, err) < 0)
        return -1;
    log_info("dps", "deleted enrolment%s %s", group ? " group" : "", row.id);
    return 0;
}

int dps_records_forget(struct dps *d, const char *id, const char *if_match, struct err *err)
{
    auto_registration_row struct registration_row row = {0};

    if (store_registration_get(d->hub->store, id, &row, err) < 0 ||
        check_etag(row.etag, if_match, id, err) < 0 ||
        store_registration_delete(d->hub->store, id, err) < 0)
        return -1;
    log_info("dps", "deleted the registration of %s", row.id);
    return 0;
}
