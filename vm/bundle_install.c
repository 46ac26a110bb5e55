/* The bytes of a bundle: copied into a slot while they are hashed, and hashed again before each
 * start.
 *
 * Order on disk, so that a kill or a power cut anywhere leaves either a whole slot or one that an
 * install completes: each file under a name with ".part", fsync, hash right -> rename; folder
 * fsync; the manifest last. Write-back is started block by block while the next block is read and
 * hashed, so that the fsync at the end has little left to wait for. */
#include "vm/bundle.h"

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define BLOCK          (1 << 20)
#define PROGRESS_BYTES (4 << 20)

/* One pass over a bundle's files. */
struct pass {
    const struct bundle *bundle;
    const struct bundle_watch *watch;
    uint64_t done;     /* bytes of the whole bundle */
    uint64_t reported; /* of them, when progress was called last */
    char *block;
};

static void report(struct pass *p, bool now)
{
    if (!p->watch || !p->watch->progress || (!now && p->done - p->reported < PROGRESS_BYTES))
        return;
    p->reported = p->done;
    p->watch->progress(p->watch->arg, p->done, p->bundle->size);
}

static bool cancelled(const struct pass *p)
{
    return p->watch && p->watch->cancel && atomic_load(p->watch->cancel);
}

static int write_block(int fd, const char *data, size_t len, off_t at)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, data + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        done += (size_t)n;
    }
    (void)sync_file_range(fd, at, (off_t)len, SYNC_FILE_RANGE_WRITE);
    return 0;
}

static int altered(const char *path, struct err *err)
{
    err_set(err, ERR_INVALID, "%s was altered: its SHA-256 is not the one in the manifest", path);
    return err_hint(err, "Do not use it. Copy or build the bundle again (make bundle).");
}

static int wrong_size(const char *path, bool shorter, struct err *err)
{
    err_set(err, ERR_INVALID, "%s is %s than its manifest says", path,
            shorter ? "shorter" : "longer");
    return err_hint(err, "The file is damaged. Copy or build the bundle again (make bundle).");
}

static int write_failed(const char *path, int why, struct err *err)
{
    err_sys(err, why, "write %s", path);
    return why == ENOSPC || why == EDQUOT ? err_hint(err, "Free some space there, then try again.")
                                          : -1;
}

/* Reads FROM to its end through the hash, and writes to TO where that is not negative. FROM_PATH
 * and TO_PATH are for messages. */
static int pump(struct pass *p, int from, const char *from_path, int to, const char *to_path,
                const struct bundle_file *want, struct err *err)
{
    auto_digest struct digest *d = digest_new();
    uint64_t at = 0;
    for (;;) {
        if (cancelled(p))
            return err_set(err, ERR_CANCELLED, "cancelled");
        ssize_t n = read(from, p->block, BLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "read %s", from_path);
        if (n == 0)
            break;
        if (at + (uint64_t)n > want->size)
            return wrong_size(from_path, false, err);
        if (to >= 0 && write_block(to, p->block, (size_t)n, (off_t)at) < 0)
            return write_failed(to_path, errno, err);
        digest_update(d, p->block, (size_t)n);
        at += (uint64_t)n;
        p->done += (uint64_t)n;
        report(p, false);
    }
    char hex[DIGEST_HEX_SIZE];
    digest_finish(d, hex);
    if (at < want->size)
        return wrong_size(from_path, true, err);
    return str_eq(hex, want->sha256) ? 0 : altered(from_path, err);
}

static int open_source(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_sys(err, errno, "open %s", path);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return fd;
}

static int check_part(struct pass *p, const char *dir, enum bundle_part part, struct err *err)
{
    auto_free char *path = xasprintf("%s/%s", dir, bundle_part_name(part));
    auto_close int fd = open_source(path, err);
    if (fd < 0)
        return -1;
    return pump(p, fd, path, -1, NULL, &p->bundle->files[part], err);
}

/* The file as it should be is in the slot already: from an install that was interrupted. A wrong
 * one is not an error, it is replaced. */
static bool part_is_there(struct pass *p, const char *slot_dir, enum bundle_part part)
{
    auto_free char *path = xasprintf("%s/%s", slot_dir, bundle_part_name(part));
    struct stat st;
    if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) ||
        (uint64_t)st.st_size != p->bundle->files[part].size)
        return false;
    uint64_t done = p->done;
    if (check_part(p, slot_dir, part, NULL) == 0)
        return true;
    p->done = done;
    return false;
}

static int copy_part(struct pass *p, const char *slot_dir, enum bundle_part part, struct err *err)
{
    const char *name = bundle_part_name(part);
    auto_free char *source = xasprintf("%s/%s", p->bundle->dir, name);
    auto_free char *target = xasprintf("%s/%s", slot_dir, name);
    auto_free char *tmp = xasprintf("%s.part", target);
    auto_close int from = open_source(source, err);
    if (from < 0)
        return -1;
    auto_close int to = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (to < 0)
        return err_sys(err, errno, "write %s", tmp);

    int result = pump(p, from, source, to, tmp, &p->bundle->files[part], err);
    if (result == 0 && (fchmod(to, 0644) < 0 || fsync(to) < 0))
        result = write_failed(tmp, errno, err);
    if (result == 0 && rename(tmp, target) < 0)
        result = err_sys(err, errno, "write %s", target);
    if (result < 0)
        (void)unlink(tmp);
    return result;
}

/* Fails early and in plain words; a disk that fills up meanwhile is still found by the write. */
static int check_room(const struct bundle *b, const char *slot_dir, struct err *err)
{
    struct statvfs fs;
    if (statvfs(slot_dir, &fs) < 0)
        return err_sys(err, errno, "look at %s", slot_dir);
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    for (int i = 0; i < BUNDLE_PART_COUNT; i++) {
        auto_free char *path = xasprintf("%s/%s", slot_dir, bundle_part_name((enum bundle_part)i));
        struct stat st;
        if (lstat(path, &st) == 0)
            room += (uint64_t)st.st_blocks * 512;
    }
    if (room >= b->size)
        return 0;
    char need[32], have[32];
    str_bytes(need, sizeof(need), b->size);
    str_bytes(have, sizeof(have), room);
    err_set(err, ERR_NO_SPACE, "the image needs %s on %s, only %s are free", need, slot_dir, have);
    return err_hint(err, "Free some space there, then try again.");
}

static int install_parts(struct pass *p, const char *slot_dir, struct err *err)
{
    for (int i = 0; i < BUNDLE_PART_COUNT; i++) {
        enum bundle_part part = (enum bundle_part)i;
        if (!part_is_there(p, slot_dir, part) && copy_part(p, slot_dir, part, err) < 0)
            return -1;
    }
    report(p, true);
    return 0;
}

static bool same_files(const struct bundle *a, const struct bundle *b)
{
    for (int i = 0; i < BUNDLE_PART_COUNT; i++)
        if (a->files[i].size != b->files[i].size || !str_eq(a->files[i].sha256, b->files[i].sha256))
            return false;
    return true;
}

/* The manifest of another bundle must not vouch for files that are being replaced. */
static int drop_other_manifest(const char *path, const struct buf *wanted, struct err *err)
{
    auto_buf struct buf text = {0};
    if (!file_exists(path) || (file_read(path, BUNDLE_MANIFEST_MAX, &text, NULL) == 0 &&
                               str_eq(buf_str(&text), buf_str(wanted))))
        return 0;
    if (unlink(path) < 0)
        return err_sys(err, errno, "remove %s", path);
    return file_sync_parent(path, err);
}

int bundle_install(const struct bundle *bundle, const char *slot_dir,
                   const struct bundle_watch *watch, struct err *err)
{
    auto_free char *source = xasprintf("%s/" BUNDLE_MANIFEST, bundle->dir);
    auto_free char *target = xasprintf("%s/" BUNDLE_MANIFEST, slot_dir);
    auto_buf struct buf text = {0};
    struct bundle again;
    if (file_read(source, BUNDLE_MANIFEST_MAX, &text, err) < 0 ||
        bundle_parse(buf_str(&text), text.len, &again, err) < 0)
        return err_wrap(err, "install the image");
    /* Changed since it was opened: sizes and sums would not belong together. */
    if (!same_files(&again, bundle))
        return err_set(err, ERR_BUSY, "the bundle in %s is being changed", bundle->dir);
    if (file_mkdirs(slot_dir, geteuid() == 0 ? 0711 : 0700, err) < 0 ||
        drop_other_manifest(target, &text, err) < 0 || check_room(bundle, slot_dir, err) < 0)
        return err_wrap(err, "install the image");

    auto_free char *block = xmalloc(BLOCK);
    struct pass p = {.bundle = bundle, .watch = watch, .block = block};
    if (install_parts(&p, slot_dir, err) < 0 || file_sync_parent(target, err) < 0 ||
        file_write(target, text.data, text.len, 0644, err) < 0 ||
        file_sync_parent(slot_dir, err) < 0)
        return err_wrap(err, "install the image");
    return 0;
}

int bundle_verify(const char *slot_dir, const struct bundle_watch *watch, struct bundle *ret_bundle,
                  struct err *err)
{
    struct bundle b;
    if (bundle_open(slot_dir, &b, err) < 0)
        return err_wrap(err, "verify the image");
    auto_free char *block = xmalloc(BLOCK);
    struct pass p = {.bundle = &b, .watch = watch, .block = block};
    for (int i = 0; i < BUNDLE_PART_COUNT; i++)
        if (check_part(&p, slot_dir, (enum bundle_part)i, err) < 0)
            return err_wrap(err, "verify the image");
    report(&p, true);
    *ret_bundle = b;
    return 0;
}
