/* A release of the guest: kernel, initrd, read-only root image and a manifest with their SHA-256.
 * Its copy in a VM's slot is made in one read pass (hash while copying); the manifest is written
 * last, so that a slot with a manifest is complete. Blocking; any thread. */
#ifndef BERTH_VM_BUNDLE_H
#define BERTH_VM_BUNDLE_H

#include "core/base/err.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUNDLE_MANIFEST     "manifest.json"
#define BUNDLE_MANIFEST_MAX 65536
#define BUNDLE_FILE_MAX     (UINT64_C(8) << 30) /* bytes of one file */

enum bundle_part { BUNDLE_KERNEL, BUNDLE_INITRD, BUNDLE_ROOT, BUNDLE_PART_COUNT };
const char *bundle_part_name(enum bundle_part part); /* "vmlinuz", "initrd", "root.squashfs" */

struct bundle_file {
    uint64_t size;
    char sha256[65];
};

struct bundle {
    char dir[PATH_MAX];
    char flavour[16]; /* "builtin" */
    char arch[16];    /* "amd64" */
    char version[32];
    char built[32];
    char cmdline[512]; /* kernel command line: printable ASCII */
    struct bundle_file files[BUNDLE_PART_COUNT];
    uint64_t size; /* of the three files */
};

/* For the long ones. All members may be zero. */
struct bundle_watch {
    void (*progress)(void *arg, uint64_t done,
                     uint64_t total); /* bytes; called a few times a second at most per 4 MiB */
    void *arg;
    const atomic_bool *cancel; /* set by another thread: ERR_CANCELLED soon after */
};

/* The manifest's text. Pure; takes any bytes; dir is left empty. ERR_INVALID names the member. */
int bundle_parse(const char *data, size_t len, struct bundle *ret_bundle, struct err *err);

/* Reads DIR/manifest.json and checks that the files are there with the right size (hashes nothing),
 * and that it fits this computer. */
int bundle_open(const char *dir, struct bundle *ret_bundle, struct err *err);

/* DIR where it is not empty, else the first that opens of: $BERTH_BUNDLE,
 * EXE_DIR/../bundle/builtin-ARCH (the build tree), /usr/share/berth/bundle/builtin-ARCH,
 * CACHE/bundle/builtin-ARCH. ERR_NOT_FOUND says how to make one. */
int bundle_find(const char *dir, struct bundle *ret_bundle, struct err *err);

/* Copies into SLOT_DIR (made where missing). Files that are there and whole already are kept, so
 * that an interrupted install goes on. A truncated or altered source is ERR_INVALID, a full disk
 * ERR_NO_SPACE; neither leaves a manifest nor a partial file. On success all of it is on disk
 * (fsync). */
int bundle_install(const struct bundle *bundle, const char *slot_dir,
                   const struct bundle_watch *watch, struct err *err);

/* Reads every byte of the slot against its manifest: before each start. ERR_INVALID names the file.
 */
int bundle_verify(const char *slot_dir, const struct bundle_watch *watch, struct bundle *ret_bundle,
                  struct err *err);

#endif
