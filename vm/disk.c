/* See disk.h. */
#include "vm/disk.h"

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define TOOL_LIMIT_MS 60000

/* Makes the image under a temporary name and brings it to the disk. */
static int make_image(const char *tmp, uint32_t gib, struct err *err)
{
    /* qemu-img keeps the mode of a file that exists: so nobody else can open it, not even for a
     * moment. */
    auto_close int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(err, errno, "make disk %s", tmp);

    char size[16];
    (void)str_format(size, sizeof(size), "%uG", gib);
    const char *const argv[] = {"qemu-img", "create", "-q", "-f", "qcow2", tmp, size, NULL};
    struct child_options options = {.argv = argv, .timeout_ms = TOOL_LIMIT_MS};
    if (child_run(&options, NULL, err) < 0) {
        if (err && err->kind == ERR_NOT_FOUND)
            err_hint(err, "Install it: apt-get install qemu-utils");
        return -1;
    }
    return fsync(fd) < 0 ? err_sys(err, errno, "make disk %s", tmp) : 0;
}

int disk_create(const char *path, uint32_t gib, struct err *err)
{
    if (file_exists(path)) {
        err_set(err, ERR_EXISTS, "the disk %s is there already", path);
        return err_hint(err,
                        "It may hold data: it is not overwritten. Delete the VM to remove it.");
    }
    auto_free char *tmp = xasprintf("%s.part", path);
    if (make_image(tmp, gib, err) < 0) {
        (void)unlink(tmp);
        return err_wrap(err, "make the data disk");
    }
    if (rename(tmp, path) < 0)
        return err_sys(err, errno, "make disk %s", path);
    return file_sync_parent(path, err);
}
