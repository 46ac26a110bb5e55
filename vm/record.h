/* What the host remembers about one VM: STATE/vms/NAME/vm.json, written whole or not at all. No
 * secrets in it. */
#ifndef BERTH_VM_RECORD_H
#define BERTH_VM_RECORD_H

#include "core/base/buf.h"
#include "core/base/model.h"
#include "core/base/uuid.h"

#define RECORD_MAC_MAX 18
#define RECORD_SCHEMA  1

struct vm_record {
    char name[MODEL_NAME_MAX];
    char uuid[UUID_SIZE];     /* stable over redefines: the guest's machine-id follows it */
    char mac[RECORD_MAC_MAX]; /* follows the uuid */
    struct vm_plan plan;
    char uri[64];      /* libvirt, as it was when the VM was made */
    char accel[8];     /* in force: "kvm" or "tcg" */
    uint16_t ssh_port; /* on 127.0.0.1; 0 with the NAT network */
    char slot[16];     /* "slot-a" */
    char bundle_version[32];
    char host_key[256];      /* the guest's public host key, one line without newline */
    char by[MODEL_NAME_MAX]; /* who made it */
    uint64_t created_ms;
    uint64_t started_ms; /* last power-on; 0 never */
    bool without_tpm;    /* not kept: the emulator of it did not work just now */
};

/* Fills name, plan, uuid, mac, slot "slot-a" and created_ms; the rest is zero. */
void record_init(struct vm_record *r, const struct vm_plan *plan);

/* "STATE/vms/NAME/LEAF" ("" gives the folder). NAME must be valid (plan_check_name). Heap string.
 */
char *record_path(const char *name, const char *leaf) ATTR_MALLOC;
#define RECORD_CONSOLE       "console.log"
#define RECORD_DISK          "data.qcow2"
#define RECORD_CLIENT_KEY    "id_ed25519"
#define RECORD_SEED_HOSTKEY  "seed/hostkey"
#define RECORD_SEED_KEYS     "seed/authorized_keys"
#define RECORD_SEED_HOSTNAME "seed/hostname"

/* Makes STATE/vms/NAME and its seed folder: 0711 as root, since QEMU runs as another user there,
 * else 0700. Fine where it exists. */
int record_make_dir(const char *name, struct err *err);

/* Load: ERR_NOT_FOUND where there is none, ERR_PROTOCOL where the file is damaged or of a newer
 * Berth. */
int record_load(const char *name, struct vm_record *ret_record, struct err *err);
int record_save(const struct vm_record *r, struct err *err);
bool record_exists(const char *name);

/* Names of the folders below STATE/vms whose name is valid, sorted; with or without a readable
 * vm.json. Returns how many (at most MAX). */
size_t record_list(char names[][MODEL_NAME_MAX], size_t max);

/* file_sweep() of all their folders, for an engine that starts. */
void record_sweep(void);

/* Removes the record first and then the VM's whole folder: disk, keys, slots. Fine where nothing is
 * left. */
int record_remove(const char *name, struct err *err);

/* JSON text <-> struct. Pure; the parser takes any bytes. */
int record_parse(const char *data, size_t len, struct vm_record *ret_record, struct err *err);
void record_print(const struct vm_record *r, struct buf *out);

#endif
