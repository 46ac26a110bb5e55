#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/store_config.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

static char dir[40];
static char path[60];
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

static void put(const char *device, const char *module)
{
    struct identity id = {.version = 1, .created_ms = 5};

    STR_SET(id.device, device);
    STR_SET(id.module, module);
    STR_SET(id.primary_key, "key");
    cr_assert_eq(store_identity_put(store, &id, NULL), 0);
}

TestSuite(store, .init = setup, .fini = teardown);

Test(store, is_private_to_its_owner)
{
    struct stat st;

    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
}

Test(store, keeps_what_was_committed)
{
    struct identity id;
    struct twin_row twin = {0};

    put("d", "");
    put("d", "m");
    cr_assert_eq(store_commit(store, NULL), 0);
    store_close(store);
    open_it();
    cr_assert_eq(store_identity_get(store, "d", "m", &id, NULL), 0);
    cr_assert_str_eq(id.primary_key, "key");
    cr_assert_eq(id.created_ms, 5);
    cr_assert_eq(store_twin_get(store, "d", "m", &twin, NULL), 0);
    cr_assert_str_eq(twin.desired, "{}");
    twin_row_done(&twin);
}

Test(store, deletes_a_device_with_everything_of_it)
{
    struct identity id;
    struct twin_row twin;
    struct err err = {0};
    unsigned subs;

    put("d", "");
    put("d", "m");
    put("dd", "");
    cr_assert_eq(store_session_put(store, "d", "m", true, 3, NULL), 0);
    cr_assert_eq(store_identity_delete(store, "d", "", NULL), 0);
    cr_assert_eq(store_identity_get(store, "d", "m", &id, &err), -1);
    cr_assert_eq(err.kind, ERR_NOT_FOUND);
    cr_assert_eq(store_twin_get(store, "d", "", &twin, NULL), -1);
    cr_assert_not(store_session_get(store, "d", "m", &subs));
    cr_assert_eq(store_identity_get(store, "dd", "", &id, NULL), 0);
    cr_assert_eq(store_identity_delete(store, "d", "", &err), -1);
}

static void join(void *arg, const struct identity *id)
{
    buf_printf(arg, "%s%s ", id->device, id->module);
}

Test(store, lists_in_order_and_counts)
{
    auto_buf struct buf seen = {0};
    uint64_t n = 0;

    put("b", "");
    put("a", "");
    put("c", "");
    put("a", "y");
    put("a", "x");
    cr_assert_eq(store_identity_each(store, NULL, "a", 10, join, &seen, NULL), 0);
    cr_assert_str_eq(seen.data, "b c ");
    buf_clear(&seen);
    cr_assert_eq(store_identity_each(store, "a", "", 1, join, &seen, NULL), 0);
    cr_assert_str_eq(seen.data, "ax ");
    cr_assert_eq(store_identity_count(store, NULL, false, &n, NULL), 0);
    cr_assert_eq(n, 3);
    cr_assert_eq(store_identity_count(store, "a", false, &n, NULL), 0);
    cr_assert_eq(n, 2);
}

Test(store, is_case_sensitive)
{
    struct identity id;

    put("Dev", "");
    cr_assert_eq(store_identity_get(store, "dev", "", &id, NULL), -1);
}

Test(store, refuses_a_file_that_is_none)
{
    struct store *other = NULL;
    struct err err = {0};
    auto_free char *junk = xasprintf("%s/junk", dir);

    cr_assert_eq(file_write(junk, "this is not a database, is it", 29, 0600, NULL), 0);
    cr_assert_eq(store_open(junk, &other, &err), -1);
    cr_assert(strstr(err.msg, junk), "%s", err.msg);
}

/* What version 1 had, with a device that may not connect. */
Test(store, opens_a_database_of_the_version_before)
{
    static const char old[] =
        "DROP TABLE identity; PRAGMA user_version=1;"
        "CREATE TABLE identity (device TEXT, module TEXT, generation TEXT, managed_by TEXT,"
        " status_reason TEXT, primary_key TEXT, secondary_key TEXT, version INT, disabled INT,"
        " iot_edge INT, no_auth INT, created_ms INT, status_ms INT, PRIMARY KEY (device, module))"
        " WITHOUT ROWID;"
        "INSERT INTO identity VALUES"
        " ('d', '', 'g', '', '', 'p', 's', 7, 0, 1, 1, 5, 6), ('e', '', 'g', '', '', 'p', 's',"
        " 1, 0, 0, 0, 5, 6);";
    struct identity id;
    sqlite3 *db = NULL;

    store_close(store);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, old, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_close(db), SQLITE_OK);
    open_it();
    cr_assert_eq(store_identity_get(store, "d", "", &id, NULL), 0);
    cr_assert_eq(id.auth, IDENTITY_NONE);
    cr_assert_eq(id.version, 7);
    cr_assert(id.iot_edge);
    cr_assert_eq(id.status_ms, 6);
    cr_assert_eq(store_identity_get(store, "e", "", &id, NULL), 0);
    cr_assert_eq(id.auth, IDENTITY_SAS);
    cr_assert_str_eq(id.parents, "");
}

Test(store, does_a_part_as_a_whole_or_not_at_all)
{
    struct identity id;

    put("before", "");
    cr_assert_eq(store_begin(store, NULL), 0);
    put("undone", "");
    cr_assert_eq(store_begin(store, NULL), 0);
    put("inner", "");
    cr_assert_eq(store_end(store, 0, NULL), 0);
    cr_assert_eq(store_end(store, -1, NULL), -1);
    cr_assert_eq(store_begin(store, NULL), 0);
    put("kept", "");
    cr_assert_eq(store_end(store, 0, NULL), 0);
    cr_assert_eq(store_commit(store, NULL), 0);
    cr_assert_eq(store_identity_get(store, "before", "", &id, NULL), 0);
    cr_assert_eq(store_identity_get(store, "undone", "", &id, NULL), -1);
    cr_assert_eq(store_identity_get(store, "inner", "", &id, NULL), -1);
    cr_assert_eq(store_identity_get(store, "kept", "", &id, NULL), 0);
}

static void put_child(const char *device, const char *hub, const char *scope)
{
    struct identity id = {.version = 1};

    STR_SET(id.device, device);
    STR_SET(id.hub, hub);
    STR_SET(id.parents, scope);
    cr_assert_eq(store_identity_put(store, &id, NULL), 0);
}

Test(store, finds_children_and_the_devices_of_a_hub)
{
    auto_buf struct buf seen = {0};
    struct identity id;
    uint64_t n = 0;

    put_child("c", "", "scope");
    put_child("a", "", "scope");
    put_child("b", "other", "");
    put("a", "m");
    cr_assert_eq(store_children_each(store, "scope", "", 10, join, &seen, NULL), 0);
    cr_assert_str_eq(seen.data, "a c ");
    buf_clear(&seen);
    cr_assert_eq(store_children_each(store, "", "", 10, join, &seen, NULL), 0);
    cr_assert_str_eq(buf_str(&seen), "");
    cr_assert_eq(store_hub_each(store, "", "a", 10, join, &seen, NULL), 0);
    cr_assert_str_eq(seen.data, "c ");
    cr_assert_eq(store_hub_count(store, "other", false, &n, NULL), 0);
    cr_assert_eq(n, 1);
    cr_assert_eq(store_children_release(store, "scope", NULL), 0);
    cr_assert_eq(store_identity_get(store, "a", "", &id, NULL), 0);
    cr_assert_str_eq(id.parents, "");
    cr_assert_eq(id.version, 2);
}

static bool join_twin(void *arg, const struct identity *id, const struct twin_row *t)
{
    buf_printf(arg, "%s/%s=%s ", id->device, id->module, t->tags);
    return !str_eq(id->module, "z");
}

Test(store, walks_over_twins)
{
    struct twin_walk walk = {.hub = "", .after_device = "", .after_module = ""};
    auto_buf struct buf seen = {0};

    put("a", "");
    put("a", "y");
    put("a", "x");
    put("b", "");
    put("b", "z");
    put("c", "");
    put("c", "q");
    put_child("o", "other", "");
    put("o", "m");
    cr_assert_eq(store_twin_each(store, &walk, join_twin, &seen, NULL), 0);
    cr_assert_str_eq(seen.data, "a/={} b/={} c/={} ");
    buf_clear(&seen);
    walk.modules = true;
    walk.after_device = "a";
    walk.after_module = "x";
    cr_assert_eq(store_twin_each(store, &walk, join_twin, &seen, NULL), 0);
    cr_assert_str_eq(seen.data, "a/y={} b/z={} "); /* it was told to stop */
}

static void join_target(void *arg, const char *id, bool applied)
{
    buf_printf(arg, "%s%d ", id, applied);
}

static void join_settings(void *arg, const char *module, bool edge, const char *paths)
{
    buf_printf(arg, "%s%d%s ", module, edge, paths);
}

Test(store, keeps_configurations)
{
    struct configuration c = {.kind = CONFIGURATION_LAYERED,
                              .follows_reports = true,
                              .priority = 7,
                              .version = 2,
                              .created_ms = 3,
                              .updated_ms = 4,
                              .condition = (char[]){"*"},
                              .content = (char[]){"{}"},
                              .labels = (char[]){"{\"a\":1}"},
                              .metrics = (char[]){"{}"}};
    struct configuration back = {0};
    struct err err = {0};
    uint64_t n = 0;

    STR_SET(c.id, "c");
    STR_SET(c.schema, "1.0");
    cr_assert_eq(store_configuration_put(store, "", &c, NULL), 0);
    cr_assert_eq(store_configuration_get(store, "", "c", &back, NULL), 0);
    cr_assert_eq(back.kind, CONFIGURATION_LAYERED);
    cr_assert_eq(back.priority, 7);
    cr_assert_eq(back.created_ms, 3);
    cr_assert_str_eq(back.labels, c.labels);
    configuration_done(&back);
    cr_assert_eq(store_configuration_get(store, "other", "c", &back, &err), -1);
    cr_assert_eq(err.kind, ERR_NOT_FOUND);
    cr_assert_eq(store_configuration_count(store, NULL, true, &n, NULL), 0);
    cr_assert_eq(n, 1);
    cr_assert_eq(store_configuration_count(store, "other", false, &n, NULL), 0);
    cr_assert_eq(n, 0);
}

Test(store, forgets_what_was_set_with_the_identity)
{
    auto_buf struct buf seen = {0};

    put("d", "");
    put("d", "m");
    cr_assert_eq(store_target_put(store, "", "d", "", "c1", true, NULL), 0);
    cr_assert_eq(store_target_put(store, "", "d", "m", "c2", false, NULL), 0);
    cr_assert_eq(store_settings_put(store, "d", "m", true, "{}", NULL), 0);
    put("d", ""); /* replaced, not gone */
    cr_assert_eq(store_target_each(store, "d", "", join_target, &seen, NULL), 0);
    cr_assert_eq(store_settings_each(store, "d", join_settings, &seen, NULL), 0);
    cr_assert_str_eq(seen.data, "c11 m1{} ");
    buf_clear(&seen);
    cr_assert_eq(store_identity_delete(store, "d", "m", NULL), 0);
    cr_assert_eq(store_settings_each(store, "d", join_settings, &seen, NULL), 0);
    cr_assert_eq(store_target_each(store, "d", "m", join_target, &seen, NULL), 0);
    cr_assert_eq(store_target_each(store, "d", "", join_target, &seen, NULL), 0);
    cr_assert_str_eq(seen.data, "c11 ");
}
