/* See store.h. The database itself: opening, migration, the transaction of a turn, statements that
 * are prepared once. What the tables hold is in the files of the parts. */
#include "vm/guest/hub/store_private.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define SCHEMA_VERSION 2

enum query { Q_BEGIN, Q_COMMIT, Q_ROLLBACK, Q_MARK, Q_KEEP, Q_UNDO, Q_COUNT };

/* The same name of a savepoint may be used again: the innermost one is meant. */
static const char *const queries[] = {
    [Q_BEGIN] = "BEGIN IMMEDIATE", [Q_COMMIT] = "COMMIT",     [Q_ROLLBACK] = "ROLLBACK",
    [Q_MARK] = "SAVEPOINT part",   [Q_KEEP] = "RELEASE part", [Q_UNDO] = "ROLLBACK TO part",
};
_Static_assert(ARRAY_LEN(queries) == Q_COUNT, "a text for each query");

static const struct store_part transactions = {
    .schema = "", .queries = queries, .n_queries = Q_COUNT};

static const struct store_part *const parts[] = {
    &store_identities, &store_messages, &store_authorities, &store_dps, &store_configurations,
};

/* What brings a database of version N (its index) to version N + 1, before the schema is applied.
 */
static const char *const migrations[SCHEMA_VERSION] = {
    [0] = "",
    [1] = "ALTER TABLE identity ADD COLUMN hub TEXT NOT NULL DEFAULT '';"
          "ALTER TABLE identity ADD COLUMN auth INT NOT NULL DEFAULT 0;"
          "ALTER TABLE identity ADD COLUMN primary_thumbprint TEXT NOT NULL DEFAULT '';"
          "ALTER TABLE identity ADD COLUMN secondary_thumbprint TEXT NOT NULL DEFAULT '';"
          "ALTER TABLE identity ADD COLUMN parents TEXT NOT NULL DEFAULT '';"
          "UPDATE identity SET auth = 3 WHERE no_auth;"
          "ALTER TABLE identity DROP COLUMN no_auth;",
};

static const struct store_kind hub_kind = {
    .parts = parts,
    .n_parts = ARRAY_LEN(parts),
    .version = SCHEMA_VERSION,
    .migrations = migrations,
    .pragmas = "",
};

/* The transactions come first in every kind. */
static const struct store_part *part_at(const struct store *s, size_t i)
{
    return i == 0 ? &transactions : s->kind->parts[i - 1];
}

static int db_err(struct store *s, struct err *err)
{
    int code = sqlite3_errcode(s->db);
    enum err_kind kind = code == SQLITE_FULL   ? ERR_NO_SPACE
                         : code == SQLITE_BUSY ? ERR_BUSY
                                               : ERR_SYSTEM;

    return err_set(err, kind, "database: %s", sqlite3_errmsg(s->db));
}

/* ---- statements ---- */

sqlite3_stmt *store_query(struct store *s, const struct store_part *part, size_t q,
                          const char *first, const char *second)
{
    size_t at = q;

    for (size_t i = 0; i <= s->kind->n_parts && part_at(s, i) != part; i++)
        at += part_at(s, i)->n_queries;

    sqlite3_stmt *stmt = s->stmts[at];

    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    if (first)
        store_bind_text(stmt, 1, first);
    if (second)
        store_bind_text(stmt, 2, second);
    return stmt;
}

void store_bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    (void)sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

void store_bind_u64(sqlite3_stmt *stmt, int at, uint64_t value)
{
    (void)sqlite3_bind_int64(stmt, at, (sqlite3_int64)value);
}

int store_step(struct store *s, sqlite3_stmt *stmt, struct err *err)
{
    int code = sqlite3_step(stmt);

    if (code == SQLITE_ROW)
        return 1;
    if (code != SQLITE_DONE)
        (void)db_err(s, err);
    (void)sqlite3_reset(stmt);
    return code == SQLITE_DONE ? 0 : -1;
}

int store_change(struct store *s, sqlite3_stmt *stmt, struct err *err)
{
    if (!s->writing) {
        if (store_step(s, store_query(s, &transactions, Q_BEGIN, NULL, NULL), err) < 0)
            return -1;
        s->writing = true;
    }
    /* A full disk may have ended the transaction by itself: nothing more of this turn is written.
     */
    if (sqlite3_get_autocommit(s->db))
        return err_set(err, ERR_SYSTEM, "database: the writes were lost");
    return store_step(s, stmt, err);
}

const char *store_column(sqlite3_stmt *stmt, int at)
{
    const unsigned char *text = sqlite3_column_text(stmt, at);

    return text ? (const char *)text : "";
}

uint64_t store_column_u64(sqlite3_stmt *stmt, int at)
{
    return (uint64_t)sqlite3_column_int64(stmt, at);
}

/* ---- open, commit ---- */

/* -1 on failure. */
static int read_version(struct store *s, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    int version = -1;

    if (sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        version = sqlite3_column_int(stmt, 0);
    (void)sqlite3_finalize(stmt);
    if (version < 0)
        return db_err(s, err);
    if (version > s->kind->version)
        return err_set(err, ERR_UNSUPPORTED, "it was written by a newer version of Berth");
    return version;
}

/* One transaction: a crash in it leaves the old database. */
static int migrate(struct store *s, int from, struct err *err)
{
    auto_buf struct buf sql = {0};

    buf_printf(&sql, "BEGIN IMMEDIATE;");
    for (int v = from ? from : s->kind->version; v < s->kind->version; v++)
        buf_printf(&sql, "%s", s->kind->migrations[v]);
    for (size_t i = 0; i <= s->kind->n_parts; i++)
        buf_printf(&sql, "%s", part_at(s, i)->schema);
    if (from != s->kind->version) /* on a full disk, what need not be written can be opened */
        buf_printf(&sql, "PRAGMA user_version=%d;", s->kind->version);
    buf_puts(&sql, "COMMIT;");
    return sqlite3_exec(s->db, sql.data, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_err(s, err);
}

static int prepare_statements(struct store *s, struct err *err)
{
    size_t n = 0, at = 0;

    for (size_t i = 0; i <= s->kind->n_parts; i++)
        n += part_at(s, i)->n_queries;
    s->stmts = xcalloc(n + 1, sizeof(struct sqlite3_stmt *)); /* NULL ends them */
    for (size_t i = 0; i <= s->kind->n_parts; i++)
        for (size_t q = 0; q < part_at(s, i)->n_queries; q++)
            if (sqlite3_prepare_v3(s->db, part_at(s, i)->queries[q], -1, SQLITE_PREPARE_PERSISTENT,
                                   &s->stmts[at++], NULL) != SQLITE_OK)
                return db_err(s, err);
    return 0;
}

static int prepare(struct store *s, struct err *err)
{
    int version;

    if (sqlite3_exec(s->db, s->kind->pragmas, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(s->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;", NULL, NULL,
                     NULL) != SQLITE_OK)
        return db_err(s, err);
    version = read_version(s, err);
    if (version < 0 || migrate(s, version, err) < 0)
        return -1;
    return prepare_statements(s, err);
}

int store_open(const char *path, struct store **ret, struct err *err)
{
    return store_open_kind(&hub_kind, path, ret, err);
}

int store_open_kind(const struct store_kind *kind, const char *path, struct store **ret,
                    struct err *err)
{
    struct store *s = xcalloc(1, sizeof(*s));
    /* SQLite would create it 0644. It gives the journal files the mode of the database. */
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int status = 0;

    if (fd < 0) {
        free(s);
        return err_sys(err, errno, "open %s", path);
    }
    s->kind = kind;
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
    for (size_t i = 0; s->stmts && s->stmts[i]; i++)
        (void)sqlite3_finalize(s->stmts[i]);
    free(s->stmts);
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
    if (store_step(s, store_query(s, &transactions, Q_COMMIT, NULL, NULL), err) < 0) {
        if (!sqlite3_get_autocommit(s->db))
            (void)store_step(s, store_query(s, &transactions, Q_ROLLBACK, NULL, NULL), NULL);
        return -1;
    }
    return 0;
}

int store_begin(struct store *s, struct err *err)
{
    return store_change(s, store_query(s, &transactions, Q_MARK, NULL, NULL), err);
}

int store_end(struct store *s, int status, struct err *err)
{
    if (status < 0)
        (void)store_step(s, store_query(s, &transactions, Q_UNDO, NULL, NULL), NULL);
    if (store_step(s, store_query(s, &transactions, Q_KEEP, NULL, NULL), status < 0 ? NULL : err) <
        0)
        return -1;
    return status;
}
