#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/host_judge.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int probe_works(const char *device)
{
    (void)device;
    return 0;
}

static int probe_missing(const char *device)
{
    (void)device;
    return ENOENT;
}

static int probe_denied(const char *device)
{
    (void)device;
    return EACCES;
}

static int probe_hangs(const char *device)
{
    (void)device;
    return pause();
}

static int probe_dies(const char *device)
{
    (void)device;
    _exit(3);
}

static char dir[32];

/* A machine with the flag and nothing loaded. */
static struct accel_sources machine(const char *flags)
{
    static char cpuinfo[64], modules[64];
    struct accel_sources s = accel_sources();
    STR_SET(dir, "/tmp/berth-accel-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    STR_SET(cpuinfo, dir);
    STR_SET(modules, dir);
    (void)strcat(cpuinfo, "/cpuinfo"); /* NOLINT */
    (void)strcat(modules, "/module");  /* NOLINT */
    auto_free char *text = xasprintf("processor\t: 0\nflags\t\t: fpu %s sse2\nbugs\t: x\n", flags);
    cr_assert_eq(file_write(cpuinfo, text, strlen(text), 0644, NULL), 0);
    cr_assert_eq(file_mkdirs(modules, 0755, NULL), 0);
    s.cpuinfo = cpuinfo;
    s.modules = modules;
    s.limit_ms = 300;
    s.probe = probe_works;
    return s;
}

static struct accel_choice detect(const struct accel_sources *s)
{
    struct accel_choice c;
    accel_detect(s, &c);
    (void)file_remove_tree(dir, NULL);
    return c;
}

Test(accel, takes_kvm_with_flag_and_device)
{
    struct accel_sources s = machine("vmx");
    cr_assert_eq(detect(&s).kind, ACCEL_KVM);
    s = machine("svm");
    cr_assert_eq(detect(&s).kind, ACCEL_KVM);
}

Test(accel, takes_tcg_without_the_flag_and_does_not_open_the_device)
{
    struct accel_sources s = machine("vmxnet svm_lock");
    s.probe = probe_hangs;
    uint64_t begun = clock_mono_ms();
    struct accel_choice c = detect(&s);
    cr_assert_eq(c.kind, ACCEL_TCG);
    cr_assert_not_null(strstr(c.why, "VT-x"));
    cr_assert_lt(clock_mono_ms() - begun, 250);
}

Test(accel, takes_tcg_with_the_module_that_hangs_guests)
{
    struct accel_sources s = machine("vmx");
    auto_free char *pvm = xasprintf("%s/kvm_pvm", s.modules);
    cr_assert_eq(file_mkdirs(pvm, 0755, NULL), 0);
    struct accel_choice c = detect(&s);
    cr_assert_eq(c.kind, ACCEL_TCG);
    cr_assert_not_null(strstr(c.why, "kvm_pvm"));
}

Test(accel, takes_tcg_without_the_device)
{
    struct accel_sources s = machine("vmx");
    s.probe = probe_missing;
    struct accel_choice c = detect(&s);
    cr_assert_eq(c.kind, ACCEL_TCG);
    cr_assert_not_null(strstr(c.hint, "modprobe"));
}

Test(accel, takes_tcg_in_time_where_the_device_hangs)
{
    struct accel_sources s = machine("vmx");
    s.probe = probe_hangs;
    uint64_t begun = clock_mono_ms();
    struct accel_choice c = detect(&s);
    cr_assert_eq(c.kind, ACCEL_TCG);
    cr_assert_not_null(strstr(c.why, "hangs"));
    cr_assert_lt(clock_mono_ms() - begun, 3000);
}

Test(accel, survives_a_probe_that_dies)
{
    struct accel_sources s = machine("vmx");
    s.probe = probe_dies;
    cr_assert_eq(detect(&s).kind, ACCEL_TCG);
}

Test(accel, counts_a_refusal_only_where_qemu_runs_as_us)
{
    struct accel_sources s = machine("vmx");
    s.probe = probe_denied;
    struct accel_choice c = detect(&s);
    cr_assert_eq(c.kind, ACCEL_TCG);
    cr_assert_not_null(strstr(c.hint, "adduser"));
    s = machine("vmx");
    s.probe = probe_denied;
    s.by_daemon = true;
    cr_assert_eq(detect(&s).kind, ACCEL_KVM);
}

Test(accel, real_probe_of_something_that_is_not_kvm_fails)
{
    struct accel_sources s = machine("vmx");
    s.probe = accel_sources().probe;
    s.device = "/dev/null";
    s.limit_ms = 2000;
    cr_assert_eq(detect(&s).kind, ACCEL_TCG);
}

Test(accel, follows_the_plan)
{
    struct accel_sources s = machine("");
    struct accel_choice c;
    struct err err = {0};
    cr_assert_eq(accel_choose("auto", &s, &c, &err), 0);
    cr_assert_eq(c.kind, ACCEL_TCG);
    cr_assert_eq(accel_choose("tcg", &s, &c, &err), 0);
    cr_assert_eq(accel_choose("kvm", &s, &c, &err), -1);
    cr_assert_eq(err.kind, ERR_UNSUPPORTED);
    cr_assert(err.hint[0]);
    cr_assert_eq(accel_choose("warp", &s, &c, &err), -1);
    cr_assert_eq(err.kind, ERR_INVALID);
    (void)file_remove_tree(dir, NULL);
}

static const struct vm_plan plan = {.accel = "auto", .cpus = 2, .memory_mib = 1024, .disk_gib = 16};

static void assert_check(const struct host_check *c, enum light light)
{
    cr_assert_eq(c->light, light, "%s: %s", c->label, c->text);
    cr_assert(c->id[0] && c->label[0] && c->text[0]);
    cr_assert(light == LIGHT_OK || c->hint[0], "%s has no hint", c->label);
}

Test(host, judges_memory)
{
    struct host_check c;
    struct host_size size = {.memory_free_mib = 4096};
    host_judge_memory(&c, &size, &plan);
    assert_check(&c, LIGHT_OK);
    size.memory_free_mib = 1400;
    host_judge_memory(&c, &size, &plan);
    assert_check(&c, LIGHT_WARN);
    size.memory_free_mib = 1100;
    host_judge_memory(&c, &size, &plan);
    assert_check(&c, LIGHT_BAD);
}

Test(host, does_not_miss_a_tpm)
{
    struct host_check c;
    struct host_tpm facts = {.programs = true, .asked = true, .model = "tpm-crb"};
    host_judge_tpm(&c, &facts);
    assert_check(&c, LIGHT_OK);
    facts.model[0] = '\0';
    host_judge_tpm(&c, &facts);
    assert_check(&c, LIGHT_OFF);
    cr_assert(strstr(c.hint, "restart libvirtd"), "%s", c.hint);
    facts.programs = false;
    host_judge_tpm(&c, &facts);
    assert_check(&c, LIGHT_OFF);
    cr_assert(strstr(c.hint, "apt-get install swtpm"), "%s", c.hint);
}

Test(host, says_for_which_vm_the_memory_is)
{
    const struct host_size size = {.memory_free_mib = 4096};
    struct vm_plan sized = {.memory_mib = 1024};
    struct host_check c;
    host_judge_memory(&c, &size, &sized);
    cr_assert(strstr(c.text, "the smallest VM needs"), "%s", c.text);
    STR_SET(sized.name, "edge-07");
    host_judge_memory(&c, &size, &sized);
    cr_assert(strstr(c.text, "(the VM needs"), "%s", c.text);
}

Test(host, judges_disk)
{
    struct host_check c;
    struct host_size size = {.disk_free = UINT64_C(40) << 30};
    host_judge_disk(&c, &size, 80 << 20, "/var/lib/berth", &plan);
    assert_check(&c, LIGHT_OK);
    size.disk_free = UINT64_C(10) << 30;
    host_judge_disk(&c, &size, 80 << 20, "/var/lib/berth", &plan);
    assert_check(&c, LIGHT_WARN);
    size.disk_free = UINT64_C(1) << 30;
    host_judge_disk(&c, &size, 80 << 20, "/var/lib/berth", &plan);
    assert_check(&c, LIGHT_BAD);
}

Test(host, judges_the_clock)
{
    struct host_check c;
    host_judge_clock(&c,
                     &(struct host_clock){.year = 2026, .synchronised = true, .offset_s = -.02});
    assert_check(&c, LIGHT_OK);
    host_judge_clock(&c, &(struct host_clock){.year = 2026});
    assert_check(&c, LIGHT_WARN);
    host_judge_clock(&c, &(struct host_clock){.year = 1970, .synchronised = true});
    assert_check(&c, LIGHT_BAD);
}

Test(host, judges_the_accelerator_by_what_the_plan_wants)
{
    struct host_check c;
    struct accel_choice tcg = {.kind = ACCEL_TCG, .why = "there is no /dev/kvm", .hint = "x"};
    struct accel_choice pvm = {.kind = ACCEL_TCG, .why = "the kernel's kvm_pvm module"};
    struct vm_plan wants_kvm = {.accel = "kvm"};
    struct vm_plan wants_tcg = {.accel = "tcg"};
    host_judge_accel(&c, &tcg, &plan);
    assert_check(&c, LIGHT_WARN);
    host_judge_accel(&c, &tcg, &wants_tcg);
    assert_check(&c, LIGHT_OK);
    host_judge_accel(&c, &pvm, &plan);
    assert_check(&c, LIGHT_WARN);
    host_judge_accel(&c, &pvm, &wants_kvm);
    assert_check(&c, LIGHT_BAD);
}

Test(host, judges_libvirt)
{
    struct host_check c;
    struct host_libvirt facts = {.installed = true, .starts_by_us = true};
    facts.why.kind = ERR_UNREACHABLE;
    host_judge_libvirt(&c, &facts);
    assert_check(&c, LIGHT_OK);
    facts.installed = false;
    host_judge_libvirt(&c, &facts);
    assert_check(&c, LIGHT_BAD);
    cr_assert_not_null(strstr(c.hint, "apt-get install"));
    facts = (struct host_libvirt){.installed = true, .why = {.msg = "it hangs", .hint = "restart"}};
    host_judge_libvirt(&c, &facts);
    assert_check(&c, LIGHT_BAD);
    cr_assert_str_eq(c.text, "it hangs");
}

Test(host, report_is_whole_on_this_machine)
{
    static struct host_report r;
    struct err err = {0};
    cr_assert_eq(setenv("BERTH_LIBVIRT_URI", "test:///default", 1), 0);
    cr_assert_eq(host_check(&plan, &r, &err), 0, "%s", err.msg);
    static const char *const ids[] = {"cpu",  "kvm",   "libvirt", "qemu", "memory",
                                      "disk", "clock", "image",   "tpm"};
    cr_assert_eq(r.n, ARRAY_LEN(ids));
    for (size_t i = 0; i < r.n; i++) {
        cr_expect_str_eq(r.checks[i].id, ids[i]);
        cr_expect(r.checks[i].text[0] != '\0', "%s has no text", ids[i]);
    }
    cr_assert_str_eq(r.uri, "test:///default");
    cr_assert(r.accel_why[0]);
}
