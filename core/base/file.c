/* See file.h. */
#include "core/base/file.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

int file_read(const char *path, size_t max, struct buf *out, struct err *err)
{
    /* O_NONBLOCK: opening a FIFO that nobody writes must not hang. */
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno, "read %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "read %s: not a regular file", path);

    size_t start = out->len;
    for (;;) {
        char *room = buf_reserve(out, 16384);
        ssize_t n = read(fd, room, 16384);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "read %s", path);
        if (n == 0)
            return 0;
        buf_commit(out, (size_t)n);
        if (out->len - start > max)
            return err_set(err, ERR_NO_SPACE, "read %s: larger than %zu bytes", path, max);
    }
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

int file_sync_parent(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    auto_free char *dir =
        slash > path ? xstrndup(path, (size_t)(slash - path)) : xstrdup(slash ? "/" : ".");
    auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return err_sys(err, errno, "sync folder %s", dir);
    return 0;
}

/* ---- whole files ---- */

#define TEMPORARY ".berth-tmp" /* behind the six characters of mkostemps() */

/* Locked as long as it is written: whoever sweeps then leaves it alone. One that was swept before
 * it was locked is of no use. */
static int temporary_new(const char *path, char **ret_name)
{
    for (;;) {
        auto_free char *name = xasprintf("%s.XXXXXX" TEMPORARY, path);
        auto_close int fd = mkostemps(name, (int)strlen(TEMPORARY), O_CLOEXEC);
        struct stat st;
        if (fd < 0)
            return -1;
        while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
            ;
        if (fstat(fd, &st) == 0 && st.st_nlink == 0)
            continue;
        int made = fd;
        fd = -1;
        *ret_name = steal(name);
        return made;
    }
}

static bool is_temporary(const char *name)
{
    size_t len = strlen(name), end = strlen(TEMPORARY);
    if (len < end + 8 || !str_ends(name, TEMPORARY) || name[len - end - 7] != '.')
        return false;
    for (size_t i = len - end - 6; i < len - end; i++)
        if (!isalnum((unsigned char)name[i]))
            return false;
    return true;
}

static void sweep_one(int dir, const char *name)
{
    auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st, now;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
        flock(fd, LOCK_EX | LOCK_NB) < 0)
        return;
    /* It may have got its proper name before it was locked, and the name another file. */
    if (fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_dev == st.st_dev &&
        now.st_ino == st.st_ino)
        (void)unlinkat(dir, name, 0);
}

void file_sweep(const char *dir)
{
    DIR *stream = opendir(dir);
    const struct dirent *entry;
    while (stream && (entry = readdir(stream))) /* NOLINT(concurrency-mt-unsafe): ours alone */
        if (is_temporary(entry->d_name))
            sweep_one(dirfd(stream), entry->d_name);
    if (stream)
        (void)closedir(stream);
}

int file_write(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
    auto_free char *tmp = NULL;
    auto_close int fd = temporary_new(path, &tmp);
    if (fd < 0)
        return err_sys(err, errno, "write %s", path);

    /* It has its name before it is closed, which unlocks it. */
    if (fchmod(fd, mode) < 0 || write_all(fd, data, len) < 0 || fsync(fd) < 0 ||
        rename(tmp, path) < 0) {
        int why = errno;
        (void)unlink(tmp);
        return err_sys(err, why, "write %s", path);
    }
    return file_sync_parent(path, err);
}

int file_mkdirs(const char *path, mode_t mode, struct err *err)
{
    auto_free char *copy = xstrdup(path);
    for (char *at = copy + 1;; at++) {
        if (*at && *at != '/')
            continue;
        char kept = *at;
        *at = '\0';
        if (mkdir(copy, mode) == 0) {
            if (chmod(copy, mode) < 0)
                return err_sys(err, errno, "make folder %s", copy);
        } else if (errno != EEXIST) {
            return err_sys(err, errno, "make folder %s", copy);
        }
        if (!kept)
            break;
        *at = kept;
    }
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_set(err, ERR_EXISTS, "make folder %s: something else has that name", path);
    return 0;
}

int file_lock(const char *path, bool wait, struct err *err)
{
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(err, errno, "open lock %s", path);
    while (flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return err_set(err, ERR_BUSY, "another process holds %s", path);
        if (errno != EINTR)
            return err_sys(err, errno, "lock %s", path);
    }
    int held = fd;
    fd = -1;
    return held;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

int file_remove_tree(const char *path, struct err *err)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): safe without FTW_CHDIR */
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
        return err_sys(err, errno, "remove %s", path);
    return 0;
}

bool file_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}
