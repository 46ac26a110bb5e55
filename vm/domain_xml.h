/* libvirt's description of one VM, built from plain values. Pure. */
#ifndef BERTH_VM_DOMAIN_XML_H
#define BERTH_VM_DOMAIN_XML_H

#include "core/base/buf.h"
#include "core/base/model.h"
#include "vm/accel.h"

#include <stdbool.h>
#include <stdint.h>

#define DOMAIN_SEEDS_MAX 4
#define DOMAIN_MARK_URI  "urn:berth:vm" /* metadata that tells our domains from others' */

struct domain_seed {
    const char *name; /* fw_cfg, "opt/berth/hostkey" */
    const char *file; /* absolute path; the content never shows in argv or in the XML */
};

/* Borrowed strings. */
struct domain_spec {
    const char *type; /* libvirt's: "kvm", "qemu" (TCG) */
    const char *name;
    const char *uuid;
    const char *owner; /* state folder of the engine that owns it */
    const char *emulator;
    const char *arch;    /* "x86_64" */
    const char *machine; /* "q35"; NULL: libvirt's default */
    const char *cpu;     /* model under TCG; KVM gives the guest the host's CPU */
    enum accel_kind accel;
    uint32_t cpus;
    uint32_t memory_mib;
    uint32_t tb_cache_mib; /* TCG code cache; 0 QEMU's default, which takes more than 1 GiB */
    const char *kernel;
    const char *initrd;
    const char *cmdline;
    const char *root_disk; /* raw, read-only, serial "root" */
    const char *data_disk; /* qcow2, serial "data" */
    const char *console;   /* serial port, appended */
    const char *tpm;       /* model of an emulated TPM 2.0; NULL: none */
    struct domain_seed seeds[DOMAIN_SEEDS_MAX];
    size_t n_seeds;
    enum vm_network network;
    const char *mac;
    const char *nat_network; /* "default" */
    uint16_t ssh_port;       /* VM_NETWORK_USER: 127.0.0.1:ssh_port -> guest 22 */
};

/* Appends the XML. ERR_INVALID where a value cannot be said in it: control bytes, invalid UTF-8, a
 * comma in a path that QEMU would split. */
int domain_xml_build(const struct domain_spec *spec, struct buf *out, struct err *err);

/* The value of attribute NAME in the first tag of XML text that libvirt printed, unescaped. Takes
 * any bytes. False where it is missing or does not fit. */
bool domain_xml_attr(const char *xml, const char *name, char *to, size_t size);

/* Appends TEXT escaped for an attribute or an element. False where XML 1.0 cannot carry a byte of
 * it; OUT is then unchanged. */
bool domain_xml_escape(struct buf *out, const char *text, size_t len);

#endif
