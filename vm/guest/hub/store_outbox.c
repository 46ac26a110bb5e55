/* See outbox.h. The database of the outbox: opening, a damaged one set aside, the transaction of a
 * turn. */
#include "vm/guest/hub/store_outbox.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DONES_BATCH    256        /* so many are reason enough to commit */
#define DONES_KEEP     4096       /* room for more is not kept */
#define UNMEASURED_MAX (1U << 20) /* bytes that were added */
#define RESERVE        (8U << 20) /* more than is in the journal */
#define PAGE           4096       /* SQLite's own choice */

#define ENDPOINTS_MAX (1U << 16) /* more can only be a damaged database */

/* An entry is a message in a queue. A message's entries are marked as shared where it has several;
 * only these are in an index by message, which tells when the last one goes. */
#define SCHEMA                                                                                 \
    "CREATE TABLE IF NOT EXISTS endpoint (id INTEGER PRIMARY KEY, name TEXT NOT NULL);"        \
    "CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, added_ms INT NOT NULL,"       \
    " created_ms INT NOT NULL, kind INT NOT NULL, device TEXT NOT NULL, module TEXT NOT NULL," \
    " output TEXT NOT NULL, bag TEXT NOT NULL, body BLOB NOT NULL);"                           \
    "CREATE TABLE IF NOT EXISTS entry (queue INT NOT NULL, id INT NOT NULL,"                   \
    " expires_ms INT NOT NULL, shared INT NOT NULL, PRIMARY KEY (queue, id)) WITHOUT ROWID;"   \
    "CREATE INDEX IF NOT EXISTS entry_shared ON entry (id) WHERE shared;"

/* Senders come and go over the years. */
#define FORGET                                                   \
    "DELETE FROM endpoint WHERE NOT EXISTS (SELECT 1 FROM entry" \
    " WHERE queue BETWEEN endpoint.id * 16 AND endpoint.id * 16 + 15)"

#define HEADER "m.created_ms, m.kind, m.device, m.module, m.output, m.bag"

static const char *const queries[] = {
    [OUTBOX_Q_ENDPOINTS] = "SELECT id, name FROM endpoint ORDER BY id",
    [OUTBOX_Q_ENDPOINT_PUT] = "INSERT INTO endpoint (id, name) VALUES (?1, ?2)",
    [OUTBOX_Q_QUEUES] = "SELECT queue, count(*), max(id) FROM entry GROUP BY queue",
    [OUTBOX_Q_LAST] = "SELECT id, added_ms FROM message ORDER BY id DESC LIMIT 1",
    [OUTBOX_Q_PAGES] = "PRAGMA page_count",
    [OUTBOX_Q_FREE_PAGES] = "PRAGMA freelist_count",
    [OUTBOX_Q_MESSAGE_PUT] = "INSERT INTO message (id, added_ms, created_ms, kind, device, module,"
                             " output, bag, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [OUTBOX_Q_ENTRY_PUT] = "INSERT INTO entry VALUES (?1, ?2, ?3, ?4)",
    [OUTBOX_Q_NEXT] =
        "SELECT e.id, e.shared, " HEADER ", m.body FROM entry e CROSS JOIN message m"
        " WHERE e.queue = ?1 AND e.id > ?2 AND e.id <= ?3 AND m.id = e.id ORDER BY e.id LIMIT 1",
    [OUTBOX_Q_GET] = "SELECT " HEADER ", m.body FROM message m WHERE m.id = ?1",
    [OUTBOX_Q_ENTRY_DELETE] = "DELETE FROM entry WHERE queue = ?1 AND id = ?2",
    [OUTBOX_Q_MESSAGE_DELETE] = "DELETE FROM message WHERE id = ?1",
    [OUTBOX_Q_SHARED_DELETE] = "DELETE FROM message WHERE id = ?1 AND NOT EXISTS"
                               " (SELECT 1 FROM entry WHERE id = ?1 AND shared)",
    [OUTBOX_Q_SWEEP] = "SELECT queue, id, expires_ms, shared FROM entry"
                       " WHERE (queue, id) > (?1, ?2) ORDER BY queue, id LIMIT ?3",
    [OUTBOX_Q_HEADER] = "SELECT " HEADER " FROM message m WHERE m.id = ?1",
    [OUTBOX_Q_DROP_OWN] = "DELETE FROM message WHERE id IN"
                          " (SELECT id FROM entry WHERE queue BETWEEN ?1 AND ?2 AND NOT shared)",
    [OUTBOX_Q_DROP_SHARED] =
        "DELETE FROM message WHERE id IN (SELECT id FROM entry e WHERE queue BETWEEN ?1 AND ?2"
        " AND shared AND NOT EXISTS (SELECT 1 FROM entry f WHERE f.id = e.id AND f.shared"
        " AND f.queue NOT BETWEEN ?1 AND ?2))",
    [OUTBOX_Q_DROP_ENTRIES] = "DELETE FROM entry WHERE queue BETWEEN ?1 AND ?2",
};
_Static_assert(ARRAY_LEN(queries) == OUTBOX_Q_COUNT, "a text for each query");

static const struct store_part outbox_part = {
    .schema = SCHEMA,
    .queries = queries,
    .n_queries = OUTBOX_Q_COUNT,
};
static const struct store_part *const outbox_parts[] = {&outbox_part};

/* One process has it: no shared memory, which a full disk would turn into a fatal signal. */
static const struct store_kind outbox_kind = {
    .parts = outbox_parts,
    .n_parts = ARRAY_LEN(outbox_parts),
    .version = 1,
    .pragmas = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA auto_vacuum=INCREMENTAL;"
               "PRAGMA cache_size=-2048; PRAGMA secure_delete=OFF;"
               "PRAGMA wal_autocheckpoint=1000; PRAGMA journal_size_limit=16777216;",
};

sqlite3_stmt *outbox_query(struct outbox *o, enum outbox_query q)
{
    return store_query(o->store, &outbox_part, q, NULL, NULL);
}

uint64_t outbox_now(const struct outbox *o)
{
    return o->base_wall_ms + (o->mono_ms() - o->base_mono_ms);
}

/* ---- room on a full disk ----
 *
 * To let go of what was delivered takes room, too: in the journal, and in the database for what is
 * in the journal only. The journal's file therefore stays when it is closed; and a file that holds
 * nothing is there to be deleted when the disk is full. The database takes its room at once. Until
 * the file could be made again, nothing new is taken. */

static void keep_journal(sqlite3 *db)
{
    int on = 1;

    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
}

static void use_reserve(struct outbox *o)
{
    (void)unlink(o->reserve);
    o->full = true;
    (void)sqlite3_exec(o->store->db, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL);
}

void outbox_make_reserve(struct outbox *o)
{
    auto_close int fd = open(o->reserve, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    o->full = fd < 0 || posix_fallocate(fd, 0, RESERVE) != 0;
    if (o->full)
        (void)unlink(o->reserve);
}

/* ---- opening ---- */

/* ERR_PROTOCOL: SQLite finds nothing wrong, we do. */
static int fail_damaged(sqlite3_stmt *stmt, const char *what, struct err *err)
{
    (void)sqlite3_reset(stmt);
    return err_set(err, ERR_PROTOCOL, "database: %s", what);
}

static int load_endpoints(struct outbox *o, struct err *err)
{
    sqlite3_stmt *stmt = outbox_query(o, OUTBOX_Q_ENDPOINTS);
    int row;

    for (size_t i = 0; i < o->n_endpoints; i++)
        o->endpoints[i].stored = false;
    while ((row = store_step(o->store, stmt, err)) > 0) {
        uint64_t number = store_column_u64(stmt, 0);
        const char *name = store_column(stmt, 1);
        struct outbox_endpoint *e = NULL;

        if (number < o->n_endpoints && o->endpoints[number].name)
            e = &o->endpoints[number];
        else if (number < ENDPOINTS_MAX)
            e = outbox_endpoint_put(o, (unsigned)number, name);
        if (!e || !str_eq(e->name, name))
            return fail_damaged(stmt, "its endpoints are numbered wrongly", err);
        e->stored = true;
    }
    return row;
}

static int load_queues(struct outbox *o, struct err *err)
{
    sqlite3_stmt *stmt = outbox_query(o, OUTBOX_Q_QUEUES);
    int row;

    for (size_t i = 0; i < o->n_endpoints; i++)
        for (unsigned p = 0; p < ROUTE_PRIORITIES; p++) {
            struct outbox_queue *q = &o->endpoints[i].queues[p];

            q->count = q->last = q->added = q->added_last = 0;
        }
    while ((row = store_step(o->store, stmt, err)) > 0) {
        uint64_t number = store_column_u64(stmt, 0);

        if (number / 16 >= o->n_endpoints || !o->endpoints[number / 16].name ||
            number % 16 >= ROUTE_PRIORITIES)
            return fail_damaged(stmt, "it has a queue of no endpoint", err);

        struct outbox_queue *q = &o->endpoints[number / 16].queues[number % 16];

        q->count = store_column_u64(stmt, 1);
        q->last = store_column_u64(stmt, 2);
    }
    for (size_t i = 0; i < o->n_dones; i++)
        o->endpoints[o->dones[i].endpoint].queues[o->dones[i].priority].count--;
    return row;
}

static int read_u64(struct outbox *o, enum outbox_query q, uint64_t *ret, struct err *err)
{
    sqlite3_stmt *stmt = outbox_query(o, q);

    if (store_step(o->store, stmt, err) < 0)
        return -1;
    *ret = store_column_u64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return 0;
}

int outbox_measure(struct outbox *o, struct err *err)
{
    uint64_t pages, free_pages;

    if (read_u64(o, OUTBOX_Q_PAGES, &pages, err) < 0 ||
        read_u64(o, OUTBOX_Q_FREE_PAGES, &free_pages, err) < 0)
        return -1;
    o->bytes = (pages - free_pages) * PAGE;
    o->bytes_added = 0;
    return 0;
}

static int load(struct outbox *o, struct err *err)
{
    o->stale = true;
    if (load_endpoints(o, err) < 0 || load_queues(o, err) < 0 || outbox_measure(o, err) < 0)
        return -1;
    o->stale = false;
    return 0;
}

int outbox_refresh(struct outbox *o, struct err *err)
{
    return o->stale ? load(o, err) : 0;
}

/* Ids go on where they ended. So does time, on a machine whose clock starts anew with it. */
static int load_last(struct outbox *o, struct err *err)
{
    sqlite3_stmt *stmt = outbox_query(o, OUTBOX_Q_LAST);
    int row = store_step(o->store, stmt, err);

    o->next_id = 1;
    if (row > 0) {
        o->next_id = store_column_u64(stmt, 0) + 1;
        if (store_column_u64(stmt, 1) > o->base_wall_ms)
            o->base_wall_ms = store_column_u64(stmt, 1);
        (void)sqlite3_reset(stmt);
    }
    return row < 0 ? -1 : 0;
}

static int open_database(struct outbox *o, const char *path, struct err *err)
{
    if (store_open_kind(&outbox_kind, path, &o->store, err) < 0)
        return -1;
    keep_journal(o->store->db);
    (void)sqlite3_exec(o->store->db, FORGET, NULL, NULL, NULL); /* on a full disk: another time */
    if (load(o, err) == 0)
        return load_last(o, err);
    store_close(steal(o->store));
    return -1;
}

static int open_checked(struct outbox *o, const char *path, struct err *err)
{
    struct err why = {0};

    if (store_check(path, &o->set_aside, err) < 0)
        return -1;
    if (open_database(o, path, &why) == 0)
        return 0;
    if (why.kind == ERR_PROTOCOL && !o->set_aside)
        return store_set_aside(path, &o->set_aside, err) < 0 ? -1 : open_database(o, path, err);
    if (err)
        *err = why;
    return -1;
}

int outbox_open(const char *path, const struct outbox_options *options, struct outbox **ret,
                struct err *err)
{
    static const struct outbox_options defaults;
    struct outbox *o = xcalloc(1, sizeof(*o));

    if (!options)
        options = &defaults;
    o->mono_ms = options->mono_ms ? options->mono_ms : clock_mono_ms;
    o->base_mono_ms = o->mono_ms();
    o->base_wall_ms = options->wall_ms ? options->wall_ms() : clock_wall_ms();
    o->reserve = xasprintf("%s.reserve", path);
    outbox_set_max_bytes(o, options->max_bytes);
    if (open_checked(o, path, err) < 0) {
        outbox_close(o);
        return err_wrap(err, "the message queue %s", path);
    }
    outbox_make_reserve(o);
    *ret = o;
    return 0;
}

void outbox_close(struct outbox *o)
{
    if (!o)
        return;
    if (o->store)
        (void)outbox_flush(o, NULL);
    store_close(o->store);
    for (size_t i = 0; i < o->n_endpoints; i++)
        free(o->endpoints[i].name);
    free(o->endpoints);
    free(o->hashes);
    free(o->touched);
    free(o->dones);
    free(o->set_aside);
    free(o->reserve);
    buf_done(&o->row);
    free(o);
}

const char *outbox_set_aside(const struct outbox *o)
{
    return o->set_aside ? o->set_aside : "";
}

void outbox_set_max_bytes(struct outbox *o, uint64_t max_bytes)
{
    o->max_bytes = max_bytes ? max_bytes : OUTBOX_MAX_BYTES;
}

uint64_t outbox_bytes(const struct outbox *o)
{
    return o->bytes;
}

/* ---- the transaction ---- */

int outbox_change(struct outbox *o, sqlite3_stmt *stmt, struct err *err)
{
    if (!o->failed && store_change(o->store, stmt, &o->failure) < 0)
        o->failed = true;
    if (!o->failed)
        return 0;
    if (err)
        *err = o->failure;
    return -1;
}

/* What the transaction was to bring is there. */
static void after_commit(struct outbox *o)
{
    for (size_t i = 0; i < o->n_touched; i++) {
        struct outbox_endpoint *e = &o->endpoints[o->touched[i]];

        for (unsigned p = 0; p < ROUTE_PRIORITIES; p++) {
            struct outbox_queue *q = &e->queues[p];

            q->count += q->added;
            if (q->added > 0)
                q->last = q->added_last;
            q->added = 0;
        }
        e->touched = false;
    }
    o->adding = false;
    o->n_touched = 0;
    o->n_dones = o->n_applied = 0;
    if (o->cap_dones > DONES_KEEP) {
        free(o->dones);
        o->dones = NULL;
        o->cap_dones = 0;
    }
    /* What was delivered since makes it less, never more: to ask takes longer than a commit. */
    if (o->bytes_added > UNMEASURED_MAX ||
        o->bytes + o->bytes_added + UNMEASURED_MAX > o->max_bytes)
        (void)outbox_measure(o, NULL); /* else it stays as it was */
}

/* Nothing of the transaction is there. */
static void after_failure(struct outbox *o, bool full)
{
    if (!sqlite3_get_autocommit(o->store->db))
        (void)sqlite3_exec(o->store->db, "ROLLBACK", NULL, NULL, NULL);
    o->store->writing = false;
    o->adding = o->failed = false;
    o->n_applied = 0;
    for (size_t i = 0; i < o->n_touched; i++)
        o->endpoints[o->touched[i]].touched = false;
    o->n_touched = 0;
    if (full)
        use_reserve(o);
    (void)load(o, NULL);
}

int outbox_flush(struct outbox *o, struct err *err)
{
    struct err why;

    if (outbox_apply(o, &why) == 0 && store_commit(o->store, &why) == 0) {
        after_commit(o);
        return 0;
    }
    after_failure(o, why.kind == ERR_NO_SPACE);
    if (err)
        *err = why;
    return err_wrap(err, "the message queue");
}

int outbox_flush_aside(struct outbox *o, struct err *err)
{
    bool adding = o->adding || o->failed;
    struct err why;

    if (outbox_flush(o, &why) == 0)
        return 0;
    if (adding) {
        o->failed = true;
        o->failure = why;
    }
    if (err)
        *err = why;
    return -1;
}

int outbox_commit(struct outbox *o, struct err *err)
{
    if (!o->adding && !o->failed && o->n_dones < DONES_BATCH)
        return 0;
    return outbox_flush(o, err);
}
