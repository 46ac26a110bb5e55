/* From a VM's record to its definition in libvirt: which QEMU, which machine, which files. */
#include "vm/domain.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/path.h"
#include "core/base/str.h"
#include "vm/bundle.h"
#include "vm/domain_xml.h"
#include "vm/network.h"
#include "vm/virt.h"

#define TB_CACHE_MIB                                                            \
    128 /* QEMU's default takes more than 1 GiB on the host for a 512 MiB guest \
         */

/* What a driver of libvirt on this processor is to be asked for. The test driver of libvirt keeps
 * domains in memory only. */
static const struct platform {
    const char *driver; /* virConnectGetType() */
    const char *kvm_type, *tcg_type;
    const char *emulator;
    const char *arch, *machine;
    const char *tcg_cpu; /* by measurement: the fastest to boot under TCG */
} platforms[] = {
#if defined(__x86_64__)
    {"QEMU", "kvm", "qemu", "/usr/bin/qemu-system-x86_64", "x86_64", "q35", "qemu64"},
#elif defined(__aarch64__)
    {"QEMU", "kvm", "qemu", "/usr/bin/qemu-system-aarch64", "aarch64", "virt", "cortex-a57"},
#endif
    {"TEST", "test", "test", "/usr/bin/true", "i686", NULL, "qemu64"},
};

static const struct platform *find_platform(struct vm_conn *conn, struct err *err)
{
    const char *driver = virConnectGetType(vm_conn_virt(conn));
    for (size_t i = 0; i < ARRAY_LEN(platforms); i++)
        if (str_eq(platforms[i].driver, driver))
            return &platforms[i];
    err_set(err, ERR_UNSUPPORTED, "libvirt's driver \"%s\" cannot run the VM on this processor",
            driver ? driver : "?");
    return NULL;
}

/* Heap strings behind the borrowed ones of a spec. */
struct define_paths {
    char *owner, *kernel, *initrd, *root, *data, *console;
    char *seeds[3];
};

static void define_paths_done(struct define_paths *p)
{
    free(p->owner);
    free(p->kernel);
    free(p->initrd);
    free(p->root);
    free(p->data);
    free(p->console);
    for (size_t i = 0; i < ARRAY_LEN(p->seeds); i++)
        free(p->seeds[i]);
}

static char *slot_path(const struct vm_record *r, enum bundle_part part)
{
    auto_free char *leaf = xasprintf("%s/%s", r->slot, bundle_part_name(part));
    return record_path(r->name, leaf);
}

static void fill_paths(const struct vm_record *r, struct define_paths *p, struct domain_spec *s)
{
    static const struct {
        const char *name, *leaf;
    } seeds[] = {
        {"opt/berth/hostkey", RECORD_SEED_HOSTKEY},
        {"opt/berth/authorized_keys", RECORD_SEED_KEYS},
        {"opt/berth/hostname", RECORD_SEED_HOSTNAME},
    };
    _Static_assert(ARRAY_LEN(seeds) == ARRAY_LEN(p->seeds), "a path for every seed");
    s->owner = p->owner = path_of(PATH_STATE, "%s", "");
    s->kernel = p->kernel = slot_path(r, BUNDLE_KERNEL);
    s->initrd = p->initrd = slot_path(r, BUNDLE_INITRD);
    s->root_disk = p->root = slot_path(r, BUNDLE_ROOT);
    s->data_disk = p->data = record_path(r->name, RECORD_DISK);
    s->console = p->console = record_path(r->name, RECORD_CONSOLE);
    for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
        p->seeds[i] = record_path(r->name, seeds[i].leaf);
        s->seeds[s->n_seeds++] = (struct domain_seed){seeds[i].name, p->seeds[i]};
    }
}

static void fill_spec(const struct vm_record *r, const struct platform *on,
                      const struct bundle *bundle, struct domain_spec *s)
{
    s->accel = str_eq(r->accel, "kvm") ? ACCEL_KVM : ACCEL_TCG;
    s->type = s->accel == ACCEL_KVM ? on->kvm_type : on->tcg_type;
    s->emulator = on->emulator;
    s->arch = on->arch;
    s->machine = on->machine;
    s->cpu = on->tcg_cpu;
    s->tb_cache_mib = TB_CACHE_MIB;
    s->name = r->name;
    s->uuid = r->uuid;
    s->cpus = r->plan.cpus;
    s->memory_mib = r->plan.memory_mib;
    s->cmdline = bundle->cmdline;
    s->network = r->plan.network;
    s->mac = r->mac;
    s->nat_network = NETWORK_NAT_NAME;
    s->ssh_port = r->ssh_port;
}

/* A foreign domain of the name stays as it is; ours, under whatever uuid, is replaced. */
static int make_way(struct vm_conn *conn, const struct vm_record *r, struct err *err)
{
    struct err why = {0};
    auto_virt_domain virDomainPtr domain = virt_domain_find(conn, r->name, &why);
    char uuid[VIR_UUID_STRING_BUFLEN] = "";
    if (!domain) {
        if (why.kind == ERR_NOT_FOUND)
            return 0;
        if (err)
            *err = why;
        return -1;
    }
    if (virDomainGetUUIDString(domain, uuid) == 0 && str_eq(uuid, r->uuid))
        return 0;
    if (domain_force_off(conn, r->name, err) < 0)
        return -1;
    return domain_undefine(conn, r->name, err);
}

static bool find_tpm(struct vm_conn *conn, const struct platform *on, const char *type,
                     char model[TPM_MODEL_MAX])
{
    auto_free char *capabilities = virConnectGetDomainCapabilities(vm_conn_virt(conn), on->emulator,
                                                                   on->arch, on->machine, type, 0);
    return tpm_model_find(capabilities, model);
}

bool domain_tpm(struct vm_conn *conn, char model[TPM_MODEL_MAX])
{
    const struct platform *on = find_platform(conn, NULL);
    return on && find_tpm(conn, on, on->tcg_type, model);
}

int domain_define(struct vm_conn *conn, const struct vm_record *record, struct err *err)
{
    const struct platform *on = find_platform(conn, err);
    auto_free char *slot = record_path(record->name, record->slot);
    struct bundle bundle;
    if (!on || bundle_open(slot, &bundle, err) < 0 || make_way(conn, record, err) < 0)
        return err_wrap(err, "define VM %s", record->name);

    ATTR_CLEANUP(define_paths_done) struct define_paths paths = {0};
    struct domain_spec spec = {0};
    char tpm[TPM_MODEL_MAX];
    auto_buf struct buf xml = {0};
    fill_spec(record, on, &bundle, &spec);
    fill_paths(record, &paths, &spec);
    if (!record->without_tpm && find_tpm(conn, on, spec.type, tpm))
        spec.tpm = tpm;
    if (domain_xml_build(&spec, &xml, err) < 0)
        return err_wrap(err, "define VM %s", record->name);
    auto_virt_domain virDomainPtr domain =
        virDomainDefineXMLFlags(vm_conn_virt(conn), buf_str(&xml), VIR_DOMAIN_DEFINE_VALIDATE);
    if (!domain)
        return virt_err(err, "define VM %s", record->name);
    return 0;
}
