/* See store_dps.h. */
#include "vm/guest/hub/store_dps.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/store_private.h"

#include <string.h>

#define SCHEMA                                                                                    \
    "CREATE TABLE IF NOT EXISTS enrolment (grp INT, id TEXT COLLATE NOCASE, type TEXT,"           \
    " etag TEXT, created_ms INT, updated_ms INT, json TEXT, PRIMARY KEY (grp, id))"               \
    " WITHOUT ROWID;"                                                                             \
    "CREATE TABLE IF NOT EXISTS registration (id TEXT COLLATE NOCASE PRIMARY KEY,"                \
    " grp TEXT COLLATE NOCASE, operation TEXT, status INT, substatus INT, device TEXT, hub TEXT," \
    " error_code INT, error TEXT, payload TEXT, etag TEXT, created_ms INT, updated_ms INT)"       \
    " WITHOUT ROWID;"                                                                             \
    "CREATE INDEX IF NOT EXISTS registration_group ON registration (grp, id);"                    \
    "CREATE TABLE IF NOT EXISTS challenge (id TEXT COLLATE NOCASE PRIMARY KEY, key TEXT,"         \
    " srk TEXT) WITHOUT ROWID;"

#define ENROLMENT_COLUMNS "grp, id, type, etag, created_ms, updated_ms, json"
#define REGISTRATION_COLUMNS                                                                \
    "id, grp, operation, status, substatus, device, hub, error_code, error, payload, etag," \
    " created_ms, updated_ms"

enum query {
    Q_ENROLMENT_GET,
    Q_ENROLMENT_PUT,
    Q_ENROLMENT_DELETE,
    Q_ENROLMENT_EACH,
    Q_ENROLMENT_COUNT,
    Q_REGISTRATION_GET,
    Q_REGISTRATION_PUT,
    Q_REGISTRATION_DELETE,
    Q_REGISTRATION_EACH,
    Q_GROUP_FORGET,
    Q_CHALLENGE_GET,
    Q_CHALLENGE_PUT,
    Q_CHALLENGE_DELETE,
    Q_COUNT
};

static const char *const queries[] = {
    [Q_ENROLMENT_GET] = "SELECT " ENROLMENT_COLUMNS " FROM enrolment WHERE grp = ?3 AND id = ?1",
    [Q_ENROLMENT_PUT] = "INSERT OR REPLACE INTO enrolment (" ENROLMENT_COLUMNS
                        ") VALUES (?3, ?1, ?2, ?4, ?5, ?6, ?7)",
    [Q_ENROLMENT_DELETE] = "DELETE FROM enrolment WHERE grp = ?3 AND id = ?1",
    [Q_ENROLMENT_EACH] = "SELECT " ENROLMENT_COLUMNS " FROM enrolment WHERE grp = ?3 AND id > ?1"
                         " AND (?2 IS NULL OR type = ?2) ORDER BY id LIMIT ?4",
    [Q_ENROLMENT_COUNT] = "SELECT count(*) FROM enrolment WHERE grp = ?3",
    [Q_REGISTRATION_GET] = "SELECT " REGISTRATION_COLUMNS " FROM registration WHERE id = ?1",
    [Q_REGISTRATION_PUT] = "INSERT OR REPLACE INTO registration (" REGISTRATION_COLUMNS
                           ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [Q_REGISTRATION_DELETE] = "DELETE FROM registration WHERE id = ?1",
    [Q_REGISTRATION_EACH] = "SELECT " REGISTRATION_COLUMNS
                            " FROM registration WHERE grp = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
    [Q_GROUP_FORGET] = "DELETE FROM registration WHERE grp = ?1",
    [Q_CHALLENGE_GET] = "SELECT key, srk FROM challenge WHERE id = ?1",
    [Q_CHALLENGE_PUT] = "INSERT OR REPLACE INTO challenge VALUES (?1, ?2, ?3)",
    [Q_CHALLENGE_DELETE] = "DELETE FROM challenge WHERE id = ?1",
};
_Static_assert(ARRAY_LEN(queries) == Q_COUNT, "a text for each query");

const struct store_part store_dps = {
    .schema = SCHEMA,
    .queries = queries,
    .n_queries = Q_COUNT,
};

static sqlite3_stmt *query(struct store *s, enum query q, const char *first, const char *second)
{
    return store_query(s, &store_dps, q, first, second);
}

/* ------------------------------------------------------------------------------------------
 * enrolments */

void enrolment_row_done(struct enrolment_row *row)
{
    secret_free(row->json);
    *row = (struct enrolment_row){0};
}

static void read_enrolment(sqlite3_stmt *stmt, struct enrolment_row *row)
{
    row->group = sqlite3_column_int(stmt, 0);
    STR_SET(row->id, store_column(stmt, 1));
    STR_SET(row->type, store_column(stmt, 2));
    STR_SET(row->etag, store_column(stmt, 3));
    row->created_ms = store_column_u64(stmt, 4);
    row->updated_ms = store_column_u64(stmt, 5);
    row->json = xstrdup(store_column(stmt, 6));
}

static int no_enrolment(bool group, const char *id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "no enrolment%s %s", group ? " group" : "", id);
}

int store_enrolment_get(struct store *s, bool group, const char *id, struct enrolment_row *ret,
                        struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_ENROLMENT_GET, id, NULL);

    store_bind_u64(stmt, 3, group);

    int row = store_step(s, stmt, err);

    if (row < 0)
        return -1;
    if (row == 0)
        return no_enrolment(group, id, err);
    read_enrolment(stmt, ret);
    (void)sqlite3_reset(stmt);
    return 0;
}

int store_enrolment_put(struct store *s, const struct enrolment_row *row, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_ENROLMENT_PUT, row->id, row->type);

    store_bind_u64(stmt, 3, row->group);
    store_bind_text(stmt, 4, row->etag);
    store_bind_u64(stmt, 5, row->created_ms);
    store_bind_u64(stmt, 6, row->updated_ms);
    store_bind_text(stmt, 7, row->json);
    return store_change(s, stmt, err);
}

int store_enrolment_delete(struct store *s, bool group, const char *id, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_ENROLMENT_DELETE, id, NULL);

    store_bind_u64(stmt, 3, group);
    if (store_change(s, stmt, err) < 0)
        return -1;
    if (sqlite3_changes(s->db) == 0)
        return no_enrolment(group, id, err);
    if (group)
        return store_change(s, query(s, Q_GROUP_FORGET, id, NULL), err);
    if (store_change(s, query(s, Q_CHALLENGE_DELETE, id, NULL), err) < 0)
        return -1;
    return store_change(s, query(s, Q_REGISTRATION_DELETE, id, NULL), err);
}

int store_enrolment_each(struct store *s, bool group, const char *type, const char *after,
                         size_t max, bool (*fn)(void *arg, const struct enrolment_row *row),
                         void *arg, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_ENROLMENT_EACH, after, type);
    bool more = true;
    int found = 0;

    store_bind_u64(stmt, 3, group);
    store_bind_u64(stmt, 4, max);
    while (more && (found = store_step(s, stmt, err)) > 0) {
        auto_enrolment_row struct enrolment_row row = {0};

        read_enrolment(stmt, &row);
        more = fn(arg, &row);
    }
    (void)sqlite3_reset(stmt);
    return found < 0 ? -1 : 0;
}

int store_enrolment_count(struct store *s, bool group, uint64_t *ret, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_ENROLMENT_COUNT, NULL, NULL);

    store_bind_u64(stmt, 3, group);
    if (store_step(s, stmt, err) < 0)
        return -1;
    *ret = store_column_u64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return 0;
}

/* ------------------------------------------------------------------------------------------
 * registrations */

void registration_row_done(struct registration_row *row)
{
    free(row->payload);
    *row = (struct registration_row){0};
}

static void read_registration(sqlite3_stmt *stmt, struct registration_row *row)
{
    const char *payload = store_column(stmt, 9);

    *row = (struct registration_row){0};
    STR_SET(row->id, store_column(stmt, 0));
    STR_SET(row->group, store_column(stmt, 1));
    STR_SET(row->operation, store_column(stmt, 2));
    row->status = (enum registration_status)store_column_u64(stmt, 3);
    row->substatus = (enum registration_substatus)store_column_u64(stmt, 4);
    STR_SET(row->device, store_column(stmt, 5));
    STR_SET(row->hub, store_column(stmt, 6));
    row->error_code = (unsigned)store_column_u64(stmt, 7);
    STR_SET(row->error, store_column(stmt, 8));
    row->payload = payload[0] ? xstrdup(payload) : NULL;
    STR_SET(row->etag, store_column(stmt, 10));
    row->created_ms = store_column_u64(stmt, 11);
    row->updated_ms = store_column_u64(stmt, 12);
}

static int no_registration(const char *id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "%s has not registered", id);
}

int store_registration_get(struct store *s, const char *id, struct registration_row *ret,
                           struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_REGISTRATION_GET, id, NULL);
    int row = store_step(s, stmt, err);

    if (row < 0)
        return -1;
    if (row == 0)
        return no_registration(id, err);
    read_registration(stmt, ret);
    (void)sqlite3_reset(stmt);
    return 0;
}

int store_registration_put(struct store *s, const struct registration_row *row, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_REGISTRATION_PUT, row->id, row->group);

    store_bind_text(stmt, 3, row->operation);
    store_bind_u64(stmt, 4, row->status);
    store_bind_u64(stmt, 5, row->substatus);
    store_bind_text(stmt, 6, row->device);
    store_bind_text(stmt, 7, row->hub);
    store_bind_u64(stmt, 8, row->error_code);
    store_bind_text(stmt, 9, row->error);
    if (row->payload)
        store_bind_text(stmt, 10, row->payload);
    store_bind_text(stmt, 11, row->etag);
    store_bind_u64(stmt, 12, row->created_ms);
    store_bind_u64(stmt, 13, row->updated_ms);
    return store_change(s, stmt, err);
}

int store_registration_delete(struct store *s, const char *id, struct err *err)
{
    if (store_change(s, query(s, Q_REGISTRATION_DELETE, id, NULL), err) < 0)
        return -1;
    return sqlite3_changes(s->db) == 0 ? no_registration(id, err) : 0;
}

int store_registration_each(struct store *s, const char *group, const char *after, size_t max,
                            bool (*fn)(void *arg, const struct registration_row *row), void *arg,
                            struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_REGISTRATION_EACH, group, after);
    bool more = true;
    int found = 0;

    store_bind_u64(stmt, 3, max);
    while (more && (found = store_step(s, stmt, err)) > 0) {
        auto_registration_row struct registration_row row = {0};

        read_registration(stmt, &row);
        more = fn(arg, &row);
    }
    (void)sqlite3_reset(stmt);
    return found < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------
 * challenges */

int store_challenge_get(struct store *s, const char *id, struct secret *ret_key, char **ret_srk,
                        struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_CHALLENGE_GET, id, NULL);
    int row = store_step(s, stmt, err);

    if (row < 0)
        return -1;
    if (row == 0)
        return err_set(err, ERR_NOT_FOUND, "%s was not challenged", id);
    secret_set(ret_key, store_column(stmt, 0), strlen(store_column(stmt, 0)));
    *ret_srk = xstrdup(store_column(stmt, 1));
    (void)sqlite3_reset(stmt);
    return 0;
}

int store_challenge_put(struct store *s, const char *id, const char *key, const char *srk,
                        struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_CHALLENGE_PUT, id, key);

    store_bind_text(stmt, 3, srk);
    return store_change(s, stmt, err);
}
