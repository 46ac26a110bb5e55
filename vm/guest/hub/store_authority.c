/* The certificates of the authorities that sign devices' certificates; see store.h. */
#include "vm/guest/hub/store_private.h"

#define SCHEMA \
    "CREATE TABLE IF NOT EXISTS authority (thumbprint TEXT PRIMARY KEY, pem TEXT) WITHOUT ROWID;"

enum query { Q_PUT, Q_DELETE, Q_EACH, Q_COUNT_OTHERS, Q_COUNT };

static const char *const queries[] = {
    [Q_PUT] = "INSERT OR REPLACE INTO authority VALUES (?1, ?2)",
    [Q_DELETE] = "DELETE FROM authority WHERE thumbprint = ?1",
    [Q_EACH] = "SELECT pem FROM authority ORDER BY thumbprint",
    [Q_COUNT_OTHERS] = "SELECT count(*) FROM authority WHERE thumbprint <> ?1",
};
_Static_assert(ARRAY_LEN(queries) == Q_COUNT, "a text for each query");

const struct store_part store_authorities = {
    .schema = SCHEMA,
    .queries = queries,
    .n_queries = Q_COUNT,
};

static sqlite3_stmt *query(struct store *s, enum query q, const char *first, const char *second)
{
    return store_query(s, &store_authorities, q, first, second);
}

int store_authority_put(struct store *s, const char *thumbprint, const char *pem, struct err *err)
{
    return store_change(s, query(s, Q_PUT, thumbprint, pem), err);
}

int store_authority_delete(struct store *s, const char *thumbprint, struct err *err)
{
    if (store_change(s, query(s, Q_DELETE, thumbprint, NULL), err) < 0)
        return -1;
    if (sqlite3_changes(s->db) == 0)
        return err_set(err, ERR_NOT_FOUND, "no authority %s", thumbprint);
    return 0;
}

int store_authority_each(struct store *s, void (*fn)(void *arg, const char *pem), void *arg,
                         struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_EACH, NULL, NULL);
    int row;

    while ((row = store_step(s, stmt, err)) > 0)
        fn(arg, store_column(stmt, 0));
    return row;
}

int store_authority_count(struct store *s, const char *but, uint64_t *ret, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_COUNT_OTHERS, but, NULL);

    if (store_step(s, stmt, err) < 0)
        return -1;
    *ret = store_column_u64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return 0;
}
