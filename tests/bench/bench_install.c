/* Installing a bundle (copied, hashed, on disk) beside what a person would type for the same:
 * `openssl dgst -sha256` of the three files, then cp, then fsync of the copies. Alternating runs on
 * the same files, the same disk and a warm cache; the medians count. */
#include "core/base/clock.h"
#include "core/io/child.h"
#include "tests/vm_fixture.h"

#include <fcntl.h>

#define ROUNDS 15

static char slot[128];

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *values)
{
    qsort(values, ROUNDS, sizeof(*values), compare);
    return values[ROUNDS / 2];
}

static void must(int result, const struct err *err)
{
    if (result == 0)
        return;
    printf("not ok bench_install: %s\n", err->msg);
    exit(1);
}

static void sync_path(const char *path, int flags)
{
    auto_close int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        exit(1);
}

static void peer_install(const struct bundle *b)
{
    char *paths[BUNDLE_PART_COUNT] = {0};
    struct err err = {0};
    for (int i = 0; i < BUNDLE_PART_COUNT; i++)
        paths[i] = xasprintf("%s/%s", b->dir, bundle_part_name((enum bundle_part)i));
    const char *const dgst[] = {"openssl", "dgst", "-sha256", paths[0], paths[1], paths[2], NULL};
    const char *const cp[] = {"cp", "--reflink=never", paths[0], paths[1], paths[2], slot, NULL};
    must(child_run(&(struct child_options){.argv = dgst}, NULL, &err), &err);
    must(file_mkdirs(slot, 0755, &err), &err);
    must(child_run(&(struct child_options){.argv = cp}, NULL, &err), &err);
    for (int i = 0; i < BUNDLE_PART_COUNT; i++) {
        auto_free char *copy = xasprintf("%s/%s", slot, bundle_part_name((enum bundle_part)i));
        sync_path(copy, O_RDONLY);
    }
    for (int i = 0; i < BUNDLE_PART_COUNT; i++)
        free(paths[i]);
    sync_path(slot, O_RDONLY | O_DIRECTORY);
}

int main(void)
{
    static struct bundle b;
    struct err err = {0};
    uint64_t ours[ROUNDS], theirs[ROUNDS];
    fixture_start();
    (void)str_format(slot, sizeof(slot), "%s/slot", fixture_dir);
    if (bundle_find("", &b, NULL) < 0) {
        char dir[128];
        (void)str_format(dir, sizeof(dir), "%s/bundle", fixture_dir);
        fixture_bundle(dir, (size_t)14 << 20);
        must(bundle_open(dir, &b, &err), &err);
    }
    for (int i = -1; i < ROUNDS; i++) { /* round -1 warms the cache */
        uint64_t begun = clock_mono_ms();
        must(bundle_install(&b, slot, NULL, &err), &err);
        uint64_t middle = clock_mono_ms();
        must(file_remove_tree(slot, &err), &err);
        uint64_t again = clock_mono_ms();
        peer_install(&b);
        uint64_t end = clock_mono_ms();
        must(file_remove_tree(slot, &err), &err);
        if (i >= 0) {
            ours[i] = middle - begun;
            theirs[i] = end - again;
        }
    }
    uint64_t a = median(ours), p = median(theirs);
    printf("install %.1f MB: %llu ms (min %llu); openssl dgst + cp + fsync: %llu ms (min %llu); "
           "ratio %.2f (goal 1.3)\n",
           (double)b.size / 1e6, (unsigned long long)a, (unsigned long long)ours[0],
           (unsigned long long)p, (unsigned long long)theirs[0], (double)a / (double)(p ? p : 1));
    return fixture_end();
}
