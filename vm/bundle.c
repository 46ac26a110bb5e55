/* A bundle's manifest: parsing, opening, finding. Copying and hashing are in bundle_install.c. */
#include "vm/bundle.h"

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/path.h"
#include "core/base/str.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#if defined(__x86_64__)
#define HOST_ARCH "amd64"
#elif defined(__aarch64__)
#define HOST_ARCH "arm64"
#else
#define HOST_ARCH "unknown"
#endif

static const char *const part_names[] = {
    [BUNDLE_KERNEL] = "vmlinuz",
    [BUNDLE_INITRD] = "initrd",
    [BUNDLE_ROOT] = "root.squashfs",
};
_Static_assert(ARRAY_LEN(part_names) == BUNDLE_PART_COUNT, "a name for every part");

const char *bundle_part_name(enum bundle_part part)
{
    return part_names[part];
}

/* ---------------------------------------------------------------------------------- manifest */

/* A required member as printable ASCII that fits its field whole: nothing of it is cut in silence.
 */
static int copy_text(const cJSON *o, const char *key, char *to, size_t size, struct err *err)
{
    const char *text;
    if (json_need_str(o, key, &text, err) < 0)
        return -1;
    for (const char *p = text; *p; p++)
        if (*p < ' ' || *p > '~')
            return err_set(err, ERR_INVALID, "\"%s\" has characters that do not belong there", key);
    if (!*text)
        return err_set(err, ERR_INVALID, "\"%s\" is empty", key);
    if (!str_copy(to, size, text))
        return err_set(err, ERR_INVALID, "\"%s\" is too long", key);
    return 0;
}

static int need_value(const cJSON *o, const char *key, const char *expected, struct err *err)
{
    const char *text;
    if (json_need_str(o, key, &text, err) < 0)
        return -1;
    if (str_eq(text, expected))
        return 0;
    char shown[64];
    str_sanitise_to(shown, sizeof(shown), text);
    return err_set(err, ERR_INVALID, "\"%s\" is \"%s\", not \"%s\"", key, shown, expected);
}

static int find_part(const char *name)
{
    for (int i = 0; i < BUNDLE_PART_COUNT; i++)
        if (str_eq(name, part_names[i]))
            return i;
    return -1;
}

static int parse_file(const cJSON *o, struct bundle *b, struct err *err)
{
    const char *name, *sum;
    uint64_t size;
    if (json_need_str(o, "name", &name, err) < 0 || json_need_str(o, "sha256", &sum, err) < 0 ||
        json_need_u64(o, "size", BUNDLE_FILE_MAX, &size, err) < 0)
        return -1;
    int part = find_part(name);
    if (part < 0) {
        char shown[64];
        str_sanitise_to(shown, sizeof(shown), name);
        return err_set(err, ERR_INVALID, "file \"%s\" is not part of a bundle", shown);
    }
    struct bundle_file *f = &b->files[part];
    if (f->size)
        return err_set(err, ERR_INVALID, "file \"%s\" is listed twice", name);
    if (size == 0)
        return err_set(err, ERR_INVALID, "file \"%s\" is empty", name);
    if (strlen(sum) != 64 || strspn(sum, "0123456789abcdef") != 64)
        return err_set(err, ERR_INVALID, "file \"%s\": \"sha256\" is not 64 hex digits", name);
    f->size = size;
    STR_SET(f->sha256, sum);
    b->size += size;
    return 0;
}

static int parse_files(const cJSON *root, struct bundle *b, struct err *err)
{
    const cJSON *files;
    if (json_need_array(root, "files", &files, err) < 0)
        return -1;
    for (const cJSON *at = files->child; at; at = at->next)
        if (parse_file(at, b, err) < 0)
            return -1;
    for (int i = 0; i < BUNDLE_PART_COUNT; i++)
        if (!b->files[i].size)
            return err_set(err, ERR_INVALID, "file \"%s\" is not listed", part_names[i]);
    return 0;
}

int bundle_parse(const char *data, size_t len, struct bundle *ret_bundle, struct err *err)
{
    struct err why = {0};
    struct bundle b = {0};
    auto_json cJSON *o = len <= BUNDLE_MANIFEST_MAX ? json_parse(data, len, &why) : NULL;
    if (len > BUNDLE_MANIFEST_MAX)
        err_set(&why, ERR_INVALID, "it is too large");
    else if (o && need_value(o, "apiVersion", "berth/v1", &why) == 0 &&
             need_value(o, "kind", "Bundle", &why) == 0 &&
             copy_text(o, "flavour", b.flavour, sizeof(b.flavour), &why) == 0 &&
             copy_text(o, "arch", b.arch, sizeof(b.arch), &why) == 0 &&
             copy_text(o, "version", b.version, sizeof(b.version), &why) == 0 &&
             copy_text(o, "built", b.built, sizeof(b.built), &why) == 0 &&
             copy_text(o, "cmdline", b.cmdline, sizeof(b.cmdline), &why) == 0 &&
             parse_files(o, &b, &why) == 0) {
        *ret_bundle = b;
        return 0;
    }
    return err_set(err, ERR_INVALID, "the bundle's manifest is damaged: %s", why.msg);
}

/* ------------------------------------------------------------------------------------ folder */

static int check_sizes(const struct bundle *b, struct err *err)
{
    for (int i = 0; i < BUNDLE_PART_COUNT; i++) {
        auto_free char *path = xasprintf("%s/%s", b->dir, part_names[i]);
        struct stat st;
        if (stat(path, &st) < 0) {
            err_sys(err, errno, "bundle file %s", path);
            return err_hint(err, "The bundle is incomplete: copy or build it again (make bundle).");
        }
        if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != b->files[i].size) {
            err_set(err, ERR_INVALID, "bundle file %s has %lld bytes, its manifest says %llu", path,
                    (long long)st.st_size, (unsigned long long)b->files[i].size);
            return err_hint(err, "The bundle is incomplete: copy or build it again (make bundle).");
        }
    }
    return 0;
}

int bundle_open(const char *dir, struct bundle *ret_bundle, struct err *err)
{
    auto_free char *path = xasprintf("%s/" BUNDLE_MANIFEST, dir);
    auto_buf struct buf text = {0};
    struct bundle b;
    if (file_read(path, BUNDLE_MANIFEST_MAX, &text, err) < 0)
        return -1;
    if (bundle_parse(buf_str(&text), text.len, &b, err) < 0)
        return err_wrap(err, "%s", dir);
    if (!str_copy(b.dir, sizeof(b.dir), dir))
        return err_set(err, ERR_INVALID, "the path of the bundle is too long");
    if (!str_eq(b.arch, HOST_ARCH)) {
        err_set(err, ERR_UNSUPPORTED, "bundle %s is made for %s computers", dir, b.arch);
        return err_hint(err, "This computer needs a bundle for %s.", HOST_ARCH);
    }
    if (check_sizes(&b, err) < 0)
        return -1;
    *ret_bundle = b;
    return 0;
}

/* The folder of our own program, "" where it cannot be told. */
static void exe_dir(char *to, size_t size)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    (void)str_copy(to, size, path);
}

int bundle_find(const char *dir, struct bundle *ret_bundle, struct err *err)
{
    if (*dir)
        return bundle_open(dir, ret_bundle, err);
    const char *env = getenv("BERTH_BUNDLE"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
    if (env && *env)
        return bundle_open(env, ret_bundle, err);

    char exe[PATH_MAX];
    exe_dir(exe, sizeof(exe));
    auto_free char *tree = xasprintf("%s/../bundle/builtin-" HOST_ARCH, exe);
    auto_free char *cache = path_of(PATH_CACHE, "bundle/builtin-" HOST_ARCH);
    const char *const places[] = {tree, "/usr/share/berth/bundle/builtin-" HOST_ARCH, cache};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        auto_free char *manifest = xasprintf("%s/" BUNDLE_MANIFEST, places[i]);
        /* One that is there but damaged is reported, not passed over. */
        if (file_exists(manifest))
            return bundle_open(places[i], ret_bundle, err);
    }
    err_set(err, ERR_NOT_FOUND, "no guest image was found on this computer");
    return err_hint(err, "In the source tree run: make bundle. Or put a bundle into %s.", cache);
}
