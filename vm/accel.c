/* See accel.h. */
#include "vm/accel.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#define CPUINFO_MAX (16 << 20) /* some KiB a core, and there are machines with hundreds */

static int probe_kvm(const char *device);
static int probe_in_child(const struct accel_sources *s);
static void explain(struct accel_choice *c, const struct accel_sources *s, int why);

struct accel_sources accel_sources(void)
{
    return (struct accel_sources){
        .cpuinfo = "/proc/cpuinfo",
        .device = "/dev/kvm",
        .modules = "/sys/module",
        .probe = probe_kvm,
        .limit_ms = 2000,
        .by_daemon = false,
    };
}

const char *accel_name(enum accel_kind kind)
{
    return kind == ACCEL_KVM ? "kvm" : "tcg";
}

void accel_detect(const struct accel_sources *sources, struct accel_choice *ret_choice)
{
    struct accel_choice c = {.kind = ACCEL_TCG};
    auto_free char *pvm = xasprintf("%s/kvm_pvm", sources->modules);

    /* The cheap questions first: a device that may hang is only opened where KVM could work at all.
     */
    if (!accel_cpu_has_flag(sources->cpuinfo)) {
        STR_SET(c.why, "the processor shows no VT-x or AMD-V");
        STR_SET(c.hint,
                "Turn virtualisation on in the firmware (or nested virtualisation on the host "
                "above this one). Without it the VM works, several times slower.");
    } else if (file_exists(pvm)) {
        STR_SET(c.why, "the kernel's kvm_pvm module cannot run this guest");
    } else {
        explain(&c, sources, probe_in_child(sources));
    }
    *ret_choice = c;
}

int accel_choose(const char *wanted, const struct accel_sources *sources,
                 struct accel_choice *ret_choice, struct err *err)
{
    struct accel_choice c = {.kind = ACCEL_TCG};
    if (str_eq(wanted, "tcg")) {
        STR_SET(c.why, "chosen in the plan");
        *ret_choice = c;
        return 0;
    }
    if (!str_eq(wanted, "auto") && !str_eq(wanted, "kvm")) {
        err_set(err, ERR_INVALID, "accel: \"%s\" is not known", wanted);
        return err_hint(err, "Use auto, kvm or tcg.");
    }
    accel_detect(sources, &c);
    if (str_eq(wanted, "kvm") && c.kind != ACCEL_KVM) {
        err_set(err, ERR_UNSUPPORTED, "accel: KVM cannot be used here: %s", c.why);
        return err_hint(err, "%s", c.hint[0] ? c.hint : "Choose \"auto\" in the plan.");
    }
    *ret_choice = c;
    return 0;
}

static void explain(struct accel_choice *c, const struct accel_sources *s, int why)
{
    if (why == EACCES && s->by_daemon)
        why = 0; /* QEMU's own user is in group kvm, whatever ours is */
    switch (why) {
    case 0:
        c->kind = ACCEL_KVM;
        STR_SET(c->why, "VT-x or AMD-V, and /dev/kvm answers");
        break;
    case ENOENT:
    case ENODEV:
    case ENXIO:
        STR_SET(c->why, "there is no /dev/kvm");
        STR_SET(c->hint, "Load the module: modprobe kvm_intel, or modprobe kvm_amd.");
        break;
    case EACCES:
    case EPERM:
        STR_SET(c->why, "/dev/kvm may not be opened by this user");
        STR_SET(c->hint, "Have root add you to the group: adduser NAME kvm. Then log in again.");
        break;
    case ETIMEDOUT:
        STR_SET(c->why, "/dev/kvm does not answer: it hangs");
        STR_SET(c->hint,
                "Look at the end of dmesg. Until this is repaired the VM runs without KVM.");
        break;
    default:
        (void)str_format(c->why, sizeof(c->why), "/dev/kvm does not work: %s",
                         strerrordesc_np(why));
        STR_SET(c->hint,
                "Look at the end of dmesg. Until this is repaired the VM runs without KVM.");
        break;
    }
}

/* One "flags" line of /proc/cpuinfo with vmx or svm as a whole word. */
bool accel_cpu_has_flag(const char *cpuinfo)
{
    auto_buf struct buf text = {0};
    if (file_read(cpuinfo, CPUINFO_MAX, &text, NULL) < 0)
        return false;
    const char *line = text.data;
    while (line && *line) {
        const char *end = strchrnul(line, '\n');
        if (str_starts(line, "flags")) {
            auto_free char *flags = xasprintf("%.*s ", (int)(end - line), line);
            return strstr(flags, " vmx ") || strstr(flags, " svm ");
        }
        line = *end ? end + 1 : end;
    }
    return false;
}

/* In the child: opening, asking the version and making an empty VM is what QEMU would do first. */
static int probe_kvm(const char *device)
{
    auto_close int fd = open(device, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int version = ioctl(fd, KVM_GET_API_VERSION, 0);
    if (version < 0)
        return errno;
    if (version != KVM_API_VERSION)
        return EPROTO;
    return ioctl(fd, KVM_CREATE_VM, 0) < 0 ? errno : 0;
}

/* The grandchild belongs to init: where it hangs for good, no zombie of ours remains and nobody
 * waits for it. Only async-signal-safe calls between fork and _exit, since other threads of ours
 * may hold any lock. */
static void run_probe(const struct accel_sources *s, int to)
{
    if (fork() != 0)
        _exit(0);
    /* A probe that hangs must not keep our locks and sockets open for others. */
    (void)close_range((unsigned int)to + 1, ~0U, 0);
    if (to > 3)
        (void)close_range(3, (unsigned int)to - 1, 0);
    (void)alarm(s->limit_ms / 1000 + 5);
    int why = s->probe(s->device);
    (void)!write(to, &why, sizeof(why));
    _exit(0);
}

static int read_answer(int from, uint64_t deadline)
{
    for (;;) {
        uint64_t now = clock_mono_ms();
        struct pollfd p = {.fd = from, .events = POLLIN};
        int n = now < deadline ? poll(&p, 1, (int)(deadline - now)) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return ETIMEDOUT;
        int why;
        return read(from, &why, sizeof(why)) == (ssize_t)sizeof(why) ? why : EIO;
    }
}

static int probe_in_child(const struct accel_sources *s)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return errno;
    auto_close int from = fds[0];
    pid_t child = fork();
    if (child == 0)
        run_probe(s, fds[1]);
    int why = errno;
    (void)close(fds[1]);
    if (child < 0)
        return why;
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    return read_answer(from, clock_mono_ms() + s->limit_ms);
}
