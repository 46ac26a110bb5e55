/* See edge_store.h. */
#include "vm/guest/hub/edge_store.h"

#include "core/base/mem.h"
#include "vm/guest/hub/store_private.h"

#define SCHEMA                                                                              \
    "CREATE TABLE IF NOT EXISTS session (device TEXT, module TEXT, subs INT NOT NULL,"      \
    " PRIMARY KEY (device, module)) WITHOUT ROWID;"                                         \
    "CREATE TABLE IF NOT EXISTS twin (device TEXT, module TEXT, desired TEXT NOT NULL,"     \
    " desired_version INT NOT NULL, reported TEXT NOT NULL, reported_version INT NOT NULL," \
    " pending TEXT NOT NULL, PRIMARY KEY (device, module));"                                \
    "CREATE INDEX IF NOT EXISTS twin_pending ON twin (device, module) WHERE pending <> '';" \
    "CREATE TABLE IF NOT EXISTS text (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"

#define TWIN_COLUMNS "desired, desired_version, reported, reported_version, pending"

enum query {
    Q_SESSION_GET,
    Q_SESSION_PUT,
    Q_SESSION_DELETE,
    Q_TWIN_GET,
    Q_TWIN_PUT,
    Q_TWIN_DELETE,
    Q_TWIN_PENDING,
    Q_TEXT_GET,
    Q_TEXT_PUT,
    Q_COUNT
};

static const char *const queries[] = {
    [Q_SESSION_GET] = "SELECT subs FROM session WHERE device = ?1 AND module = ?2",
    [Q_SESSION_PUT] = "INSERT OR REPLACE INTO session VALUES (?1, ?2, ?3)",
    [Q_SESSION_DELETE] = "DELETE FROM session WHERE device = ?1 AND module = ?2",
    [Q_TWIN_GET] = "SELECT " TWIN_COLUMNS " FROM twin WHERE device = ?1 AND module = ?2",
    [Q_TWIN_PUT] = "INSERT OR REPLACE INTO twin (device, module, " TWIN_COLUMNS ")"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [Q_TWIN_DELETE] = "DELETE FROM twin WHERE device = ?1 AND module = ?2",
    [Q_TWIN_PENDING] =
        "SELECT device, module FROM twin WHERE pending <> '' ORDER BY device, module",
    [Q_TEXT_GET] = "SELECT value FROM text WHERE name = ?1",
    [Q_TEXT_PUT] = "INSERT OR REPLACE INTO text VALUES (?1, ?2)",
};
_Static_assert(ARRAY_LEN(queries) == Q_COUNT, "a text for each query");

static const struct store_part edge_part = {
    .schema = SCHEMA, .queries = queries, .n_queries = Q_COUNT};
static const struct store_part *const edge_parts[] = {&edge_part};

/* One process has it; see the outbox's. */
static const struct store_kind edge_kind = {
    .parts = edge_parts,
    .n_parts = ARRAY_LEN(edge_parts),
    .version = 1,
    .pragmas = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-1024; PRAGMA secure_delete=OFF;"
               "PRAGMA journal_size_limit=1048576;",
};

struct edge_store {
    struct store *store;
    char *set_aside;
};

int edge_store_open(const char *path, struct edge_store **ret, struct err *err)
{
    struct edge_store *s = xcalloc(1, sizeof(*s));

    if (store_check(path, &s->set_aside, err) < 0 ||
        store_open_kind(&edge_kind, path, &s->store, err) < 0) {
        edge_store_close(s);
        return err_wrap(err, "the edge hub's database %s", path);
    }
    *ret = s;
    return 0;
}

void edge_store_close(struct edge_store *s)
{
    if (!s)
        return;
    store_close(s->store);
    free(s->set_aside);
    free(s);
}

const char *edge_store_set_aside(const struct edge_store *s)
{
    return s->set_aside ? s->set_aside : "";
}

int edge_store_commit(struct edge_store *s, struct err *err)
{
    return store_commit(s->store, err);
}

static sqlite3_stmt *query(struct edge_store *s, enum query q, const char *first,
                           const char *second)
{
    return store_query(s->store, &edge_part, q, first, second);
}

/* Empty text is "", not null. */
static void bind_buf(sqlite3_stmt *stmt, int at, const struct buf *text)
{
    store_bind_text(stmt, at, buf_str(text));
}

/* ---- sessions ---- */

int edge_store_session_put(struct edge_store *s, const char *device, const char *module, bool keep,
                           unsigned subs, struct err *err)
{
    sqlite3_stmt *stmt = query(s, keep ? Q_SESSION_PUT : Q_SESSION_DELETE, device, module);

    if (keep)
        store_bind_u64(stmt, 3, subs);
    return store_change(s->store, stmt, err);
}

bool edge_store_session_get(struct edge_store *s, const char *device, const char *module,
                            unsigned *ret_subs)
{
    sqlite3_stmt *stmt = query(s, Q_SESSION_GET, device, module);

    if (store_step(s->store, stmt, NULL) <= 0)
        return false;
    *ret_subs = (unsigned)store_column_u64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return true;
}

/* ---- twins ---- */

void edge_twin_row_done(struct edge_twin_row *row)
{
    buf_done(&row->desired);
    buf_done(&row->reported);
    buf_done(&row->pending);
}

int edge_store_twin_get(struct edge_store *s, const char *device, const char *module,
                        struct edge_twin_row *ret, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_TWIN_GET, device, module);
    int row = store_step(s->store, stmt, err);

    if (row < 0)
        return -1;
    if (row == 0)
        return err_set(err, ERR_NOT_FOUND, "nothing is known of its twin yet");
    *ret = (struct edge_twin_row){.desired_version = store_column_u64(stmt, 1),
                                  .reported_version = store_column_u64(stmt, 3)};
    buf_puts(&ret->desired, store_column(stmt, 0));
    buf_puts(&ret->reported, store_column(stmt, 2));
    buf_puts(&ret->pending, store_column(stmt, 4));
    (void)sqlite3_reset(stmt);
    return 0;
}

int edge_store_twin_put(struct edge_store *s, const char *device, const char *module,
                        const struct edge_twin_row *row, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_TWIN_PUT, device, module);

    bind_buf(stmt, 3, &row->desired);
    store_bind_u64(stmt, 4, row->desired_version);
    bind_buf(stmt, 5, &row->reported);
    store_bind_u64(stmt, 6, row->reported_version);
    bind_buf(stmt, 7, &row->pending);
    return store_change(s->store, stmt, err);
}

int edge_store_twin_delete(struct edge_store *s, const char *device, const char *module,
                           struct err *err)
{
    return store_change(s->store, query(s, Q_TWIN_DELETE, device, module), err);
}

int edge_store_twin_pending(struct edge_store *s,
                            void (*fn)(void *arg, const char *device, const char *module),
                            void *arg, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_TWIN_PENDING, NULL, NULL);
    int row;

    while ((row = store_step(s->store, stmt, err)) > 0)
        fn(arg, store_column(stmt, 0), store_column(stmt, 1));
    return row;
}

/* ---- texts ---- */

int edge_store_text_put(struct edge_store *s, const char *name, const char *text, size_t len,
                        struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_TEXT_PUT, name, NULL);

    (void)sqlite3_bind_text64(stmt, 2, text, len, SQLITE_STATIC, SQLITE_UTF8);
    return store_change(s->store, stmt, err);
}

int edge_store_text_get(struct edge_store *s, const char *name, struct buf *ret, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_TEXT_GET, name, NULL);
    int row = store_step(s->store, stmt, err);

    if (row < 0)
        return -1;
    if (row == 0)
        return err_set(err, ERR_NOT_FOUND, "%s was never kept", name);
    buf_puts(ret, store_column(stmt, 0));
    (void)sqlite3_reset(stmt);
    return 0;
}
