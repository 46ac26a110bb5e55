/* See store_c2d.h. */
#include "vm/guest/hub/store_c2d.h"

#include "core/base/str.h"
#include "vm/guest/hub/store_private.h"

/* AUTOINCREMENT: an id is never used twice, so that one in flight cannot come to mean another. */
#define SCHEMA                                                                         \
    "CREATE TABLE IF NOT EXISTS c2d (id INTEGER PRIMARY KEY AUTOINCREMENT,"            \
    " device TEXT, message_id TEXT, ack INT, expiry_ms INT, deliveries INT, bag TEXT," \
    " body BLOB);"                                                                     \
    "CREATE INDEX IF NOT EXISTS c2d_device ON c2d (device, id);"                       \
    "CREATE INDEX IF NOT EXISTS c2d_expiry ON c2d (expiry_ms);"                        \
    "CREATE TABLE IF NOT EXISTS feedback (seq INTEGER PRIMARY KEY AUTOINCREMENT,"      \
    " at_ms INT, device TEXT, generation TEXT, message_id TEXT, status TEXT);"

#define COLUMNS "id, device, message_id, ack, expiry_ms, deliveries, bag, body"

enum query {
    Q_ADD,
    Q_NEXT,
    Q_GET,
    Q_EXPIRED,
    Q_DELIVERIES,
    Q_DELETE,
    Q_NUMBER,
    Q_NEXT_EXPIRY,
    Q_FORGET,
    Q_FEEDBACK_ADD,
    Q_FEEDBACK_TRIM,
    Q_FEEDBACK_EACH,
    Q_COUNT
};

static const char *const queries[] = {
    [Q_ADD] = "INSERT INTO c2d (device, message_id, ack, expiry_ms, deliveries, bag, body)"
              " VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6)",
    [Q_NEXT] = "SELECT " COLUMNS " FROM c2d WHERE device = ?1 AND id > ?3 ORDER BY id LIMIT 1",
    [Q_GET] = "SELECT " COLUMNS " FROM c2d WHERE id = ?3",
    [Q_EXPIRED] = "SELECT " COLUMNS " FROM c2d WHERE expiry_ms <= ?3 ORDER BY expiry_ms LIMIT 1",
    [Q_DELIVERIES] = "UPDATE c2d SET deliveries = ?4 WHERE id = ?3",
    [Q_DELETE] = "DELETE FROM c2d WHERE id = ?3",
    [Q_NUMBER] = "SELECT count(*) FROM c2d WHERE device = ?1",
    [Q_NEXT_EXPIRY] = "SELECT min(expiry_ms) FROM c2d",
    [Q_FORGET] = "DELETE FROM c2d WHERE device = ?1",
    [Q_FEEDBACK_ADD] = "INSERT INTO feedback (at_ms, device, generation, message_id, status)"
                       " VALUES (?3, ?1, ?2, ?4, ?5)",
    [Q_FEEDBACK_TRIM] = "DELETE FROM feedback WHERE seq <= (SELECT max(seq) FROM feedback) - ?3",
    [Q_FEEDBACK_EACH] = "SELECT seq, at_ms, device, generation, message_id, status FROM feedback"
                        " WHERE seq > ?3 ORDER BY seq LIMIT ?4",
};
_Static_assert(ARRAY_LEN(queries) == Q_COUNT, "a text for each query");

const struct store_part store_messages = {
    .schema = SCHEMA,
    .queries = queries,
    .n_queries = Q_COUNT,
};

static sqlite3_stmt *query(struct store *s, enum query q, const char *first, const char *second)
{
    return store_query(s, &store_messages, q, first, second);
}

/* For statements whose only argument is a number. */
static sqlite3_stmt *query_number(struct store *s, enum query q, uint64_t number)
{
    sqlite3_stmt *stmt = query(s, q, NULL, NULL);

    store_bind_u64(stmt, 3, number);
    return stmt;
}

void c2d_row_done(struct c2d_row *row)
{
    buf_done(&row->bag);
    buf_done(&row->body);
}

int store_c2d_add(struct store *s, const struct c2d_row *row, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_ADD, row->device, row->message_id);

    store_bind_u64(stmt, 3, row->ack);
    store_bind_u64(stmt, 4, row->expiry_ms);
    store_bind_text(stmt, 5, buf_str(&row->bag));
    (void)sqlite3_bind_blob(stmt, 6, buf_str(&row->body), (int)row->body.len, SQLITE_STATIC);
    return store_change(s, stmt, err);
}

static int read_row(struct store *s, sqlite3_stmt *stmt, struct c2d_row *row, struct err *err)
{
    int found = store_step(s, stmt, err);

    if (found <= 0)
        return found;
    row->id = store_column_u64(stmt, 0);
    STR_SET(row->device, store_column(stmt, 1));
    STR_SET(row->message_id, store_column(stmt, 2));
    row->ack = (enum c2d_ack)store_column_u64(stmt, 3);
    row->expiry_ms = store_column_u64(stmt, 4);
    row->deliveries = (unsigned)store_column_u64(stmt, 5);
    buf_puts(&row->bag, store_column(stmt, 6));
    buf_append(&row->body, sqlite3_column_blob(stmt, 7), (size_t)sqlite3_column_bytes(stmt, 7));
    (void)sqlite3_reset(stmt);
    return 1;
}

int store_c2d_next(struct store *s, const char *device, uint64_t after, struct c2d_row *ret,
                   struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_NEXT, device, NULL);

    store_bind_u64(stmt, 3, after);
    return read_row(s, stmt, ret, err);
}

int store_c2d_get(struct store *s, uint64_t id, struct c2d_row *ret, struct err *err)
{
    return read_row(s, query_number(s, Q_GET, id), ret, err);
}

int store_c2d_expired(struct store *s, uint64_t now_ms, struct c2d_row *ret, struct err *err)
{
    return read_row(s, query_number(s, Q_EXPIRED, now_ms), ret, err);
}

int store_c2d_set_deliveries(struct store *s, uint64_t id, unsigned deliveries, struct err *err)
{
    sqlite3_stmt *stmt = query_number(s, Q_DELIVERIES, id);

    store_bind_u64(stmt, 4, deliveries);
    return store_change(s, stmt, err);
}

int store_c2d_delete(struct store *s, uint64_t id, struct err *err)
{
    return store_change(s, query_number(s, Q_DELETE, id), err);
}

int store_c2d_count(struct store *s, const char *device, uint64_t *ret, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_NUMBER, device, NULL);

    if (store_step(s, stmt, err) < 0)
        return -1;
    *ret = store_column_u64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return 0;
}

int store_c2d_next_expiry(struct store *s, uint64_t *ret_ms, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_NEXT_EXPIRY, NULL, NULL);

    if (store_step(s, stmt, err) < 0)
        return -1;
    *ret_ms = sqlite3_column_type(stmt, 0) == SQLITE_NULL ? UINT64_MAX : store_column_u64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return 0;
}

int store_c2d_forget(struct store *s, const char *device, struct err *err)
{
    return store_change(s, query(s, Q_FORGET, device, NULL), err);
}

int store_feedback_add(struct store *s, const struct c2d_feedback *f, uint64_t keep,
                       struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_FEEDBACK_ADD, f->device, f->generation);

    store_bind_u64(stmt, 3, f->at_ms);
    store_bind_text(stmt, 4, f->message_id);
    store_bind_text(stmt, 5, f->status);
    if (store_change(s, stmt, err) < 0)
        return -1;
    return store_change(s, query_number(s, Q_FEEDBACK_TRIM, keep), err);
}

int store_feedback_each(struct store *s, uint64_t after, uint64_t max,
                        void (*fn)(void *arg, const struct c2d_feedback *f), void *arg,
                        struct err *err)
{
    sqlite3_stmt *stmt = query_number(s, Q_FEEDBACK_EACH, after);
    int row;

    store_bind_u64(stmt, 4, max);
    while ((row = store_step(s, stmt, err)) > 0) {
        struct c2d_feedback f = {.seq = store_column_u64(stmt, 0),
                                 .at_ms = store_column_u64(stmt, 1)};

        STR_SET(f.device, store_column(stmt, 2));
        STR_SET(f.generation, store_column(stmt, 3));
        STR_SET(f.message_id, store_column(stmt, 4));
        STR_SET(f.status, store_column(stmt, 5));
        fn(arg, &f);
    }
    return row;
}
