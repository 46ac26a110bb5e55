/* Installing a bundle when things go wrong: cut, altered, full disk, cancelled, killed, then again.
 * And the data disk. */
#include "core/io/child.h"
#include "tests/vm_fixture.h"
#include "vm/disk.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define UNIT ((size_t)1 << 20)

static char source[128], slot[128];
static struct bundle bundle, checked;

static char *in(const char *dir, const char *leaf)
{
    return xasprintf("%s/%s", dir, leaf);
}

static void fresh(void)
{
    struct err err = {0};
    (void)file_remove_tree(source, NULL);
    (void)file_remove_tree(slot, NULL);
    fixture_bundle(source, UNIT);
    if (bundle_open(source, &bundle, &err) < 0)
        fixture_report("fixture_bundle_opens", false, err.msg);
}

/* Nothing that could be mistaken for a whole slot: no manifest, no half-written file. */
static bool slot_is_clean(void)
{
    DIR *d = opendir(slot);
    if (!d)
        return true;
    bool clean = true;
    const struct dirent *e;
    while ((e = readdir(d)))
        if (str_eq(e->d_name, BUNDLE_MANIFEST) || str_ends(e->d_name, ".part"))
            clean = false;
    (void)closedir(d);
    return clean;
}

static void change_byte(const char *dir, const char *leaf, off_t at)
{
    auto_free char *path = in(dir, leaf);
    auto_close int fd = open(path, O_RDWR | O_CLOEXEC);
    char c = 0;
    if (fd < 0 || pread(fd, &c, 1, at) != 1)
        fixture_report("fixture_change_byte", false, path);
    c ^= 1;
    (void)!pwrite(fd, &c, 1, at);
}

struct counted {
    uint64_t done, total;
    unsigned int calls;
    bool backwards;
    atomic_bool cancel;
    unsigned int cancel_at;
    unsigned int die_at;
    const char *hog; /* file that takes all room that is left */
};

static void take_all_room(const char *path)
{
    static const char block[4096];
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (fd >= 0 && write(fd, block, sizeof(block)) > 0)
        continue;
}

static void on_progress(void *arg, uint64_t done, uint64_t total)
{
    struct counted *c = arg;
    c->backwards |= done < c->done;
    c->done = done;
    c->total = total;
    c->calls++;
    if (c->die_at && c->calls == c->die_at)
        _exit(9);
    if (c->hog)
        take_all_room(c->hog);
    if (c->cancel_at && c->calls == c->cancel_at)
        atomic_store(&c->cancel, true);
}

static void test_install(void)
{
    struct err err = {0};
    struct counted c = {0};
    struct bundle_watch watch = {on_progress, &c, &c.cancel};
    fresh();
    fixture_report("install", bundle_install(&bundle, slot, &watch, &err) == 0, err.msg);
    fixture_report("progress_reaches_the_end",
                   c.done == bundle.size && c.total == bundle.size && !c.backwards, NULL);
    fixture_report("verify", bundle_verify(slot, NULL, &checked, &err) == 0, err.msg);
    fixture_report("slot_says_what_it_is", str_eq(checked.version, "9.9.9"), checked.version);

    auto_free char *root = in(slot, "root.squashfs");
    struct stat before, after;
    (void)stat(root, &before);
    fixture_report("install_again_keeps_what_is_there",
                   bundle_install(&bundle, slot, NULL, &err) == 0 && stat(root, &after) == 0 &&
                       before.st_ino == after.st_ino,
                   err.msg);
    (void)unlink(root);
    fixture_report("install_again_replaces_what_is_missing",
                   bundle_install(&bundle, slot, NULL, &err) == 0 &&
                       bundle_verify(slot, NULL, &checked, &err) == 0,
                   err.msg);
    change_byte(slot, "initrd", 1000);
    fixture_report("verify_finds_an_altered_byte",
                   bundle_verify(slot, NULL, &checked, &err) < 0 && err.kind == ERR_INVALID &&
                       strstr(err.msg, "initrd"),
                   err.msg);
    fixture_report("install_again_repairs_it",
                   bundle_install(&bundle, slot, NULL, &err) == 0 &&
                       bundle_verify(slot, NULL, &checked, &err) == 0,
                   err.msg);
}

static void test_bad_source(void)
{
    struct err err = {0};
    fresh();
    change_byte(source, "root.squashfs", (off_t)(4 * UNIT - 1));
    fixture_report("altered_source_is_refused",
                   bundle_install(&bundle, slot, NULL, &err) < 0 && err.kind == ERR_INVALID &&
                       strstr(err.msg, "altered") && err.hint[0],
                   err.msg);
    fixture_report("altered_source_leaves_no_slot", slot_is_clean(), slot);

    fresh();
    auto_free char *root = in(source, "root.squashfs");
    (void)!truncate(root, (off_t)UNIT);
    fixture_report("truncated_source_is_refused_while_copying",
                   bundle_install(&bundle, slot, NULL, &err) < 0 && err.kind == ERR_INVALID &&
                       strstr(err.msg, "shorter"),
                   err.msg);
    fixture_report("truncated_source_leaves_no_slot", slot_is_clean(), slot);
    fixture_report("truncated_source_does_not_open",
                   bundle_open(source, &checked, &err) < 0 && err.kind == ERR_INVALID, err.msg);

    fresh();
    auto_free char *kernel = in(source, "vmlinuz");
    (void)!truncate(kernel, (off_t)(2 * UNIT));
    fixture_report("longer_source_is_refused",
                   bundle_install(&bundle, slot, NULL, &err) < 0 && strstr(err.msg, "longer"),
                   err.msg);
    fixture_report("longer_source_leaves_no_slot", slot_is_clean(), slot);

    fresh();
    auto_free char *initrd = in(source, "initrd");
    (void)unlink(initrd);
    (void)mkfifo(initrd, 0600);
    fixture_report("fifo_in_the_source_does_not_hang",
                   bundle_install(&bundle, slot, NULL, &err) < 0 &&
                       bundle_open(source, &checked, &err) < 0,
                   err.msg);
}

static void test_other_version(void)
{
    struct err err = {0};
    fresh();
    (void)bundle_install(&bundle, slot, NULL, NULL);
    (void)file_remove_tree(source, NULL);
    fixture_bundle(source, UNIT / 2);
    (void)bundle_open(source, &bundle, NULL);
    change_byte(source, "root.squashfs", 7);
    fixture_report("failed_install_over_another_version_leaves_no_manifest",
                   bundle_install(&bundle, slot, NULL, &err) < 0 && slot_is_clean(), err.msg);
    change_byte(source, "root.squashfs", 7);
    fixture_report("then_a_good_one_goes_on",
                   bundle_install(&bundle, slot, NULL, &err) == 0 &&
                       bundle_verify(slot, NULL, &checked, &err) == 0,
                   err.msg);
}

static void test_cancel(void)
{
    struct err err = {0};
    struct counted c = {.cancel_at = 1};
    struct bundle_watch watch = {on_progress, &c, &c.cancel};
    fresh();
    fixture_report("cancel",
                   bundle_install(&bundle, slot, &watch, &err) < 0 && err.kind == ERR_CANCELLED,
                   err.msg);
    fixture_report("cancel_leaves_no_slot", slot_is_clean(), slot);
    fixture_report("after_cancel_it_goes_on", bundle_install(&bundle, slot, NULL, &err) == 0,
                   err.msg);
}

static void test_kill(void)
{
    struct err err = {0};
    fresh();
    pid_t child = fork();
    if (child == 0) {
        struct counted c = {.die_at = 1};
        struct bundle_watch watch = {on_progress, &c, NULL};
        (void)bundle_install(&bundle, slot, &watch, NULL);
        _exit(0);
    }
    int status = 0;
    (void)waitpid(child, &status, 0);
    auto_free char *manifest = in(slot, BUNDLE_MANIFEST);
    fixture_report("killed_install_has_no_manifest",
                   WEXITSTATUS(status) == 9 && !file_exists(manifest), NULL);
    fixture_report("after_a_kill_it_goes_on",
                   bundle_install(&bundle, slot, NULL, &err) == 0 && !slot_is_clean() &&
                       bundle_verify(slot, NULL, &checked, &err) == 0,
                   err.msg);
}

static void test_full_disk(void)
{
    struct err err = {0};
    fresh();
    (void)file_mkdirs(slot, 0755, NULL);
    if (mount("tmpfs", slot, "tmpfs", 0, "size=3m") < 0) {
        printf("skipped full_disk: mount: %s\n", strerrordesc_np(errno));
        return;
    }
    fixture_report("full_disk_is_said_before_copying",
                   bundle_install(&bundle, slot, NULL, &err) < 0 && err.kind == ERR_NO_SPACE &&
                       err.hint[0],
                   err.msg);
    fixture_report("full_disk_leaves_no_slot", slot_is_clean(), slot);
    (void)umount(slot);

    /* Room enough by the figures, but somebody else takes it meanwhile: the write itself fails. */
    (void)mount("tmpfs", slot, "tmpfs", 0, "size=6m");
    auto_free char *hog = in(slot, "hog");
    struct counted c = {.hog = hog};
    struct bundle_watch watch = {on_progress, &c, NULL};
    fixture_report("disk_that_fills_up_meanwhile",
                   bundle_install(&bundle, slot, &watch, &err) < 0 && err.kind == ERR_NO_SPACE &&
                       err.hint[0],
                   err.msg);
    fixture_report("disk_that_filled_up_has_no_half_file", slot_is_clean(), slot);
    (void)unlink(hog);
    fixture_report("with_room_again_it_goes_on", bundle_install(&bundle, slot, NULL, &err) == 0,
                   err.msg);
    (void)umount(slot);
}

/* As its header says it (docs/interop/qcow2.txt of QEMU); 0 where it has none. */
static uint64_t qcow2_size(const char *path)
{
    auto_buf struct buf disk = {0};
    uint64_t size = 0;

    if (file_read(path, UNIT, &disk, NULL) == 0 && disk.len >= 32 &&
        memcmp(disk.data, "QFI\xfb", 4) == 0)
        memcpy(&size, disk.data + 24, sizeof(size));
    return be64toh(size);
}

static void test_disk(void)
{
    struct err err = {0};
    auto_free char *path = in(fixture_dir, "data.qcow2");
    auto_free char *part = in(fixture_dir, "data.qcow2.part");
    struct stat st;
    fixture_report("disk", disk_create(path, 16, &err) == 0, err.msg);
    fixture_report("disk_has_the_size_of_the_plan_and_takes_little",
                   stat(path, &st) == 0 && st.st_blocks * 512 < (off_t)UNIT &&
                       qcow2_size(path) == UINT64_C(16) << 30,
                   path);
    fixture_report("disk_is_private", (st.st_mode & 0777) == 0600, path);
    fixture_report("disk_is_never_overwritten",
                   disk_create(path, 2, &err) < 0 && err.kind == ERR_EXISTS, err.msg);
    fixture_report("disk_leaves_no_temporary_file", !file_exists(part), part);
    auto_free char *nowhere = in(fixture_dir, "missing/data.qcow2");
    fixture_report("disk_in_a_missing_folder_fails", disk_create(nowhere, 2, &err) < 0, err.msg);
}

int main(void)
{
    fixture_start();
    (void)str_format(source, sizeof(source), "%s/bundle", fixture_dir);
    (void)str_format(slot, sizeof(slot), "%s/vms/x/slot-a", fixture_dir);
    test_install();
    test_bad_source();
    test_other_version();
    test_cancel();
    test_kill();
    test_full_disk();
    test_disk();
    return fixture_end();
}
