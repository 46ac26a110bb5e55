/* See host_judge.h. */
#include "vm/host_judge.h"

#include "core/base/str.h"

#include <math.h>

#define QEMU_OVERHEAD_MIB \
    192 /* measured: 150 MiB above the guest's memory, with the TCG cache at 128 MiB */
#define MEMORY_COMFORT_MIB 512 /* for everything else on the host */
#define DISK_COMFORT       (UINT64_C(2) << 30)
#define CLOCK_YEAR_MIN     2025
#define CLOCK_YEAR_MAX     2100

void host_check_set(struct host_check *c, const char *id, const char *label, enum light light)
{
    *c = (struct host_check){.light = light};
    STR_SET(c->id, id);
    STR_SET(c->label, label);
}

#define TEXT(c, ...) ((void)str_format((c)->text, sizeof((c)->text), __VA_ARGS__))
#define HINT(c, ...) ((void)str_format((c)->hint, sizeof((c)->hint), __VA_ARGS__))

void host_judge_cpu(struct host_check *c, const struct host_size *size, bool has_flag,
                    const struct vm_plan *plan)
{
    host_check_set(c, "cpu", "Processor", LIGHT_OK);
    TEXT(c, "%u processor%s, %s", size->cpus, size->cpus == 1 ? "" : "s",
         has_flag ? "VT-x or AMD-V present" : "no VT-x or AMD-V to be seen");
    if (plan->cpus <= size->cpus)
        return;
    c->light = LIGHT_BAD;
    HINT(c, "The plan wants %u processors. Choose at most %u.", plan->cpus, size->cpus);
}

void host_judge_accel(struct host_check *c, const struct accel_choice *accel,
                      const struct vm_plan *plan)
{
    host_check_set(c, "kvm", "KVM", LIGHT_OK);
    STR_SET(c->text, accel->why);
    if (accel->kind == ACCEL_KVM)
        return;
    if (str_eq(plan->accel, "tcg")) {
        TEXT(c, "not used: the plan chooses emulation");
        return;
    }
    c->light = LIGHT_WARN;
    TEXT(c, "not usable: %s. The VM is emulated, several times slower", accel->why);
    STR_SET(c->hint, accel->hint[0] ? accel->hint : "You can go on: the VM works without it.");
    if (str_eq(plan->accel, "kvm")) {
        c->light = LIGHT_BAD;
        TEXT(c, "not usable: %s", accel->why);
        if (!accel->hint[0])
            HINT(c, "Choose \"auto\" in the plan.");
    }
}

void host_judge_libvirt(struct host_check *c, const struct host_libvirt *facts)
{
    host_check_set(c, "libvirt", "libvirt", LIGHT_OK);
    if (facts->open) {
        TEXT(c, "%s, %s, you may manage it", facts->version, facts->uri);
    } else if (!facts->installed) {
        c->light = LIGHT_BAD;
        TEXT(c, "is not installed");
        HINT(c, "Install it: apt-get install libvirt-daemon-system");
    } else if (facts->starts_by_us && facts->why.kind == ERR_UNREACHABLE) {
        TEXT(c, "installed, not running; it is started when the VM is installed");
    } else {
        c->light = LIGHT_BAD;
        TEXT(c, "%s", facts->why.msg);
        HINT(c, "%s", facts->why.hint);
    }
}

void host_judge_qemu(struct host_check *c, const char *version, bool has_img)
{
    host_check_set(c, "qemu", "QEMU", LIGHT_OK);
    TEXT(c, "%s", version);
    if (*version && has_img)
        return;
    c->light = LIGHT_BAD;
    TEXT(c, *version ? "qemu-img is not installed" : "is not installed");
    HINT(c, "Install it: apt-get install qemu-system-x86 qemu-utils");
}

/* Before there is a plan, the check is made for the smallest VM, which has no name. */
static const char *whose(const struct vm_plan *plan)
{
    return plan->name[0] ? "the VM" : "the smallest VM";
}

void host_judge_memory(struct host_check *c, const struct host_size *size,
                       const struct vm_plan *plan)
{
    uint64_t need = (uint64_t)plan->memory_mib + QEMU_OVERHEAD_MIB;
    char have_text[32], need_text[32];
    str_bytes(have_text, sizeof(have_text), (uint64_t)size->memory_free_mib << 20);
    str_bytes(need_text, sizeof(need_text), need << 20);
    host_check_set(c, "memory", "Memory", LIGHT_OK);
    TEXT(c, "%s free (%s needs %s)", have_text, whose(plan), need_text);
    if (size->memory_free_mib < need) {
        c->light = LIGHT_BAD;
        HINT(c, "End other programs, or choose less memory for the VM.");
    } else if (size->memory_free_mib < need + MEMORY_COMFORT_MIB) {
        c->light = LIGHT_WARN;
        HINT(c, "Little is left for this computer itself. Choose less memory for the VM if it "
                "becomes slow.");
    }
}

void host_judge_disk(struct host_check *c, const struct host_size *size, uint64_t image,
                     const char *folder, const struct vm_plan *plan)
{
    uint64_t full = image + ((uint64_t)plan->disk_gib << 30);
    char have_text[32], full_text[32];
    str_bytes(have_text, sizeof(have_text), size->disk_free);
    str_bytes(full_text, sizeof(full_text), full);
    host_check_set(c, "disk", "Disk", LIGHT_OK);
    TEXT(c, "%s free on %s (%s can grow to %s)", have_text, folder, whose(plan), full_text);
    if (size->disk_free < image + DISK_COMFORT) {
        c->light = LIGHT_BAD;
        HINT(c, "Free some space there: the image and the first modules do not fit.");
    } else if (size->disk_free < full) {
        c->light = LIGHT_WARN;
        HINT(c,
             "The VM's disk grows as it fills and could fill this one. Choose a smaller disk, or "
             "free some space.");
    }
}

void host_judge_clock(struct host_check *c, const struct host_clock *clock)
{
    host_check_set(c, "clock", "Clock", LIGHT_OK);
    if (clock->year < CLOCK_YEAR_MIN || clock->year > CLOCK_YEAR_MAX) {
        c->light = LIGHT_BAD;
        TEXT(c, "is wrong: it shows the year %d", clock->year);
        HINT(c, "Set it: timedatectl set-time 'YYYY-MM-DD hh:mm:ss'. No cloud accepts a device "
                "with a wrong "
                "clock.");
    } else if (!clock->synchronised) {
        c->light = LIGHT_WARN;
        TEXT(c, "nothing keeps it synchronised");
        HINT(c, "Let it follow a time server: apt-get install systemd-timesyncd (or chrony). More "
                "than a few "
                "minutes off, the cloud refuses the device.");
    } else {
        TEXT(c, "synchronised, offset %.2f s", fabs(clock->offset_s));
    }
}

/* Nobody needs one who does not enrol devices by it: its lack is no warning. */
void host_judge_tpm(struct host_check *c, const struct host_tpm *facts)
{
    host_check_set(c, "tpm", "TPM", LIGHT_OK);
    if (facts->model[0]) {
        TEXT(c, "each VM gets a TPM 2.0 of its own (swtpm)");
    } else if (facts->programs && !facts->asked) {
        TEXT(c, "swtpm is installed");
    } else {
        c->light = LIGHT_OFF;
        TEXT(c, "none for VMs; only devices that are provisioned by a TPM need one");
        HINT(c, facts->programs
                    ? "libvirt does not see swtpm yet: systemctl restart libvirtd"
                    : "To have one, install it: apt-get install swtpm swtpm-tools. A VM gets its "
                      "TPM when it is started the next time.");
    }
}
