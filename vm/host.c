/* See host.h. This file looks; host_judge.c says what it means. */
#include "vm/host.h"

#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/path.h"
#include "core/base/str.h"
#include "core/io/child.h"
#include "vm/bundle.h"
#include "vm/conn.h"
#include "vm/domain.h"
#include "vm/host_judge.h"
#include "vm/plan.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>

#if defined(__aarch64__)
#define QEMU_PROGRAM "/usr/bin/qemu-system-aarch64"
#else
#define QEMU_PROGRAM "/usr/bin/qemu-system-x86_64"
#endif
#define TOOL_LIMIT_MS 10000
#define MEMINFO_MAX   65536

/* -------------------------------------------------------------------------------------- size */

static uint32_t count_cpus(void)
{
    /* Those we may run on: a container may have fewer than the machine. */
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return (uint32_t)CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (uint32_t)n : 1;
}

/* "MemTotal:       16384 kB" as MiB; 0 where it is missing. */
static uint32_t meminfo_mib(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    if (!at)
        return 0;
    at += strlen(key);
    at += strspn(at, " ");
    auto_free char *digits = xstrndup(at, strspn(at, "0123456789"));
    uint64_t kib;
    return str_to_u64(digits, UINT64_MAX, &kib) ? (uint32_t)(kib / 1024) : 0;
}

/* Free bytes where PATH is or will be made: of its nearest folder that exists. */
static int disk_free(const char *path, uint64_t *ret_free, struct err *err)
{
    auto_free char *at = xstrdup(path);
    struct statvfs fs;
    while (statvfs(at, &fs) < 0) {
        char *slash = strrchr(at, '/');
        if (errno != ENOENT || !slash)
            return err_sys(err, errno, "look at %s", path);
        slash[slash == at] = '\0';
    }
    *ret_free = (uint64_t)fs.f_bavail * fs.f_frsize;
    return 0;
}

int host_size_read(struct host_size *ret_size, struct err *err)
{
    auto_buf struct buf text = {0};
    auto_free char *state = path_of(PATH_STATE, "%s", "");
    if (file_read("/proc/meminfo", MEMINFO_MAX, &text, err) < 0)
        return -1;
    struct host_size s = {
        .cpus = count_cpus(),
        .memory_mib = meminfo_mib(buf_str(&text), "MemTotal:"),
        .memory_free_mib = meminfo_mib(buf_str(&text), "MemAvailable:"),
    };
    if (disk_free(state, &s.disk_free, err) < 0)
        return -1;
    *ret_size = s;
    return 0;
}

/* ------------------------------------------------------------------------------------ looking */

static void look_at_libvirt(struct host_libvirt *facts, struct host_tpm *tpm)
{
    auto_vm_conn struct vm_conn *conn = NULL;
    facts->installed = file_exists("/usr/sbin/libvirtd");
    facts->starts_by_us = geteuid() == 0;
    STR_SET(facts->uri, facts->starts_by_us ? "qemu:///system" : "qemu:///session");
    if (vm_conn_open(NULL, 0, &conn, &facts->why) < 0)
        return;
    facts->open = tpm->asked = true;
    if (!domain_tpm(conn, tpm->model))
        tpm->model[0] = '\0';
    STR_SET(facts->uri, vm_conn_uri(conn));
    vm_conn_version_text(vm_conn_version(conn), facts->version, sizeof(facts->version));
}

/* "7.2.22" of "QEMU emulator version 7.2.22 (Debian ...)". */
static void look_at_qemu(char *to, size_t size)
{
    static const char *const argv[] = {QEMU_PROGRAM, "--version", NULL};
    struct child_options options = {.argv = argv, .timeout_ms = TOOL_LIMIT_MS};
    auto_child_result struct child_result result = {0};
    *to = '\0';
    if (child_run(&options, &result, NULL) < 0)
        return;
    const char *text = buf_str(&result.out);
    const char *version = strstr(text, "version ");
    version = version ? version + strlen("version ") : text;
    auto_free char *word = xstrndup(version, strcspn(version, " \n"));
    str_sanitise_to(to, size, word);
}

static void look_at_clock(struct host_clock *clock)
{
    struct timex t = {0};
    struct tm tm;
    time_t now = time(NULL);
    int state = adjtimex(&t);
    clock->year = gmtime_r(&now, &tm) ? tm.tm_year + 1900 : 0;
    clock->synchronised = state >= 0 && state != TIME_ERROR && !(t.status & STA_UNSYNC);
    clock->offset_s = (double)t.offset / (t.status & STA_NANO ? 1e9 : 1e6);
}

static uint64_t check_image(struct host_check *c, const struct vm_plan *plan)
{
    struct bundle *b = xcalloc(1, sizeof(*b));
    struct err why = {0};
    uint64_t size = 0;
    if (bundle_find(plan->bundle, b, &why) == 0) {
        char text[32];
        size = b->size;
        str_bytes(text, sizeof(text), size);
        host_check_set(c, "image", "Image", LIGHT_OK);
        (void)str_format(c->text, sizeof(c->text), "%s %s for %s, %s", b->flavour, b->version,
                         b->arch, text);
    } else {
        host_check_set(c, "image", "Image", LIGHT_BAD);
        STR_SET(c->text, why.msg);
        STR_SET(c->hint, why.hint);
    }
    free(b);
    return size;
}

static void check_accel(struct host_report *r, struct host_check *c, const struct vm_plan *plan)
{
    struct accel_sources sources = accel_sources();
    struct accel_choice choice;
    sources.by_daemon = geteuid() != 0 && str_eq(r->uri, "qemu:///system");
    accel_detect(&sources, &choice);
    host_judge_accel(c, &choice, plan);
    STR_SET(r->accel, accel_name(choice.kind));
    (void)str_format(r->accel_why, sizeof(r->accel_why), "%s: %s",
                     choice.kind == ACCEL_KVM ? "KVM" : "emulation (TCG)", choice.why);
}

int host_check(const struct vm_plan *plan, struct host_report *ret_report, struct err *err)
{
    struct host_size size;
    struct vm_plan smallest = {.accel = "auto",
                               .cpus = 1,
                               .memory_mib = PLAN_MEMORY_MIN_MIB,
                               .disk_gib = PLAN_DISK_MIN_GIB};
    if (!plan)
        plan = &smallest;
    if (host_size_read(&size, err) < 0)
        return err_wrap(err, "look at this computer");

    struct host_report r = {.n = 9};
    struct host_libvirt libvirt = {0};
    struct host_tpm tpm = {.programs = access("/usr/bin/swtpm", X_OK) == 0 &&
                                       access("/usr/bin/swtpm_setup", X_OK) == 0};
    struct host_clock clock;
    char qemu[64];
    auto_free char *state = path_of(PATH_STATE, "%s", "");
    look_at_libvirt(&libvirt, &tpm);
    look_at_qemu(qemu, sizeof(qemu));
    look_at_clock(&clock);
    STR_SET(r.uri, libvirt.uri);

    struct accel_sources sources = accel_sources();
    host_judge_cpu(&r.checks[0], &size, accel_cpu_has_flag(sources.cpuinfo), plan);
    check_accel(&r, &r.checks[1], plan);
    host_judge_libvirt(&r.checks[2], &libvirt);
    host_judge_qemu(&r.checks[3], qemu, access("/usr/bin/qemu-img", X_OK) == 0);
    host_judge_memory(&r.checks[4], &size, plan);
    uint64_t image = check_image(&r.checks[7], plan);
    host_judge_disk(&r.checks[5], &size, image, state, plan);
    host_judge_clock(&r.checks[6], &clock);
    host_judge_tpm(&r.checks[8], &tpm);
    *ret_report = r;
    return 0;
}
