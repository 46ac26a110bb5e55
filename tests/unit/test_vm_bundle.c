#include "core/base/str.h"
#include "vm/bundle.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD                                                                                       \
    "{\"apiVersion\":\"berth/v1\",\"kind\":\"Bundle\",\"flavour\":\"builtin\",\"arch\":\"amd64\"," \
    "\"version\":\"1.2.3\",\"built\":\"2026-01-01T00:00:00Z\",\"cmdline\":\"console=ttyS0\","
#define ENTRY(name, size, sum) "{\"name\":\"" name "\",\"size\":" size ",\"sha256\":\"" sum "\"}"
#define KERNEL                 ENTRY("vmlinuz", "10", SUM)
#define INITRD                 ENTRY("initrd", "20", SUM)
#define ROOT                   ENTRY("root.squashfs", "30", SUM)
#define GOOD                   HEAD "\"files\":[" KERNEL "," INITRD "," ROOT "]}"

Test(bundle, reads_a_manifest)
{
    static struct bundle b;
    struct err err = {0};
    cr_assert_eq(bundle_parse(GOOD, strlen(GOOD), &b, &err), 0, "%s", err.msg);
    cr_assert_str_eq(b.version, "1.2.3");
    cr_assert_str_eq(b.cmdline, "console=ttyS0");
    cr_assert_eq(b.size, 60);
    cr_assert_eq(b.files[BUNDLE_ROOT].size, 30);
    cr_assert_str_eq(b.files[BUNDLE_INITRD].sha256, SUM);
}

Test(bundle, refuses_bad_manifests_and_says_which_member)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", ""},
        {"[]", "apiVersion"},
        {"{}", "apiVersion"},
        {"{\"apiVersion\":\"berth/v2\"}", "apiVersion"},
        {HEAD "\"files\":[]}", "vmlinuz"},
        {HEAD "\"files\":[" KERNEL "," INITRD "]}", "root.squashfs"},
        {HEAD "\"files\":[" KERNEL "," KERNEL "," INITRD "," ROOT "]}", "twice"},
        {HEAD "\"files\":[" ENTRY("../../etc/passwd", "1", SUM) "]}", "not part"},
        {HEAD "\"files\":[" ENTRY("vmlinuz", "0", SUM) "]}", "empty"},
        {HEAD "\"files\":[" ENTRY("vmlinuz", "-1", SUM) "]}", "size"},
        {HEAD "\"files\":[" ENTRY("vmlinuz", "1e300", SUM) "]}", "size"},
        {HEAD "\"files\":[" ENTRY("vmlinuz", "10", "abc") "]}", "64 hex"},
        {HEAD "\"files\":[" ENTRY("vmlinuz", "10", "Z" SUM) "]}", "64 hex"},
        {HEAD "\"files\":[7]}", ""},
        {HEAD "\"files\":7}", "files"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        static struct bundle b;
        struct err err = {0};
        cr_expect_eq(bundle_parse(bad[i].text, strlen(bad[i].text), &b, &err), -1, "%s",
                     bad[i].text);
        cr_expect_eq(err.kind, ERR_INVALID);
        cr_expect_not_null(strstr(err.msg, bad[i].why), "\"%s\" does not say %s", err.msg,
                           bad[i].why);
    }
}

Test(bundle, refuses_a_command_line_with_control_characters)
{
    static const char text[] =
        "{\"apiVersion\":\"berth/v1\",\"kind\":\"Bundle\",\"flavour\":\"builtin\",\"arch\":"
        "\"amd64\",\"version\":\"1\",\"built\":\"x\",\"cmdline\":\"a\\u001b[2Jb\",\"files\":"
        "[" KERNEL "," INITRD "," ROOT "]}";
    static struct bundle b;
    struct err err = {0};
    cr_assert_eq(bundle_parse(text, strlen(text), &b, &err), -1);
    cr_assert_not_null(strstr(err.msg, "cmdline"));
}

Test(bundle, refuses_a_manifest_that_is_too_large)
{
    static char text[BUNDLE_MANIFEST_MAX + 2];
    static struct bundle b;
    struct err err = {0};
    memset(text, ' ', sizeof(text));
    cr_assert_eq(bundle_parse(text, sizeof(text), &b, &err), -1);
    cr_assert_not_null(strstr(err.msg, "too large"));
}

Test(bundle, that_is_nowhere_says_how_to_get_one)
{
    static struct bundle b;
    struct err err = {0};
    cr_assert_eq(bundle_open("/nonexistent", &b, &err), -1);
    cr_assert_eq(err.kind, ERR_NOT_FOUND);
}
