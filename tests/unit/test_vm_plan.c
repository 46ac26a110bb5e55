#include "core/base/str.h"
#include "vm/plan.h"
#include "vm/record.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

static const struct host_size host = {
    .cpus = 4, .memory_mib = 8192, .memory_free_mib = 6000, .disk_free = UINT64_C(100) << 30};

static struct vm_plan good_plan(void)
{
    struct vm_plan p;
    plan_default(&host, "edge-07", &p);
    return p;
}

static void assert_refused(const struct vm_plan *p, const char *field)
{
    struct err err = {0};
    cr_assert_eq(plan_check(p, &host, &err), -1, "%s was accepted", field);
    cr_assert_eq(err.kind, ERR_INVALID);
    cr_assert(str_starts(err.msg, field), "\"%s\" does not name %s", err.msg, field);
    cr_assert(err.hint[0], "no hint for %s", field);
}

Test(plan, default_is_valid_and_named_after_the_host)
{
    struct vm_plan p = good_plan();
    struct err err = {0};
    cr_assert_str_eq(p.name, "edge-07-vm");
    cr_assert_eq(plan_check(&p, &host, &err), 0, "%s", err.msg);
}

Test(plan, default_fits_the_smallest_host)
{
    struct host_size tiny = {.cpus = 1, .memory_mib = 900, .disk_free = UINT64_C(5) << 30};
    struct vm_plan p;
    struct err err = {0};
    plan_default(&tiny, "x", &p);
    cr_assert_eq(plan_check(&p, &tiny, &err), 0, "%s", err.msg);
    cr_assert_eq(p.cpus, 1);
    cr_assert_eq(p.memory_mib, 450);
    cr_assert_eq(p.disk_gib, 5);
}

Test(plan, makes_a_valid_name_of_any_host_name)
{
    static const char *const hosts[][2] = {
        {"Werk_3.example.com", "werk-3-vm"},
        {"1234", "edge-vm"},
        {"", "edge-vm"},
        {"7-up", "up-vm"},
        {"m\xc3\xbcnchen", "mnchen-vm"},
        {"a-.b", "a-vm"},
    };
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct vm_plan p;
        plan_default(&host, hosts[i][0], &p);
        cr_expect_str_eq(p.name, hosts[i][1]);
    }
    char longest[300];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    struct vm_plan p;
    struct err err = {0};
    plan_default(&host, longest, &p);
    cr_assert_eq(plan_check(&p, &host, &err), 0, "%s", err.msg);
}

Test(plan, refuses_names_that_could_leave_the_folder_or_confuse_a_host_name)
{
    static const char *const names[] = {
        "",   ".",   "..",  "a/b",      "../x",
        "-a", "a-",  "A",   "a b",      "a.b",
        "1a", "a\n", "a_b", "\xc3\xa4", "a12345678901234567890123456789012345678901"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct err err = {0};
        cr_expect_eq(plan_check_name(names[i], &err), -1, "\"%s\" was accepted", names[i]);
        cr_expect(str_starts(err.msg, "name:"));
        cr_expect_null(strpbrk(err.msg, "\n\033"));
    }
}

Test(plan, names_the_field_that_is_wrong)
{
    struct vm_plan p = good_plan();
    p.cpus = 5;
    assert_refused(&p, "cpus:");
    p = good_plan();
    p.cpus = 0;
    assert_refused(&p, "cpus:");
    p = good_plan();
    p.memory_mib = 255;
    assert_refused(&p, "memory:");
    p.memory_mib = 8193;
    assert_refused(&p, "memory:");
    p = good_plan();
    p.disk_gib = 1;
    assert_refused(&p, "disk:");
    p.disk_gib = 2049;
    assert_refused(&p, "disk:");
    p = good_plan();
    STR_SET(p.accel, "hvf");
    assert_refused(&p, "accel:");
    p = good_plan();
    p.network = VM_NETWORK_COUNT;
    assert_refused(&p, "network:");
    p = good_plan();
    STR_SET(p.bundle, "relative/path");
    assert_refused(&p, "bundle:");
}

Test(record, comes_back_as_it_was_written)
{
    struct vm_plan plan = good_plan();
    struct vm_record r, back;
    struct err err = {0};
    auto_buf struct buf text = {0};
    record_init(&r, &plan);
    r.ssh_port = 22001;
    r.started_ms = 1700000000123;
    STR_SET(r.host_key, "ssh-ed25519 AAAAC3 edge \"quoted\"");
    STR_SET(r.bundle_version, "0.1.0");
    STR_SET(r.accel, "tcg");
    STR_SET(r.uri, "qemu:///session");
    STR_SET(r.by, "root");
    record_print(&r, &text);
    cr_assert_eq(record_parse(text.data, text.len, &back, &err), 0, "%s", err.msg);
    cr_assert_eq(memcmp(&r, &back, sizeof(r)), 0);
}

Test(record, gives_every_vm_an_identity_of_its_own)
{
    struct vm_plan plan = good_plan();
    struct vm_record a, b;
    record_init(&a, &plan);
    record_init(&b, &plan);
    cr_assert_str_neq(a.uuid, b.uuid);
    cr_assert_eq(strlen(a.uuid), 36);
    cr_assert_eq(a.uuid[14], '4');
    cr_assert(str_starts(a.mac, "52:54:00:"));
    cr_assert_eq(strlen(a.mac), 17);
}

static int parse_changed(const char *from, const char *to, struct err *err)
{
    struct vm_plan plan = good_plan();
    struct vm_record r, back;
    auto_buf struct buf text = {0};
    auto_buf struct buf changed = {0};
    record_init(&r, &plan);
    record_print(&r, &text);
    const char *at = strstr(text.data, from);
    cr_assert_not_null(at, "%s is not in %s", from, text.data);
    buf_append(&changed, text.data, (size_t)(at - text.data));
    buf_puts(&changed, to);
    buf_puts(&changed, at + strlen(from));
    return record_parse(changed.data, changed.len, &back, err);
}

Test(record, refuses_what_would_lead_out_of_its_folder_or_was_damaged)
{
    struct err err = {0};
    cr_expect_eq(parse_changed("\"slot-a\"", "\"../../etc\"", &err), -1);
    cr_expect_eq(err.kind, ERR_PROTOCOL);
    cr_expect_eq(parse_changed("\"edge-07-vm\"", "\"../x\"", &err), -1);
    cr_expect_eq(parse_changed("\"sshPort\":0", "\"sshPort\":70000", &err), -1);
    cr_expect_eq(parse_changed("\"network\":\"user\"", "\"network\":\"moon\"", &err), -1);
    cr_expect_eq(parse_changed("\"cpus\":2", "\"cpus\":-2", &err), -1);
}

Test(record, of_a_newer_berth_says_so)
{
    struct err err = {0};
    cr_assert_eq(parse_changed("\"schema\":1", "\"schema\":2", &err), -1);
    cr_assert_not_null(strstr(err.msg, "newer"));
    cr_assert_not_null(strstr(err.hint, "Update"));
}
