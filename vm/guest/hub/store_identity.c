/* Identities, their twins, the subscriptions of persistent sessions, and the sandbox's own keys;
 * see store.h. Each public function is one statement, or a few in the transaction that is open
 * anyway. */
#include "vm/guest/hub/store_private.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/store_c2d.h"

#include <string.h>

#define SCHEMA                                                                                  \
    "CREATE TABLE IF NOT EXISTS identity (device TEXT, module TEXT, generation TEXT,"           \
    " managed_by TEXT, status_reason TEXT, primary_key TEXT, secondary_key TEXT, version INT,"  \
    " disabled INT, iot_edge INT, created_ms INT, status_ms INT, hub TEXT NOT NULL DEFAULT ''," \
    " auth INT NOT NULL DEFAULT 0, primary_thumbprint TEXT NOT NULL DEFAULT '',"                \
    " secondary_thumbprint TEXT NOT NULL DEFAULT '', parents TEXT NOT NULL DEFAULT '',"         \
    " PRIMARY KEY (device, module)) WITHOUT ROWID;"                                             \
    "CREATE TABLE IF NOT EXISTS twin (device TEXT, module TEXT, version INT, tags TEXT,"        \
    " desired TEXT, desired_meta TEXT, desired_version INT, reported TEXT, reported_meta TEXT," \
    " reported_version INT, PRIMARY KEY (device, module)) WITHOUT ROWID;"                       \
    "CREATE TABLE IF NOT EXISTS session (device TEXT, module TEXT, subs INT,"                   \
    " PRIMARY KEY (device, module)) WITHOUT ROWID;"                                             \
    "CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"

#define IDENTITY_COLUMNS                                                                          \
    "device, module, generation, managed_by, status_reason, primary_key, secondary_key, version," \
    " disabled, iot_edge, created_ms, status_ms, hub, auth, primary_thumbprint,"                  \
    " secondary_thumbprint, parents"

enum query {
    Q_IDENTITY_GET,
    Q_IDENTITY_PUT,
    Q_IDENTITY_DELETE,
    Q_DEVICES,
    Q_MODULES,
    Q_DEVICE_COUNT,
    Q_MODULE_COUNT,
    Q_TWIN_NEW,
    Q_TWIN_GET,
    Q_TWIN_PUT,
    Q_TWIN_DELETE,
    Q_SESSION_GET,
    Q_SESSION_PUT,
    Q_SESSION_DELETE,
    Q_SECRET_GET,
    Q_SECRET_PUT,
    Q_COUNT
};

/* ?1 and ?2 are device and module throughout; a delete with module NULL takes the device and all
 * modules. */
static const char *const queries[] = {
    [Q_IDENTITY_GET] =
        "SELECT " IDENTITY_COLUMNS " FROM identity WHERE device = ?1 AND module = ?2",
    [Q_IDENTITY_PUT] =
        "INSERT OR REPLACE INTO identity (" IDENTITY_COLUMNS
        ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    [Q_IDENTITY_DELETE] = "DELETE FROM identity WHERE device = ?1 AND (?2 IS NULL OR module = ?2)",
    [Q_DEVICES] = "SELECT " IDENTITY_COLUMNS
                  " FROM identity WHERE module = '' AND device > ?2 ORDER BY device LIMIT ?3",
    [Q_MODULES] = "SELECT " IDENTITY_COLUMNS " FROM identity WHERE device = ?1 AND module <> ''"
                  " AND module > ?2 ORDER BY module LIMIT ?3",
    [Q_DEVICE_COUNT] = "SELECT count(*) FROM identity WHERE module = '' AND disabled >= ?3",
    [Q_MODULE_COUNT] =
        "SELECT count(*) FROM identity WHERE device = ?1 AND module <> '' AND disabled >= ?3",
    [Q_TWIN_NEW] =
        "INSERT OR IGNORE INTO twin VALUES (?1, ?2, 1, '{}', '{}', '{}', 1, '{}', '{}', 1)",
    [Q_TWIN_GET] = "SELECT version, tags, desired, desired_meta, desired_version, reported,"
                   " reported_meta, reported_version FROM twin WHERE device = ?1 AND module = ?2",
    [Q_TWIN_PUT] = "UPDATE twin SET version = ?3, tags = ?4, desired = ?5, desired_meta = ?6,"
                   " desired_version = ?7, reported = ?8, reported_meta = ?9,"
                   " reported_version = ?10 WHERE device = ?1 AND module = ?2",
    [Q_TWIN_DELETE] = "DELETE FROM twin WHERE device = ?1 AND (?2 IS NULL OR module = ?2)",
    [Q_SESSION_GET] = "SELECT subs FROM session WHERE device = ?1 AND module = ?2",
    [Q_SESSION_PUT] = "INSERT OR REPLACE INTO session VALUES (?1, ?2, ?3)",
    [Q_SESSION_DELETE] = "DELETE FROM session WHERE device = ?1 AND (?2 IS NULL OR module = ?2)",
    [Q_SECRET_GET] = "SELECT value FROM secret WHERE name = ?1",
    [Q_SECRET_PUT] = "INSERT OR REPLACE INTO secret VALUES (?1, ?2)",
};
_Static_assert(ARRAY_LEN(queries) == Q_COUNT, "a text for each query");

const struct store_part store_identities = {
    .schema = SCHEMA,
    .queries = queries,
    .n_queries = Q_COUNT,
};

static sqlite3_stmt *query(struct store *s, enum query q, const char *first, const char *second)
{
    return store_query(s, &store_identities, q, first, second);
}

void identity_wipe(struct identity *id)
{
    explicit_bzero(id, sizeof(*id));
}

void twin_row_done(struct twin_row *t)
{
    free(t->tags);
    free(t->desired);
    free(t->desired_meta);
    free(t->reported);
    free(t->reported_meta);
    *t = (struct twin_row){0};
}

/* ------------------------------------------------------------------------------------------
 * identities */

static void read_identity(sqlite3_stmt *stmt, struct identity *id)
{
    *id = (struct identity){0};
    STR_SET(id->device, store_column(stmt, 0));
    STR_SET(id->module, store_column(stmt, 1));
    STR_SET(id->generation, store_column(stmt, 2));
    STR_SET(id->managed_by, store_column(stmt, 3));
    STR_SET(id->status_reason, store_column(stmt, 4));
    STR_SET(id->primary_key, store_column(stmt, 5));
    STR_SET(id->secondary_key, store_column(stmt, 6));
    id->version = store_column_u64(stmt, 7);
    id->disabled = sqlite3_column_int(stmt, 8);
    id->iot_edge = sqlite3_column_int(stmt, 9);
    id->created_ms = store_column_u64(stmt, 10);
    id->status_ms = store_column_u64(stmt, 11);
    STR_SET(id->hub, store_column(stmt, 12));
    id->auth = (enum identity_auth)store_column_u64(stmt, 13);
    STR_SET(id->primary_thumbprint, store_column(stmt, 14));
    STR_SET(id->secondary_thumbprint, store_column(stmt, 15));
    STR_SET(id->parents, store_column(stmt, 16));
}

static int no_identity(const char *device, const char *module, struct err *err)
{
    if (module[0])
        return err_set(err, ERR_NOT_FOUND, "no module %s on device %s", module, device);
    return err_set(err, ERR_NOT_FOUND, "no device %s", device);
}

int store_identity_get(struct store *s, const char *device, const char *module,
                       struct identity *ret, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_IDENTITY_GET, device, module);
    int row = store_step(s, stmt, err);

    if (row < 0)
        return -1;
    if (row == 0)
        return no_identity(device, module, err);
    read_identity(stmt, ret);
    (void)sqlite3_reset(stmt);
    return 0;
}

int store_identity_put(struct store *s, const struct identity *id, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_IDENTITY_PUT, id->device, id->module);

    store_bind_text(stmt, 3, id->generation);
    store_bind_text(stmt, 4, id->managed_by);
    store_bind_text(stmt, 5, id->status_reason);
    store_bind_text(stmt, 6, id->primary_key);
    store_bind_text(stmt, 7, id->secondary_key);
    store_bind_u64(stmt, 8, id->version);
    store_bind_u64(stmt, 9, id->disabled);
    store_bind_u64(stmt, 10, id->iot_edge);
    store_bind_u64(stmt, 11, id->created_ms);
    store_bind_u64(stmt, 12, id->status_ms);
    store_bind_text(stmt, 13, id->hub);
    store_bind_u64(stmt, 14, id->auth);
    store_bind_text(stmt, 15, id->primary_thumbprint);
    store_bind_text(stmt, 16, id->secondary_thumbprint);
    store_bind_text(stmt, 17, id->parents);
    if (store_change(s, stmt, err) < 0)
        return -1;
    return store_change(s, query(s, Q_TWIN_NEW, id->device, id->module), err);
}

int store_identity_delete(struct store *s, const char *device, const char *module, struct err *err)
{
    const char *only = module[0] ? module : NULL;

    if (store_change(s, query(s, Q_IDENTITY_DELETE, device, only), err) < 0)
        return -1;
    if (sqlite3_changes(s->db) == 0)
        return no_identity(device, module, err);
    if (store_change(s, query(s, Q_TWIN_DELETE, device, only), err) < 0)
        return -1;
    if (!only && store_c2d_forget(s, device, err) < 0)
        return -1;
    return store_change(s, query(s, Q_SESSION_DELETE, device, only), err);
}

int store_identity_each(struct store *s, const char *device, const char *after, size_t max,
                        void (*fn)(void *arg, const struct identity *id), void *arg,
                        struct err *err)
{
    sqlite3_stmt *stmt = query(s, device ? Q_MODULES : Q_DEVICES, device, after);
    auto_identity struct identity id = {0};
    int row;

    store_bind_u64(stmt, 3, max);
    while ((row = store_step(s, stmt, err)) > 0) {
        read_identity(stmt, &id);
        fn(arg, &id);
    }
    return row;
}

int store_identity_count(struct store *s, const char *device, bool disabled_only, uint64_t *ret,
                         struct err *err)
{
    sqlite3_stmt *stmt = query(s, device ? Q_MODULE_COUNT : Q_DEVICE_COUNT, device, NULL);

    store_bind_u64(stmt, 3, disabled_only);
    if (store_step(s, stmt, err) < 0)
        return -1;
    *ret = store_column_u64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return 0;
}

/* ------------------------------------------------------------------------------------------ twins,
 * sessions, secrets */

int store_twin_get(struct store *s, const char *device, const char *module, struct twin_row *ret,
                   struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_TWIN_GET, device, module);
    int row = store_step(s, stmt, err);

    if (row < 0)
        return -1;
    if (row == 0)
        return no_identity(device, module, err);
    *ret = (struct twin_row){
        .version = store_column_u64(stmt, 0),
        .tags = xstrdup(store_column(stmt, 1)),
        .desired = xstrdup(store_column(stmt, 2)),
        .desired_meta = xstrdup(store_column(stmt, 3)),
        .desired_version = store_column_u64(stmt, 4),
        .reported = xstrdup(store_column(stmt, 5)),
        .reported_meta = xstrdup(store_column(stmt, 6)),
        .reported_version = store_column_u64(stmt, 7),
    };
    (void)sqlite3_reset(stmt);
    return 0;
}

int store_twin_put(struct store *s, const char *device, const char *module,
                   const struct twin_row *t, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_TWIN_PUT, device, module);

    store_bind_u64(stmt, 3, t->version);
    store_bind_text(stmt, 4, t->tags);
    store_bind_text(stmt, 5, t->desired);
    store_bind_text(stmt, 6, t->desired_meta);
    store_bind_u64(stmt, 7, t->desired_version);
    store_bind_text(stmt, 8, t->reported);
    store_bind_text(stmt, 9, t->reported_meta);
    store_bind_u64(stmt, 10, t->reported_version);
    return store_change(s, stmt, err);
}

int store_session_put(struct store *s, const char *device, const char *module, bool keep,
                      unsigned subs, struct err *err)
{
    sqlite3_stmt *stmt = query(s, keep ? Q_SESSION_PUT : Q_SESSION_DELETE, device, module);

    if (keep)
        store_bind_u64(stmt, 3, subs);
    return store_change(s, stmt, err);
}

bool store_session_get(struct store *s, const char *device, const char *module, unsigned *ret_subs)
{
    sqlite3_stmt *stmt = query(s, Q_SESSION_GET, device, module);

    if (store_step(s, stmt, NULL) <= 0)
        return false;
    *ret_subs = (unsigned)store_column_u64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return true;
}

int store_secret_get(struct store *s, const char *name, struct secret *ret, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_SECRET_GET, name, NULL);
    int row = store_step(s, stmt, err);

    if (row < 0)
        return -1;
    if (row == 0)
        return err_set(err, ERR_NOT_FOUND, "no key %s", name);
    secret_set(ret, store_column(stmt, 0), strlen(store_column(stmt, 0)));
    (void)sqlite3_reset(stmt);
    return 0;
}

int store_secret_put(struct store *s, const char *name, const char *value, struct err *err)
{
    return store_change(s, query(s, Q_SECRET_PUT, name, value), err);
}
