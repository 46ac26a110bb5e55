/* Databases that can be begun anew where they are damaged: looking at one before it is opened, and
 * setting it aside. */
#include "vm/guest/hub/store_private.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

/* ---- aside ---- */

#define MARK      ".damaged-"
#define WHEN_SIZE (sizeof("20260101T000000Z"))

/* Whether ENTRY of the folder is of a database BASE that was set aside; and when that was. */
static bool is_aside(const char *entry, const char *base, char ret_when[WHEN_SIZE])
{
    static const char shape[] = "00000000T000000Z";
    size_t len = strlen(base);

    if (strncmp(entry, base, len) != 0 || !str_starts(entry + len, MARK))
        return false;
    entry += len + strlen(MARK);
    for (size_t i = 0; i < WHEN_SIZE - 1; i++)
        if (shape[i] == '0' ? !isdigit((unsigned char)entry[i]) : entry[i] != shape[i])
            return false;
    memcpy(ret_when, entry, WHEN_SIZE - 1);
    ret_when[WHEN_SIZE - 1] = '\0';
    entry += WHEN_SIZE - 1;
    return !*entry || str_eq(entry, "-wal");
}

/* The newest one but that of EXCEPT into RET, "" where there is none; those that are neither go,
 * where REMOVE. */
static void look_aside(const char *path, const char *except, bool remove, char ret[WHEN_SIZE])
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    auto_free char *folder = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup("./");
    DIR *dir = opendir(folder);
    struct dirent *entry;
    char when[WHEN_SIZE];

    if (!remove)
        ret[0] = '\0';
    while (dir && (entry = readdir(dir))) { /* NOLINT(concurrency-mt-unsafe): our own stream */
        if (!is_aside(entry->d_name, base, when) || str_eq(when, except))
            continue;
        if (remove && !str_eq(when, ret))
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
        else if (!remove && strcmp(when, ret) > 0)
            memcpy(ret, when, sizeof(when));
    }
    if (dir)
        (void)closedir(dir);
}

/* They can be large: that of WHEN stays, which may have a wrong time, and the newest other one. */
static void forget_former(const char *path, const char *when)
{
    char newest[WHEN_SIZE];

    look_aside(path, when, false, newest);
    look_aside(path, when, true, newest);
}

static int move(const char *path, const char *to, const char *suffix, struct err *err)
{
    auto_free char *from_name = xasprintf("%s%s", path, suffix);
    auto_free char *to_name = xasprintf("%s%s", to, suffix);

    if (rename(from_name, to_name) < 0 && errno != ENOENT)
        return err_sys(err, errno, "set %s aside", from_name);
    return file_sync_parent(path, err);
}

static int name_now(char ret[WHEN_SIZE], struct err *err)
{
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm tm;

    if (!gmtime_r(&now, &tm) || strftime(ret, WHEN_SIZE, "%Y%m%dT%H%M%SZ", &tm) == 0)
        return err_set(err, ERR_BUG, "no name for the damaged database");
    return 0;
}

/* The journal goes last: before its database, a cut would leave that as if it had none, and it
 * might look whole. */
int store_set_aside(const char *path, char **ret_name, struct err *err)
{
    char when[WHEN_SIZE];

    if (name_now(when, err) < 0)
        return -1;

    auto_free char *name = xasprintf("%s" MARK "%s", path, when);

    if (move(path, name, "", err) < 0 || move(path, name, "-wal", err) < 0)
        return -1;
    forget_former(path, when);
    *ret_name = steal(name);
    return 0;
}

static bool has_journal(const char *path, const char *when)
{
    auto_free char *journal = xasprintf("%s" MARK "%s-wal", path, when);

    return file_exists(journal);
}

/* A journal that a cut left behind goes where its database is: SQLite would drop it. Its database
 * may not be the newest one by name, since clocks go wrong; no other's journal is overwritten. */
static int follow(const char *path, char **ret_name, struct err *err)
{
    char when[WHEN_SIZE];

    look_aside(path, "", false, when);
    if ((!when[0] || has_journal(path, when)) && name_now(when, err) < 0)
        return -1;

    auto_free char *name = xasprintf("%s" MARK "%s", path, when);

    if (move(path, name, "-wal", err) < 0)
        return -1;
    *ret_name = steal(name);
    return 0;
}

int store_check(const char *path, char **ret_set_aside, struct err *err)
{
    auto_buf struct buf verdict = {0};
    auto_free char *journal = xasprintf("%s-wal", path);

    if (!file_exists(path))
        return file_exists(journal) ? follow(path, ret_set_aside, err) : 0;
    if (check(path, &verdict, err) < 0)
        return -1;
    return str_eq(buf_str(&verdict), "ok") ? 0 : store_set_aside(path, ret_set_aside, err);
}
