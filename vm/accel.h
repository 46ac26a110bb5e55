/* KVM or TCG, and why. KVM is taken only where the CPU has the flag, the device answers within its
 * limit and the module is not kvm_pvm (which opens fine and then hangs real guests). The device is
 * opened by a short-lived child, so that one which hangs never takes us with it. */
#ifndef BERTH_VM_ACCEL_H
#define BERTH_VM_ACCEL_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Where the facts come from. accel_sources() gives the real machine; tests point elsewhere. */
struct accel_sources {
    const char *cpuinfo; /* /proc/cpuinfo */
    const char *device;  /* /dev/kvm */
    const char *modules; /* /sys/module: a folder a loaded module */
    int (*probe)(
        const char *device); /* runs in a child: 0 usable, else an errno. Async-signal-safe */
    uint32_t limit_ms;       /* for the probe */
    bool by_daemon;          /* QEMU runs as another user than ours: EACCES here says nothing */
};
struct accel_sources accel_sources(void);

enum accel_kind { ACCEL_TCG, ACCEL_KVM };

struct accel_choice {
    enum accel_kind kind;
    char why[160];  /* "VT-x and /dev/kvm usable", or what is missing */
    char hint[240]; /* how to get KVM; empty where nothing can be done or needed */
};
const char *accel_name(enum accel_kind kind); /* "tcg", "kvm" */

/* A processor of this computer has VT-x (vmx) or AMD-V (svm). */
bool accel_cpu_has_flag(const char *cpuinfo);

/* What `auto` gives here. Blocks at most limit_ms. Never fails: where in doubt it is TCG. */
void accel_detect(const struct accel_sources *sources, struct accel_choice *ret_choice);

/* The plan's word ("auto", "kvm", "tcg") against what the host has. ERR_UNSUPPORTED where "kvm" is
 * asked for in vain. */
int accel_choose(const char *wanted, const struct accel_sources *sources,
                 struct accel_choice *ret_choice, struct err *err);

#endif
