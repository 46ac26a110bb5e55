/* What the files of the store share. A part is the tables that belong together, with their
 * statements and functions: one file each. Nobody but store*.c includes this. */
#ifndef BERTH_HUB_STORE_PRIVATE_H
#define BERTH_HUB_STORE_PRIVATE_H

#include "vm/guest/hub/store.h"

#include <sqlite3.h>

struct store {
    sqlite3 *db;
    const struct store_kind *kind;
    sqlite3_stmt **stmts; /* of all parts, one behind the other */
    bool writing;         /* a transaction is open */
};

struct store_part {
    const char *schema; /* CREATE TABLE IF NOT EXISTS ... */
    const char *const *queries;
    size_t n_queries;
};

/* What a database is for. The statements of transactions are in each. */
struct store_kind {
    const struct store_part *const *parts;
    size_t n_parts;
    int version;
    const char *const *migrations; /* from version N (its index) to N + 1 */
    const char *pragmas;           /* before anything else is done with it */
};

int store_open_kind(const struct store_kind *kind, const char *path, struct store **ret,
                    struct err *err);

/* Sets a database that SQLite finds damaged aside, before it is opened. RET_SET_ASIDE is touched
 * then only: the name that it has now. */
int store_check(const char *path, char **ret_set_aside, struct err *err);
int store_set_aside(const char *path, char **ret_name, struct err *err);

extern const struct store_part store_identities;     /* store_identity.c */
extern const struct store_part store_messages;       /* store_c2d.c */
extern const struct store_part store_authorities;    /* store_authority.c */
extern const struct store_part store_dps;            /* store_dps.c */
extern const struct store_part store_configurations; /* store_config.c */

/* Statement Q of PART with ?1 and ?2 bound; NULL binds null. Texts are borrowed until it is reset.
 */
sqlite3_stmt *store_query(struct store *s, const struct store_part *part, size_t q,
                          const char *first, const char *second);
void store_bind_text(sqlite3_stmt *stmt, int at, const char *text); /* borrowed */
void store_bind_u64(sqlite3_stmt *stmt, int at, uint64_t value);

/* 1: a row, 0: none (any more; the statement is reset), -1. After a row that was the last one
 * wanted, the caller resets. */
int store_step(struct store *s, sqlite3_stmt *stmt, struct err *err);
/* Runs a statement that changes something, within the open transaction. */
int store_change(struct store *s, sqlite3_stmt *stmt, struct err *err);

const char *store_column(sqlite3_stmt *stmt, int at); /* "" for null; until the next step */
uint64_t store_column_u64(sqlite3_stmt *stmt, int at);

/* The columns of an identity, and of its twin where the tables are joined. */
#define STORE_IDENTITY_COLUMNS                                                                    \
    "device, module, generation, managed_by, status_reason, primary_key, secondary_key, version," \
    " disabled, iot_edge, created_ms, status_ms, hub, auth, primary_thumbprint,"                  \
    " secondary_thumbprint, parents"
#define STORE_IDENTITY_WIDTH 17
/* Behind the twin's version. */
#define STORE_TWIN_COLUMNS \
    "tags, desired, desired_meta, desired_version, reported, reported_meta, reported_version"
void store_read_identity(sqlite3_stmt *stmt, struct identity *id); /* from column 0 */
void store_read_twin(sqlite3_stmt *stmt, int at, struct twin_row *t);

#endif
