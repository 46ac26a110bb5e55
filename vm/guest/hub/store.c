/* See store.h. Statements are prepared once; each public function is one statement, or two in the
 * transaction that is open anyway. */
#include "vm/guest/hub/store.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS identity (device TEXT, module TEXT, generation TEXT, managed_by "
    "TEXT,"
    " status_reason TEXT, primary_key TEXT, secondary_key TEXT, version INT, disabled INT,"
    " iot_edge INT, no_auth INT, created_ms INT, status_ms INT, PRIMARY KEY (device, module))"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS twin (device TEXT, module TEXT, version INT, tags TEXT, desired "
    "TEXT,"
    " desired_meta TEXT, desired_version INT, reported TEXT, reported_meta TEXT,"
    " reported_version INT, PRIMARY KEY (device, module)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS session (device TEXT, module TEXT, subs INT,"
    " PRIMARY KEY (device, module)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;";

#define SCHEMA_VERSION 1
#define IDENTITY_COLUMNS                                                                          \
    "device, module, generation, managed_by, status_reason, primary_key, secondary_key, version," \
    " disabled, iot_edge, no_auth, created_ms, status_ms"

enum query {
    Q_BEGIN,
    Q_COMMIT,
    Q_ROLLBACK,
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
    [Q_BEGIN] = "BEGIN IMMEDIATE",
    [Q_COMMIT] = "COMMIT",
    [Q_ROLLBACK] = "ROLLBACK",
    [Q_IDENTITY_GET] =
        "SELECT " IDENTITY_COLUMNS " FROM identity WHERE device = ?1 AND module = ?2",
    [Q_IDENTITY_PUT] = "INSERT OR REPLACE INTO identity (" IDENTITY_COLUMNS
                       ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
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

struct store {
    sqlite3 *db;
    sqlite3_stmt *stmts[Q_COUNT];
    bool writing; /* a transaction is open */
};

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

static int db_err(struct store *s, struct err *err)
{
    int code = sqlite3_errcode(s->db);
    enum err_kind kind = code == SQLITE_FULL ? ERR_NO_SPACE : ERR_SYSTEM;

    return err_set(err, kind, "database: %s", sqlite3_errmsg(s->db));
}

/* ------------------------------------------------------------------------------------------
 * statements */

/* A statement with ?1 and ?2 bound; NULL binds null. Texts are borrowed until it is reset. */
static sqlite3_stmt *query(struct store *s, enum query q, const char *first, const char *second)
{
    sqlite3_stmt *stmt = s->stmts[q];

    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    if (first)
        (void)sqlite3_bind_text(stmt, 1, first, -1, SQLITE_STATIC);
    if (second)
        (void)sqlite3_bind_text(stmt, 2, second, -1, SQLITE_STATIC);
    return stmt;
}

static void bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    (void)sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

static void bind_u64(sqlite3_stmt *stmt, int at, uint64_t value)
{
    (void)sqlite3_bind_int64(stmt, at, (sqlite3_int64)value);
}

/* 1: a row, 0: none (any more), -1. */
static int step(struct store *s, sqlite3_stmt *stmt, struct err *err)
{
    int code = sqlite3_step(stmt);

    if (code == SQLITE_ROW)
        return 1;
    if (code != SQLITE_DONE)
        (void)db_err(s, err);
    (void)sqlite3_reset(stmt);
    return code == SQLITE_DONE ? 0 : -1;
}

/* Runs a statement that changes something, within the open transaction. */
static int change(struct store *s, sqlite3_stmt *stmt, struct err *err)
{
    if (!s->writing) {
        if (step(s, query(s, Q_BEGIN, NULL, NULL), err) < 0)
            return -1;
        s->writing = true;
    }
    return step(s, stmt, err);
}

static const char *column(sqlite3_stmt *stmt, int at)
{
    const unsigned char *text = sqlite3_column_text(stmt, at);

    return text ? (const char *)text : "";
}

static uint64_t column_u64(sqlite3_stmt *stmt, int at)
{
    return (uint64_t)sqlite3_column_int64(stmt, at);
}

/* ------------------------------------------------------------------------------------------ open,
 * commit */

static int check_version(struct store *s, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    int version = -1;

    if (sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        version = sqlite3_column_int(stmt, 0);
    (void)sqlite3_finalize(stmt);
    if (version < 0)
        return db_err(s, err);
    if (version > SCHEMA_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "it was written by a newer version of Berth");
    return 0;
}

static int prepare(struct store *s, struct err *err)
{
    if (sqlite3_exec(s->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;", NULL, NULL,
                     NULL) != SQLITE_OK ||
        check_version(s, err) < 0)
        return err && err->kind == ERR_UNSUPPORTED ? -1 : db_err(s, err);
    if (sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(s->db, "PRAGMA user_version=1", NULL, NULL, NULL) != SQLITE_OK)
        return db_err(s, err);
    for (int q = 0; q < Q_COUNT; q++)
        if (sqlite3_prepare_v3(s->db, queries[q], -1, SQLITE_PREPARE_PERSISTENT, &s->stmts[q],
                               NULL) != SQLITE_OK)
            return db_err(s, err);
    return 0;
}

int store_open(const char *path, struct store **ret, struct err *err)
{
    struct store *s = xcalloc(1, sizeof(*s));
    /* SQLite would create it 0644. It gives the journal files the mode of the database. */
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int status = 0;

    if (fd < 0) {
        free(s);
        return err_sys(err, errno, "open %s", path);
    }
    if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        status = db_err(s, err);
    if (status == 0)
        status = prepare(s, err);
    if (status < 0) {
        store_close(s);
        return err_wrap(err, "open %s", path);
    }
    *ret = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->writing)
        (void)store_commit(s, NULL);
    for (int q = 0; q < Q_COUNT; q++)
        (void)sqlite3_finalize(s->stmts[q]);
    (void)sqlite3_close(s->db);
    free(s);
}

int store_commit(struct store *s, struct err *err)
{
    if (!s->writing)
        return 0;
    s->writing = false;
    /* A full disk or an I/O error may have rolled all of it back already. */
    if (sqlite3_get_autocommit(s->db))
        return err_set(err, ERR_SYSTEM, "database: the writes were lost");
    if (step(s, query(s, Q_COMMIT, NULL, NULL), err) < 0) {
        if (!sqlite3_get_autocommit(s->db))
            (void)step(s, query(s, Q_ROLLBACK, NULL, NULL), NULL);
        return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------
 * identities */

static void read_identity(sqlite3_stmt *stmt, struct identity *id)
{
    *id = (struct identity){0};
    STR_SET(id->device, column(stmt, 0));
    STR_SET(id->module, column(stmt, 1));
    STR_SET(id->generation, column(stmt, 2));
    STR_SET(id->managed_by, column(stmt, 3));
    STR_SET(id->status_reason, column(stmt, 4));
    STR_SET(id->primary_key, column(stmt, 5));
    STR_SET(id->secondary_key, column(stmt, 6));
    id->version = column_u64(stmt, 7);
    id->disabled = sqlite3_column_int(stmt, 8);
    id->iot_edge = sqlite3_column_int(stmt, 9);
    id->no_auth = sqlite3_column_int(stmt, 10);
    id->created_ms = column_u64(stmt, 11);
    id->status_ms = column_u64(stmt, 12);
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
    int row = step(s, stmt, err);

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

    bind_text(stmt, 3, id->generation);
    bind_text(stmt, 4, id->managed_by);
    bind_text(stmt, 5, id->status_reason);
    bind_text(stmt, 6, id->primary_key);
    bind_text(stmt, 7, id->secondary_key);
    bind_u64(stmt, 8, id->version);
    bind_u64(stmt, 9, id->disabled);
    bind_u64(stmt, 10, id->iot_edge);
    bind_u64(stmt, 11, id->no_auth);
    bind_u64(stmt, 12, id->created_ms);
    bind_u64(stmt, 13, id->status_ms);
    if (change(s, stmt, err) < 0)
        return -1;
    return change(s, query(s, Q_TWIN_NEW, id->device, id->module), err);
}

int store_identity_delete(struct store *s, const char *device, const char *module, struct err *err)
{
    const char *only = module[0] ? module : NULL;

    if (change(s, query(s, Q_IDENTITY_DELETE, device, only), err) < 0)
        return -1;
    if (sqlite3_changes(s->db) == 0)
        return no_identity(device, module, err);
    if (change(s, query(s, Q_TWIN_DELETE, device, only), err) < 0)
        return -1;
    return change(s, query(s, Q_SESSION_DELETE, device, only), err);
}

int store_identity_each(struct store *s, const char *device, const char *after, size_t max,
                        void (*fn)(void *arg, const struct identity *id), void *arg,
                        struct err *err)
{
    sqlite3_stmt *stmt = query(s, device ? Q_MODULES : Q_DEVICES, device, after);
    auto_identity struct identity id = {0};
    int row;

    bind_u64(stmt, 3, max);
    while ((row = step(s, stmt, err)) > 0) {
        read_identity(stmt, &id);
        fn(arg, &id);
    }
    return row;
}

int store_identity_count(struct store *s, const char *device, bool disabled_only, uint64_t *ret,
                         struct err *err)
{
    sqlite3_stmt *stmt = query(s, device ? Q_MODULE_COUNT : Q_DEVICE_COUNT, device, NULL);

    bind_u64(stmt, 3, disabled_only);
    if (step(s, stmt, err) < 0)
        return -1;
    *ret = column_u64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return 0;
}

/* ------------------------------------------------------------------------------------------ twins,
 * sessions, secrets */

int store_twin_get(struct store *s, const char *device, const char *module, struct twin_row *ret,
                   struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_TWIN_GET, device, module);
    int row = step(s, stmt, err);

    if (row < 0)
        return -1;
    if (row == 0)
        return no_identity(device, module, err);
    *ret = (struct twin_row){
        .version = column_u64(stmt, 0),
        .tags = xstrdup(column(stmt, 1)),
        .desired = xstrdup(column(stmt, 2)),
        .desired_meta = xstrdup(column(stmt, 3)),
        .desired_version = column_u64(stmt, 4),
        .reported = xstrdup(column(stmt, 5)),
        .reported_meta = xstrdup(column(stmt, 6)),
        .reported_version = column_u64(stmt, 7),
    };
    (void)sqlite3_reset(stmt);
    return 0;
}

int store_twin_put(struct store *s, const char *device, const char *module,
                   const struct twin_row *t, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_TWIN_PUT, device, module);

    bind_u64(stmt, 3, t->version);
    bind_text(stmt, 4, t->tags);
    bind_text(stmt, 5, t->desired);
    bind_text(stmt, 6, t->desired_meta);
    bind_u64(stmt, 7, t->desired_version);
    bind_text(stmt, 8, t->reported);
    bind_text(stmt, 9, t->reported_meta);
    bind_u64(stmt, 10, t->reported_version);
    return change(s, stmt, err);
}

int store_session_put(struct store *s, const char *device, const char *module, bool keep,
                      unsigned subs, struct err *err)
{
    sqlite3_stmt *stmt = query(s, keep ? Q_SESSION_PUT : Q_SESSION_DELETE, device, module);

    if (keep)
        bind_u64(stmt, 3, subs);
    return change(s, stmt, err);
}

bool store_session_get(struct store *s, const char *device, const char *module, unsigned *ret_subs)
{
    sqlite3_stmt *stmt = query(s, Q_SESSION_GET, device, module);

    if (step(s, stmt, NULL) <= 0)
        return false;
    *ret_subs = (unsigned)column_u64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return true;
}

int store_secret_get(struct store *s, const char *name, struct secret *ret, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_SECRET_GET, name, NULL);
    int row = step(s, stmt, err);

    if (row < 0)
        return -1;
    if (row == 0)
        return err_set(err, ERR_NOT_FOUND, "no key %s", name);
    secret_set(ret, column(stmt, 0), strlen(column(stmt, 0)));
    (void)sqlite3_reset(stmt);
    return 0;
}

int store_secret_put(struct store *s, const char *name, const char *value, struct err *err)
{
    return change(s, query(s, Q_SECRET_PUT, name, value), err);
}
