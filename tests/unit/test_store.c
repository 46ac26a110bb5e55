#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/store.h"

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
