/* See store_config.h. What belongs to an identity goes with it, by trigger: identities are deleted
 * in one statement for a device and all of its modules. */
#include "vm/guest/hub/store_config.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/store_private.h"

#define SCHEMA                                                                             \
    "CREATE TABLE IF NOT EXISTS configuration (hub TEXT, id TEXT, schema TEXT, kind INT,"  \
    " follows_reports INT, priority INT, version INT, created_ms INT, updated_ms INT,"     \
    " condition TEXT, content TEXT, labels TEXT, metrics TEXT, PRIMARY KEY (hub, id))"     \
    " WITHOUT ROWID;"                                                                      \
    "CREATE TABLE IF NOT EXISTS target (device TEXT, module TEXT, id TEXT, hub TEXT,"      \
    " applied INT, PRIMARY KEY (device, module, id)) WITHOUT ROWID;"                       \
    "CREATE INDEX IF NOT EXISTS target_id ON target (hub, id);"                            \
    "CREATE TABLE IF NOT EXISTS settings (device TEXT, module TEXT, edge INT, paths TEXT," \
    " PRIMARY KEY (device, module)) WITHOUT ROWID;"                                        \
    "CREATE TRIGGER IF NOT EXISTS identity_gone AFTER DELETE ON identity BEGIN"            \
    " DELETE FROM target WHERE device = OLD.device AND module = OLD.module;"               \
    " DELETE FROM settings WHERE device = OLD.device AND module = OLD.module; END;"

#define COLUMNS                                                                                \
    "id, schema, kind, follows_reports, priority, version, created_ms, updated_ms, condition," \
    " content, labels, metrics"

/* Both tables have a version. */
#define WALK                                                                                   \
    "SELECT " STORE_IDENTITY_COLUMNS ", twin_version, " STORE_TWIN_COLUMNS                     \
    " FROM identity JOIN (SELECT device, module, version AS twin_version, " STORE_TWIN_COLUMNS \
    " FROM twin) USING (device, module)"

enum query {
    Q_GET,
    Q_PUT,
    Q_DELETE,
    Q_EACH,
    Q_NUMBER,
    Q_TARGET_PUT,
    Q_TARGET_CLEAR,
    Q_TARGET_FORGET,
    Q_TARGET_EACH,
    Q_TARGETED_EACH,
    Q_SETTINGS_PUT,
    Q_SETTINGS_DELETE,
    Q_SETTINGS_EACH,
    Q_WALK_DEVICES,
    Q_WALK_MODULES,
    Q_COUNT
};

static const char *const queries[] = {
    [Q_GET] = "SELECT " COLUMNS " FROM configuration WHERE hub = ?1 AND id = ?2",
    [Q_PUT] = "INSERT OR REPLACE INTO configuration (hub, " COLUMNS
              ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [Q_DELETE] = "DELETE FROM configuration WHERE hub = ?1 AND id = ?2",
    [Q_EACH] = "SELECT " COLUMNS " FROM configuration WHERE hub = ?1 ORDER BY id LIMIT ?3",
    [Q_NUMBER] = "SELECT count(*) FROM configuration WHERE (?1 IS NULL OR hub = ?1)"
                 " AND follows_reports >= ?3",
    [Q_TARGET_PUT] = "INSERT OR REPLACE INTO target (device, module, id, hub, applied)"
                     " VALUES (?1, ?2, ?3, ?4, ?5)",
    [Q_TARGET_CLEAR] = "DELETE FROM target WHERE device = ?1 AND module = ?2",
    [Q_TARGET_FORGET] = "DELETE FROM target WHERE hub = ?1 AND id = ?2",
    [Q_TARGET_EACH] =
        "SELECT id, applied FROM target WHERE device = ?1 AND module = ?2 ORDER BY id",
    [Q_TARGETED_EACH] = "SELECT device, module, applied FROM target WHERE hub = ?1 AND id = ?2"
                        " ORDER BY device, module",
    [Q_SETTINGS_PUT] =
        "INSERT OR REPLACE INTO settings (device, module, edge, paths) VALUES (?1, ?2, ?3, ?4)",
    [Q_SETTINGS_DELETE] = "DELETE FROM settings WHERE device = ?1 AND module = ?2",
    [Q_SETTINGS_EACH] =
        "SELECT module, edge, paths FROM settings WHERE device = ?1 ORDER BY module",
    [Q_WALK_DEVICES] = WALK " WHERE module = '' AND hub = ?1 AND device > ?2 ORDER BY device",
    [Q_WALK_MODULES] = WALK " WHERE module <> '' AND EXISTS (SELECT 1 FROM identity d"
                            " WHERE d.device = identity.device AND d.module = '' AND d.hub = ?1)"
                            " AND (device, module) > (?2, ?3) ORDER BY device, module",
};
_Static_assert(ARRAY_LEN(queries) == Q_COUNT, "a text for each query");

const struct store_part store_configurations = {
    .schema = SCHEMA,
    .queries = queries,
    .n_queries = Q_COUNT,
};

static sqlite3_stmt *query(struct store *s, enum query q, const char *first, const char *second)
{
    return store_query(s, &store_configurations, q, first, second);
}

/* ---- configurations ---- */

void configuration_done(struct configuration *c)
{
    free(c->condition);
    free(c->content);
    free(c->labels);
    free(c->metrics);
    *c = (struct configuration){0};
}

static void read_configuration(sqlite3_stmt *stmt, struct configuration *c)
{
    *c = (struct configuration){
        .kind = (enum configuration_kind)store_column_u64(stmt, 2),
        .follows_reports = store_column_u64(stmt, 3) != 0,
        .priority = store_column_u64(stmt, 4),
        .version = store_column_u64(stmt, 5),
        .created_ms = store_column_u64(stmt, 6),
        .updated_ms = store_column_u64(stmt, 7),
        .condition = xstrdup(store_column(stmt, 8)),
        .content = xstrdup(store_column(stmt, 9)),
        .labels = xstrdup(store_column(stmt, 10)),
        .metrics = xstrdup(store_column(stmt, 11)),
    };
    STR_SET(c->id, store_column(stmt, 0));
    STR_SET(c->schema, store_column(stmt, 1));
}

int store_configuration_get(struct store *s, const char *hub, const char *id,
                            struct configuration *ret, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_GET, hub, id);
    int row = store_step(s, stmt, err);

    if (row < 0)
        return -1;
    if (row == 0)
        return err_set(err, ERR_NOT_FOUND, "no configuration %s", id);
    read_configuration(stmt, ret);
    (void)sqlite3_reset(stmt);
    return 0;
}

int store_configuration_put(struct store *s, const char *hub, const struct configuration *c,
                            struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_PUT, hub, c->id);

    store_bind_text(stmt, 3, c->schema);
    store_bind_u64(stmt, 4, c->kind);
    store_bind_u64(stmt, 5, c->follows_reports);
    store_bind_u64(stmt, 6, c->priority);
    store_bind_u64(stmt, 7, c->version);
    store_bind_u64(stmt, 8, c->created_ms);
    store_bind_u64(stmt, 9, c->updated_ms);
    store_bind_text(stmt, 10, c->condition);
    store_bind_text(stmt, 11, c->content);
    store_bind_text(stmt, 12, c->labels);
    store_bind_text(stmt, 13, c->metrics);
    return store_change(s, stmt, err);
}

int store_configuration_delete(struct store *s, const char *hub, const char *id, struct err *err)
{
    if (store_change(s, query(s, Q_DELETE, hub, id), err) < 0)
        return -1;
    return store_change(s, query(s, Q_TARGET_FORGET, hub, id), err);
}

int store_configuration_each(struct store *s, const char *hub, size_t max,
                             void (*fn)(void *arg, struct configuration *c), void *arg,
                             struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_EACH, hub, NULL);
    int row;

    store_bind_u64(stmt, 3, max);
    while ((row = store_step(s, stmt, err)) > 0) {
        auto_configuration struct configuration c = {0};

        read_configuration(stmt, &c);
        fn(arg, &c);
    }
    return row;
}

int store_configuration_count(struct store *s, const char *hub, bool follows_reports, uint64_t *ret,
                              struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_NUMBER, hub, NULL);

    store_bind_u64(stmt, 3, follows_reports);
    if (store_step(s, stmt, err) < 0)
        return -1;
    *ret = store_column_u64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return 0;
}

/* ---- whom they target, what they set ---- */

int store_target_put(struct store *s, const char *hub, const char *device, const char *module,
                     const char *id, bool applied, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_TARGET_PUT, device, module);

    store_bind_text(stmt, 3, id);
    store_bind_text(stmt, 4, hub);
    store_bind_u64(stmt, 5, applied);
    return store_change(s, stmt, err);
}

int store_target_clear(struct store *s, const char *device, const char *module, struct err *err)
{
    return store_change(s, query(s, Q_TARGET_CLEAR, device, module), err);
}

int store_target_each(struct store *s, const char *device, const char *module,
                      void (*fn)(void *arg, const char *id, bool applied), void *arg,
                      struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_TARGET_EACH, device, module);
    int row;

    while ((row = store_step(s, stmt, err)) > 0)
        fn(arg, store_column(stmt, 0), store_column_u64(stmt, 1) != 0);
    return row;
}

int store_targeted_each(struct store *s, const char *hub, const char *id,
                        void (*fn)(void *arg, const char *device, const char *module, bool applied),
                        void *arg, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_TARGETED_EACH, hub, id);
    int row;

    while ((row = store_step(s, stmt, err)) > 0)
        fn(arg, store_column(stmt, 0), store_column(stmt, 1), store_column_u64(stmt, 2) != 0);
    return row;
}

int store_settings_put(struct store *s, const char *device, const char *module, bool edge,
                       const char *paths, struct err *err)
{
    sqlite3_stmt *stmt = query(s, paths ? Q_SETTINGS_PUT : Q_SETTINGS_DELETE, device, module);

    if (paths) {
        store_bind_u64(stmt, 3, edge);
        store_bind_text(stmt, 4, paths);
    }
    return store_change(s, stmt, err);
}

int store_settings_each(struct store *s, const char *device,
                        void (*fn)(void *arg, const char *module, bool edge, const char *paths),
                        void *arg, struct err *err)
{
    sqlite3_stmt *stmt = query(s, Q_SETTINGS_EACH, device, NULL);
    int row;

    while ((row = store_step(s, stmt, err)) > 0)
        fn(arg, store_column(stmt, 0), store_column_u64(stmt, 1) != 0, store_column(stmt, 2));
    return row;
}

/* ---- the walk over twins ---- */

int store_twin_each(struct store *s, const struct twin_walk *walk,
                    bool (*fn)(void *arg, const struct identity *id, const struct twin_row *t),
                    void *arg, struct err *err)
{
    sqlite3_stmt *stmt =
        query(s, walk->modules ? Q_WALK_MODULES : Q_WALK_DEVICES, walk->hub, walk->after_device);
    auto_identity struct identity id = {0};
    bool go_on = true;
    int row = 0;

    if (walk->modules)
        store_bind_text(stmt, 3, walk->after_module);
    while (go_on && (row = store_step(s, stmt, err)) > 0) {
        auto_twin_row struct twin_row t = {0};

        store_read_identity(stmt, &id);
        store_read_twin(stmt, STORE_IDENTITY_WIDTH, &t);
        go_on = fn(arg, &id, &t);
    }
    (void)sqlite3_reset(stmt);
    return row < 0 ? -1 : 0;
}
