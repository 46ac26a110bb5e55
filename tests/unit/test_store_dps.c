#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/store_dps.h"

#include <criterion/criterion.h>
#include <string.h>

static char dir[40], path[60];
static struct store *store;

static void open_it(void)
{
    struct err err = {0};

    cr_assert_eq(store_open(path, &store, &err), 0, "%s", err.msg);
}

static void setup(void)
{
    (void)str_format(dir, sizeof(dir), "/tmp/berth-store-XXXXXX");
    cr_assert(mkdtemp(dir));
    (void)str_format(path, sizeof(path), "%s/hub.db", dir);
    open_it();
}

static void teardown(void)
{
    store_close(store);
    (void)file_remove_tree(dir, NULL);
}

TestSuite(store_dps, .init = setup, .fini = teardown);

static void enrol(bool group, const char *id, const char *type)
{
    auto_enrolment_row struct enrolment_row row = {.group = group, .json = xstrdup("{}")};

    STR_SET(row.id, id);
    STR_SET(row.type, type);
    cr_assert_eq(store_enrolment_put(store, &row, NULL), 0);
}

static void reg(const char *id, const char *group)
{
    struct registration_row row = {.created_ms = 7, .payload = xstrdup("[1]")};

    STR_SET(row.id, id);
    STR_SET(row.group, group);
    STR_SET(row.device, id);
    cr_assert_eq(store_registration_put(store, &row, NULL), 0);
    registration_row_done(&row);
}

static bool append_enrolment(void *arg, const struct enrolment_row *row)
{
    buf_printf(arg, "%s ", row->id);
    return !str_eq(row->id, "stop");
}

static bool append_registration(void *arg, const struct registration_row *row)
{
    buf_printf(arg, "%s ", row->id);
    return true;
}

Test(store_dps, ids_are_the_same_in_upper_and_lower_case)
{
    auto_enrolment_row struct enrolment_row row = {0};
    auto_registration_row struct registration_row r = {0};
    uint64_t n = 0;

    enrol(false, "Pump-1", "tpm");
    enrol(false, "PUMP-1", "x509");
    cr_assert_eq(store_enrolment_count(store, false, &n, NULL), 0);
    cr_assert_eq(n, 1);
    cr_assert_eq(store_enrolment_get(store, false, "pump-1", &row, NULL), 0);
    cr_assert_str_eq(row.type, "x509");
    reg("Pump-1", "");
    cr_assert_eq(store_registration_get(store, "pUMP-1", &r, NULL), 0);
    cr_assert_str_eq(r.id, "Pump-1");
    cr_assert_str_eq(r.payload, "[1]");
}

Test(store_dps, a_group_and_a_device_may_have_one_name)
{
    auto_enrolment_row struct enrolment_row row = {0};
    struct err err = {0};

    enrol(true, "same", "x509");
    cr_assert_eq(store_enrolment_get(store, false, "same", &row, &err), -1);
    cr_assert_eq(err.kind, ERR_NOT_FOUND);
    enrol(false, "same", "tpm");
    cr_assert_eq(store_enrolment_delete(store, true, "same", NULL), 0);
    cr_assert_eq(store_enrolment_get(store, false, "same", &row, NULL), 0);
}

Test(store_dps, pages_in_order_and_stops_when_told)
{
    auto_buf struct buf all = {0};

    enrol(true, "b", "x509");
    enrol(true, "A", "symmetricKey");
    enrol(true, "stop", "symmetricKey");
    enrol(true, "z", "symmetricKey");
    cr_assert_eq(store_enrolment_each(store, true, NULL, "", 2, append_enrolment, &all, NULL), 0);
    cr_assert_str_eq(all.data, "A b ");
    buf_clear(&all);
    cr_assert_eq(
        store_enrolment_each(store, true, "symmetricKey", "a", 9, append_enrolment, &all, NULL), 0);
    cr_assert_str_eq(all.data, "stop ");
}

Test(store_dps, an_enrolment_takes_its_registrations_with_it)
{
    auto_buf struct buf left = {0};
    auto_registration_row struct registration_row r = {0};
    auto_secret struct secret key = {0};
    auto_free char *srk = NULL;

    enrol(true, "g", "x509");
    enrol(false, "one", "tpm");
    reg("d1", "G");
    reg("d2", "g");
    reg("other", "h");
    reg("one", "");
    cr_assert_eq(store_challenge_put(store, "one", "key", "srk", NULL), 0);
    cr_assert_eq(store_registration_each(store, "g", "", 9, append_registration, &left, NULL), 0);
    cr_assert_str_eq(left.data, "d1 d2 ");
    cr_assert_eq(store_enrolment_delete(store, true, "g", NULL), 0);
    cr_assert_eq(store_registration_get(store, "d1", &r, NULL), -1);
    cr_assert_eq(store_enrolment_delete(store, false, "one", NULL), 0);
    cr_assert_eq(store_registration_get(store, "one", &r, NULL), -1);
    cr_assert_eq(store_challenge_get(store, "one", &key, &srk, NULL), -1);
    cr_assert_eq(store_registration_get(store, "other", &r, NULL), 0);
}

Test(store_dps, keeps_what_was_committed)
{
    auto_registration_row struct registration_row r = {0};

    reg("d1", "");
    cr_assert_eq(store_commit(store, NULL), 0);
    store_close(store);
    open_it();
    cr_assert_eq(store_registration_get(store, "d1", &r, NULL), 0);
    cr_assert_eq(r.created_ms, 7);
    cr_assert_eq(r.status, REGISTRATION_ASSIGNED);
}
