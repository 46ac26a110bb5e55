/* Databases that can be begun anew where they are damaged: looking at one before it is opened, and
 * setting it aside. */
#include "vm/guest/hub/store_private.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

/* What SQLite says of the file into RET: "ok", or what is wrong with it. -1 where it could not be
 * looked at. The journal stays where it is: on a full disk it could not be made again. */
static int check(const char *path, struct buf *ret, struct err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    int status = 0, on = 1;

    if (code == SQLITE_OK) {
        (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
        code = sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL);
    }
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    if (code == SQLITE_ROW)
        buf_puts(ret, store_column(stmt, 0));
    else if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        buf_puts(ret, sqlite3_errmsg(db));
    else
        status = err_set(err, code == SQLITE_BUSY ? ERR_BUSY : ERR_SYSTEM, "database: %s",
                         sqlite3_errmsg(db));
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    return status;
}

static int move(const char *path, const char *to, const char *suffix, struct err *err)
{
    auto_free char *from_name = xasprintf("%s%s", path, suffix);
    auto_free char *to_name = xasprintf("%s%s", to, suffix);

    if (rename(from_name, to_name) < 0 && errno != ENOENT)
        return err_sys(err, errno, "set %s aside", from_name);
    return 0;
}

/* The journal goes first: one that is left behind would be taken for the new database's. */
int store_set_aside(const char *path, char **ret_name, struct err *err)
{
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm tm;
    char when[32];

    if (!gmtime_r(&now, &tm) || strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm) == 0)
        return err_set(err, ERR_BUG, "no name for the damaged database");

    auto_free char *name = xasprintf("%s.damaged-%s", path, when);

    if (move(path, name, "-wal", err) < 0 || move(path, name, "", err) < 0 ||
        file_sync_parent(path, err) < 0)
        return -1;
    *ret_name = steal(name);
    return 0;
}

int store_check(const char *path, char **ret_set_aside, struct err *err)
{
    auto_buf struct buf verdict = {0};

    if (!file_exists(path))
        return 0;
    if (check(path, &verdict, err) < 0)
        return -1;
    return str_eq(buf_str(&verdict), "ok") ? 0 : store_set_aside(path, ret_set_aside, err);
}
