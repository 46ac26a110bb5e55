/* What a found figure means for the plan, in words for a technician. Pure: host.c finds the
 * figures. */
#ifndef BERTH_VM_HOST_JUDGE_H
#define BERTH_VM_HOST_JUDGE_H

#include "vm/accel.h"
#include "vm/host.h"
#include "vm/tpm.h"

struct host_clock {
    int year;
    bool synchronised;
    double offset_s;
};

struct host_libvirt {
    bool open;         /* a connection could be made */
    bool installed;    /* its programs are there */
    bool starts_by_us; /* root: the daemon is started when a VM is installed */
    char uri[64];
    char version[16];
    struct err why; /* where it could not be opened */
};

struct host_tpm {
    bool programs;             /* swtpm and what sets it up */
    bool asked;                /* libvirt could be */
    char model[TPM_MODEL_MAX]; /* that libvirt offers; "": none */
};

/* All fill id, label, text, hint and light of C. PLAN is never NULL. */
void host_judge_cpu(struct host_check *c, const struct host_size *size, bool has_flag,
                    const struct vm_plan *plan);
void host_judge_accel(struct host_check *c, const struct accel_choice *accel,
                      const struct vm_plan *plan);
void host_judge_libvirt(struct host_check *c, const struct host_libvirt *facts);
/* VERSION: QEMU's first line of --version, "" where it is missing. */
void host_judge_qemu(struct host_check *c, const char *version, bool has_img);
void host_judge_memory(struct host_check *c, const struct host_size *size,
                       const struct vm_plan *plan);
/* IMAGE: bytes of the guest image, copied into the VM's folder. */
void host_judge_disk(struct host_check *c, const struct host_size *size, uint64_t image,
                     const char *folder, const struct vm_plan *plan);
void host_judge_clock(struct host_check *c, const struct host_clock *clock);

void host_judge_tpm(struct host_check *c, const struct host_tpm *facts);

/* Sets the four parts of a check. */
void host_check_set(struct host_check *c, const char *id, const char *label, enum light light);

#endif
