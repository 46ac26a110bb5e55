/* A state folder and a small bundle of their own for the tests of vm/. Include once in a test
 * program. */
#ifndef BERTH_TESTS_VM_FIXTURE_H
#define BERTH_TESTS_VM_FIXTURE_H

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/digest.h"
#include "vm/bundle.h"

#include <stdio.h>
#include <string.h>

static char fixture_dir[64] = "/tmp/berth-vm-XXXXXX";
static int fixture_failures;

static inline void fixture_report(const char *name, bool ok, const char *why)
{
    if (ok) {
        printf("ok %s\n", name);
    } else {
        printf("not ok %s: %s\n", name, why && *why ? why : "not as expected");
        fixture_failures++;
    }
    (void)fflush(stdout);
}

static inline void fixture_start(void)
{
    if (!mkdtemp(fixture_dir) || setenv("BERTH_STATE_DIR", fixture_dir, 1) < 0) {
        printf("not ok fixture: no temporary folder\n");
        exit(1);
    }
}

static inline int fixture_end(void)
{
    (void)file_remove_tree(fixture_dir, NULL);
    return fixture_failures != 0;
}

static inline void fixture_file(const char *path, size_t size)
{
    char *data = xmalloc(size);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 31 + size + i / 4096);
    struct err err = {0};
    if (file_write(path, data, size, 0644, &err) < 0) {
        printf("not ok fixture: %s\n", err.msg);
        exit(1);
    }
    free(data);
}

/* DIR gets three files of UNIT, UNIT / 2 and 4 * UNIT bytes and the manifest that belongs to them.
 */
static inline void fixture_bundle(const char *dir, size_t unit)
{
    size_t sizes[BUNDLE_PART_COUNT] = {unit, unit / 2, unit * 4};
    auto_buf struct buf text = {0};
    (void)file_mkdirs(dir, 0755, NULL);
    buf_puts(&text, "{\"apiVersion\":\"berth/v1\",\"kind\":\"Bundle\",\"flavour\":\"builtin\","
#if defined(__aarch64__)
                    "\"arch\":\"arm64\","
#else
                    "\"arch\":\"amd64\","
#endif
                    "\"version\":\"9.9.9\",\"built\":\"2026-01-01T00:00:00Z\","
                    "\"cmdline\":\"console=ttyS0 a=<&>'\",\"files\":[");
    for (int i = 0; i < BUNDLE_PART_COUNT; i++) {
        const char *name = bundle_part_name((enum bundle_part)i);
        auto_free char *path = xasprintf("%s/%s", dir, name);
        char hex[DIGEST_HEX_SIZE];
        fixture_file(path, sizes[i]);
        (void)digest_file(path, hex, NULL);
        buf_printf(&text, "%s{\"name\":\"%s\",\"size\":%zu,\"sha256\":\"%s\"}", i ? "," : "", name,
                   sizes[i], hex);
    }
    buf_puts(&text, "]}\n");
    auto_free char *manifest = xasprintf("%s/" BUNDLE_MANIFEST, dir);
    (void)file_write(manifest, text.data, text.len, 0644, NULL);
}

#endif
