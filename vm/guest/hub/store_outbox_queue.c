/* See outbox.h. What goes in and out of the queues. */
#include "vm/guest/hub/store_outbox.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <assert.h>
#include <string.h>

#define OVERHEAD    200         /* of a message in the database, about */
#define ROW_KEEP    (64U << 10) /* a larger buffer is not kept */
#define SWEEP_MAX   4096        /* entries that one sweep looks at */
#define VACUUM_FROM (4U << 20)  /* not worth the work below it */
#define NO_EXPIRY   INT64_MAX

/* ---- endpoints ---- */

struct outbox_endpoint *outbox_endpoint_put(struct outbox *o, unsigned endpoint, const char *name)
{
    if (endpoint >= o->n_endpoints) {
        size_t n = (size_t)endpoint + 1;

        o->endpoints = xreallocarray(o->endpoints, n, sizeof(*o->endpoints));
        o->hashes = xreallocarray(o->hashes, n, sizeof(*o->hashes));
        o->touched = xreallocarray(o->touched, n, sizeof(*o->touched));
        for (; o->n_endpoints < n; o->n_endpoints++, o->n_free++) {
            o->endpoints[o->n_endpoints] = (struct outbox_endpoint){0};
            o->hashes[o->n_endpoints] = 0;
        }
    }
    o->n_free--;
    o->hashes[endpoint] = str_hash(STR_HASH, name);
    o->endpoints[endpoint].name = xstrdup(name);
    return &o->endpoints[endpoint];
}

unsigned outbox_endpoint(struct outbox *o, const char *name)
{
    uint32_t hash = str_hash(STR_HASH, name);
    size_t at = o->n_free > 0 ? 0 : o->n_endpoints;

    for (size_t i = 0; i < o->n_endpoints; i++)
        if (o->hashes[i] == hash && str_eq(o->endpoints[i].name, name))
            return (unsigned)i;
    while (at < o->n_endpoints && o->endpoints[at].name)
        at++;
    (void)outbox_endpoint_put(o, (unsigned)at, name);
    return (unsigned)at;
}

void outbox_each_endpoint(const struct outbox *o,
                          void (*fn)(void *arg, unsigned endpoint, const char *name), void *arg)
{
    for (size_t i = 0; i < o->n_endpoints; i++)
        if (o->endpoints[i].name)
            fn(arg, (unsigned)i, o->endpoints[i].name);
}

static int store_endpoint(struct outbox *o, unsigned endpoint, struct err *err)
{
    struct outbox_endpoint *e = &o->endpoints[endpoint];
    sqlite3_stmt *stmt = outbox_query(o, OUTBOX_Q_ENDPOINT_PUT);

    if (e->stored)
        return 0;
    store_bind_u64(stmt, 1, endpoint);
    store_bind_text(stmt, 2, e->name);
    if (outbox_change(o, stmt, err) < 0)
        return -1;
    e->stored = true;
    return 0;
}

static struct outbox_queue *queue_of(const struct outbox *o, unsigned endpoint, unsigned priority)
{
    assert(endpoint < o->n_endpoints && priority < ROUTE_PRIORITIES);
    return &o->endpoints[endpoint].queues[priority];
}

uint64_t outbox_count(const struct outbox *o, unsigned endpoint, unsigned priority)
{
    return queue_of(o, endpoint, priority)->count;
}

void outbox_each(const struct outbox *o,
                 void (*fn)(void *arg, const char *endpoint, unsigned priority, uint64_t count),
                 void *arg)
{
    for (size_t i = 0; i < o->n_endpoints; i++)
        for (unsigned p = 0; p < ROUTE_PRIORITIES; p++)
            if (o->endpoints[i].queues[p].count > 0)
                fn(arg, o->endpoints[i].name, p, o->endpoints[i].queues[p].count);
}

/* ---- in ---- */

static int put_message(struct outbox *o, const struct edge_message *m, struct err *err)
{
    sqlite3_stmt *stmt = outbox_query(o, OUTBOX_Q_MESSAGE_PUT);

    store_bind_u64(stmt, 1, o->next_id);
    store_bind_u64(stmt, 2, outbox_now(o));
    store_bind_u64(stmt, 3, m->created_ms);
    store_bind_u64(stmt, 4, m->kind);
    store_bind_text(stmt, 5, m->device);
    store_bind_text(stmt, 6, m->module);
    store_bind_text(stmt, 7, m->output);
    (void)sqlite3_bind_text(stmt, 8, m->bag_len > 0 ? m->bag : "", (int)m->bag_len, SQLITE_STATIC);
    (void)sqlite3_bind_blob(stmt, 9, m->len > 0 ? m->body : "", (int)m->len, SQLITE_STATIC);
    return outbox_change(o, stmt, err);
}

static int put_entry(struct outbox *o, const struct outbox_target *target, bool shared,
                     struct err *err)
{
    struct outbox_queue *q = queue_of(o, target->endpoint, target->priority);
    sqlite3_stmt *stmt = outbox_query(o, OUTBOX_Q_ENTRY_PUT);

    store_bind_u64(stmt, 1, OUTBOX_QUEUE(target->endpoint, target->priority));
    store_bind_u64(stmt, 2, o->next_id);
    store_bind_u64(stmt, 3,
                   target->ttl_s < 0 ? NO_EXPIRY : outbox_now(o) + (uint64_t)target->ttl_s * 1000);
    store_bind_u64(stmt, 4, shared);
    if (store_endpoint(o, target->endpoint, err) < 0 || outbox_change(o, stmt, err) < 0)
        return -1;
    if (!o->endpoints[target->endpoint].touched) {
        o->endpoints[target->endpoint].touched = true;
        o->touched[o->n_touched++] = target->endpoint;
    }
    q->added++;
    q->added_last = o->next_id;
    return 0;
}

int outbox_add(struct outbox *o, const struct edge_message *m, const struct outbox_target *targets,
               size_t n, struct err *err)
{
    size_t size =
        m->len + m->bag_len + strlen(m->device) + strlen(m->module) + strlen(m->output) + OVERHEAD;

    assert(n > 0);
    if (o->bytes + o->bytes_added + size > o->max_bytes) {
        char limit[24];

        str_bytes(limit, sizeof(limit), o->max_bytes);
        return err_set(err, ERR_NO_SPACE,
                       "the message queue is full: it may hold %s, and nobody takes them", limit);
    }
    if (o->full)
        return err_set(err, ERR_NO_SPACE, "the disk is full: the message queue takes no more");
    if (outbox_refresh(o, err) < 0 || put_message(o, m, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (put_entry(o, &targets[i], n > 1, err) < 0)
            return -1;
    o->bytes_added += size;
    o->next_id++;
    o->adding = true;
    return 0;
}

/* ---- out ---- */

/* The columns of HEADER, from AT on. */
static void read_header(sqlite3_stmt *stmt, int at, struct edge_message *m)
{
    m->created_ms = store_column_u64(stmt, at);
    m->kind = (enum edge_message_kind)sqlite3_column_int(stmt, at + 1);
    m->device = store_column(stmt, at + 2);
    m->module = store_column(stmt, at + 3);
    m->output = store_column(stmt, at + 4);
    m->bag = store_column(stmt, at + 5);
    m->bag_len = (size_t)sqlite3_column_bytes(stmt, at + 5);
    m->model = "";
}

static const void *copy(char **room, const void *from, size_t len)
{
    char *at = *room;

    if (len > 0)
        memcpy(at, from, len);
    at[len] = '\0';
    *room += len + 1;
    return at;
}

/* The texts of the row go into memory of ours: a statement that stays open would hold up commits.
 */
static void keep_row(struct outbox *o, struct edge_message *m)
{
    size_t device = strlen(m->device), module = strlen(m->module), output = strlen(m->output);

    if (o->row.cap > ROW_KEEP)
        buf_done(&o->row);
    buf_clear(&o->row);

    char *room = buf_reserve(&o->row, device + module + output + m->bag_len + m->len + 5);

    m->device = copy(&room, m->device, device);
    m->module = copy(&room, m->module, module);
    m->output = copy(&room, m->output, output);
    m->bag = copy(&room, m->bag, m->bag_len);
    m->body = copy(&room, m->body, m->len);
}

/* The next entry of one queue. */
static int next_of(struct outbox *o, struct outbox_item *item, struct err *err)
{
    struct outbox_queue *q = queue_of(o, item->ref.endpoint, item->ref.priority);
    sqlite3_stmt *stmt = outbox_query(o, OUTBOX_Q_NEXT);

    store_bind_u64(stmt, 1, OUTBOX_QUEUE(item->ref.endpoint, item->ref.priority));
    store_bind_u64(stmt, 2, q->cursor);
    store_bind_u64(stmt, 3, q->last);

    int row = store_step(o->store, stmt, err);

    if (row <= 0) {
        if (row == 0)
            q->cursor = q->last;
        return row;
    }
    item->ref.id = item->message.id = store_column_u64(stmt, 0);
    item->ref.shared = sqlite3_column_int(stmt, 1);
    read_header(stmt, 2, &item->message);
    item->message.body = sqlite3_column_blob(stmt, 8);
    item->message.len = (size_t)sqlite3_column_bytes(stmt, 8);
    keep_row(o, &item->message);
    (void)sqlite3_reset(stmt);
    q->cursor = item->ref.id;
    return 1;
}

int outbox_next(struct outbox *o, unsigned endpoint, struct outbox_item *ret, struct err *err)
{
    if (outbox_refresh(o, err) < 0)
        return -1;
    for (unsigned p = 0; p < ROUTE_PRIORITIES; p++) {
        struct outbox_item item = {.ref = {.endpoint = endpoint, .priority = p}};
        const struct outbox_queue *q = queue_of(o, endpoint, p);

        if (q->cursor >= q->last)
            continue;

        int row = next_of(o, &item, err);

        if (row > 0)
            *ret = item;
        if (row != 0)
            return row;
    }
    return 0;
}

int outbox_get(struct outbox *o, const struct outbox_ref *ref, struct edge_message *ret,
               struct err *err)
{
    sqlite3_stmt *stmt = outbox_query(o, OUTBOX_Q_GET);
    struct edge_message m = {.id = ref->id};

    store_bind_u64(stmt, 1, ref->id);

    int row = store_step(o->store, stmt, err);

    if (row <= 0)
        return row;
    read_header(stmt, 0, &m);
    m.body = sqlite3_column_blob(stmt, 6);
    m.len = (size_t)sqlite3_column_bytes(stmt, 6);
    keep_row(o, &m);
    (void)sqlite3_reset(stmt);
    *ret = m;
    return 1;
}

void outbox_done(struct outbox *o, const struct outbox_ref *ref)
{
    queue_of(o, ref->endpoint, ref->priority)->count--;
    if (o->n_dones == o->cap_dones) {
        o->cap_dones = o->cap_dones ? o->cap_dones * 2 : 256;
        o->dones = xreallocarray(o->dones, o->cap_dones, sizeof(*o->dones));
    }
    o->dones[o->n_dones++] = *ref;
}

static int delete_entry(struct outbox *o, const struct outbox_ref *ref, struct err *err)
{
    sqlite3_stmt *entry = outbox_query(o, OUTBOX_Q_ENTRY_DELETE);
    sqlite3_stmt *message =
        outbox_query(o, ref->shared ? OUTBOX_Q_SHARED_DELETE : OUTBOX_Q_MESSAGE_DELETE);

    store_bind_u64(entry, 1, OUTBOX_QUEUE(ref->endpoint, ref->priority));
    store_bind_u64(entry, 2, ref->id);
    store_bind_u64(message, 1, ref->id);
    if (outbox_change(o, entry, err) < 0)
        return -1;
    return outbox_change(o, message, err);
}

int outbox_apply(struct outbox *o, struct err *err)
{
    for (; o->n_applied < o->n_dones; o->n_applied++)
        if (delete_entry(o, &o->dones[o->n_applied], err) < 0)
            return -1;
    if (o->failed && err)
        *err = o->failure;
    return o->failed ? -1 : 0;
}

int outbox_rewind(struct outbox *o, unsigned endpoint, struct err *err)
{
    for (unsigned p = 0; p < ROUTE_PRIORITIES; p++)
        queue_of(o, endpoint, p)->cursor = 0;
    /* What is done must not be found again. */
    return outbox_apply(o, err);
}

/* ---- housekeeping ---- */

static void report(struct outbox *o, const struct outbox_ref *ref, outbox_expired_fn fn, void *arg)
{
    sqlite3_stmt *stmt = outbox_query(o, OUTBOX_Q_HEADER);
    struct edge_message m = {.id = ref->id};

    store_bind_u64(stmt, 1, ref->id);
    if (store_step(o->store, stmt, NULL) <= 0)
        return;
    read_header(stmt, 0, &m);
    keep_row(o, &m);
    (void)sqlite3_reset(stmt);
    fn(arg, ref, &m);
}

/* Looks at the entries behind where the last sweep ended. What has expired goes to REFS. */
static int find_expired(struct outbox *o, struct outbox_ref *refs, size_t *ret_n, struct err *err)
{
    sqlite3_stmt *stmt = outbox_query(o, OUTBOX_Q_SWEEP);
    uint64_t now = outbox_now(o);
    size_t seen = 0, n = 0;
    int row;

    store_bind_u64(stmt, 1, o->sweep_queue);
    store_bind_u64(stmt, 2, o->sweep_id);
    store_bind_u64(stmt, 3, SWEEP_MAX);
    for (; (row = store_step(o->store, stmt, err)) > 0; seen++) {
        struct outbox_ref ref = {
            .id = store_column_u64(stmt, 1),
            .endpoint = (unsigned)(store_column_u64(stmt, 0) / 16),
            .priority = (unsigned)(store_column_u64(stmt, 0) % 16),
            .shared = sqlite3_column_int(stmt, 3),
        };
        const struct outbox_queue *q = queue_of(o, ref.endpoint, ref.priority);

        o->sweep_queue = store_column_u64(stmt, 0);
        o->sweep_id = ref.id;
        if (store_column_u64(stmt, 2) <= now && ref.id > q->cursor && ref.id <= q->last)
            refs[n++] = ref;
    }
    if (seen < SWEEP_MAX)
        o->sweep_queue = o->sweep_id = 0;
    *ret_n = n;
    return row;
}

/* A file that is mostly empty shrinks, some pages at a time. */
static void shrink(struct outbox *o)
{
    sqlite3_stmt *stmt = outbox_query(o, OUTBOX_Q_FREE_PAGES);
    uint64_t free_bytes = 0;

    if (store_step(o->store, stmt, NULL) > 0)
        free_bytes = store_column_u64(stmt, 0) * 4096;
    (void)sqlite3_reset(stmt);
    if (free_bytes > VACUUM_FROM && free_bytes > o->bytes)
        (void)sqlite3_exec(o->store->db, "PRAGMA incremental_vacuum(1024)", NULL, NULL, NULL);
    if (o->full)
        (void)sqlite3_exec(o->store->db, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL);
}

int outbox_sweep(struct outbox *o, outbox_expired_fn fn, void *arg, struct err *err)
{
    auto_free struct outbox_ref *refs = xcalloc(SWEEP_MAX, sizeof(*refs));
    size_t n = 0;

    if (outbox_refresh(o, err) < 0)
        return -1;
    if (outbox_apply(o, err) == 0 && find_expired(o, refs, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (fn)
            report(o, &refs[i], fn, arg);
        outbox_done(o, &refs[i]);
    }
    if (outbox_flush_aside(o, err) < 0) {
        /* They are there still, and may be handed out. */
        for (size_t i = 0; i < n; i++)
            queue_of(o, refs[i].endpoint, refs[i].priority)->count++;
        o->n_dones -= n;
        return -1;
    }
    (void)outbox_measure(o, NULL);
    shrink(o);
    if (o->full)
        outbox_make_reserve(o);
    return 0;
}

int outbox_drop(struct outbox *o, unsigned endpoint, struct err *err)
{
    static const enum outbox_query steps[] = {OUTBOX_Q_DROP_OWN, OUTBOX_Q_DROP_SHARED,
                                              OUTBOX_Q_DROP_ENTRIES};

    if (outbox_flush_aside(o, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        sqlite3_stmt *stmt = outbox_query(o, steps[i]);

        store_bind_u64(stmt, 1, OUTBOX_QUEUE(endpoint, 0));
        store_bind_u64(stmt, 2, OUTBOX_QUEUE(endpoint, 15));
        (void)outbox_change(o, stmt, NULL); /* the commit tells */
    }
    if (outbox_flush_aside(o, err) < 0)
        return -1;
    for (unsigned p = 0; p < ROUTE_PRIORITIES; p++)
        *queue_of(o, endpoint, p) = (struct outbox_queue){0};
    return 0;
}
