/* See domain_xml.h. What is in it and why:
 *
 * - the kernel is booted directly: no boot loader in the guest that could break;
 * - seeds (host key, authorised keys) come as files through fw_cfg: their content shows neither in
 * the XML nor in QEMU's arguments;
 * - no USB, no graphics, no sound: less code between guest and host, faster start;
 * - the user network goes through <qemu:commandline>, because libvirt 9 has no port forwarding that
 * works without passt. The device needs a slot that libvirt does not use itself: 0x10 of the root
 * bus. */
#include "vm/domain_xml.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <string.h>

#define QEMU_XMLNS "http://libvirt.org/schemas/domain/qemu/1.0"

/* Output and whether every value so far could be said; checked once at the end. */
struct xml {
    struct buf out;
    const char *bad; /* name of the first value that could not */
};

bool domain_xml_escape(struct buf *out, const char *text, size_t len)
{
    size_t start = out->len;
    for (size_t i = 0; i < len;) {
        uint32_t point;
        size_t n = str_utf8_decode(text + i, len - i, &point);
        /* Tab and newline would be legal in XML, but never in a path, a name or a command line of
         * ours. */
        if (n == 0 || point < 0x20 || point == 0x7f || (point & 0xfffe) == 0xfffe) {
            out->len = start;
            if (out->data)
                out->data[start] = '\0';
            return false;
        }
        switch (point) {
        case '&':
            buf_puts(out, "&amp;");
            break;
        case '<':
            buf_puts(out, "&lt;");
            break;
        case '>':
            buf_puts(out, "&gt;");
            break;
        case '\'':
            buf_puts(out, "&apos;");
            break;
        case '"':
            buf_puts(out, "&quot;");
            break;
        default:
            buf_append(out, text + i, n);
            break;
        }
        i += n;
    }
    return true;
}

/* BEFORE + escaped VALUE + AFTER; WHAT names the value in an error. */
static void put(struct xml *x, const char *before, const char *what, const char *value,
                const char *after)
{
    buf_puts(&x->out, before);
    if ((!value || !domain_xml_escape(&x->out, value, strlen(value))) && !x->bad)
        x->bad = what;
    buf_puts(&x->out, after);
}

static void put_cpu(struct xml *x, const struct domain_spec *s)
{
    if (s->accel == ACCEL_KVM)
        buf_puts(&x->out, "  <cpu mode='host-passthrough' migratable='off'/>\n");
    else if (str_eq(s->cpu, "max"))
        buf_puts(&x->out, "  <cpu mode='maximum'/>\n");
    else
        put(x, "  <cpu mode='custom' match='exact' check='none'><model fallback='forbid'>",
            "the CPU model", s->cpu, "</model></cpu>\n");
}

static void put_head(struct xml *x, const struct domain_spec *s)
{
    put(x, "<domain type='", "the domain type", s->type, "' xmlns:qemu='" QEMU_XMLNS "'>\n");
    put(x, "  <name>", "the name", s->name, "</name>\n");
    put(x, "  <uuid>", "the uuid", s->uuid, "</uuid>\n");
    put(x, "  <title>berth: ", "the name", s->name, "</title>\n");
    put(x, "  <metadata><berth:vm xmlns:berth='" DOMAIN_MARK_URI "' state='", "the state folder",
        s->owner, "'/></metadata>\n");
    buf_printf(&x->out, "  <memory unit='MiB'>%u</memory>\n  <vcpu>%u</vcpu>\n", s->memory_mib,
               s->cpus);
}

static void put_os(struct xml *x, const struct domain_spec *s)
{
    put(x, "  <os>\n    <type arch='", "the architecture", s->arch, "'");
    if (s->machine)
        put(x, " machine='", "the machine", s->machine, "'");
    buf_puts(&x->out, ">hvm</type>\n");
    put(x, "    <kernel>", "the kernel's path", s->kernel, "</kernel>\n");
    put(x, "    <initrd>", "the initrd's path", s->initrd, "</initrd>\n");
    put(x, "    <cmdline>", "the kernel command line", s->cmdline, "</cmdline>\n  </os>\n");
    if (s->n_seeds) {
        buf_puts(&x->out, "  <sysinfo type='fwcfg'>\n");
        for (size_t i = 0; i < s->n_seeds; i++) {
            put(x, "    <entry name='", "a seed's name", s->seeds[i].name, "'");
            put(x, " file='", "a seed's path", s->seeds[i].file, "'/>\n");
        }
        buf_puts(&x->out, "  </sysinfo>\n");
    }
    buf_puts(&x->out, "  <features>\n    <acpi/>\n");
    if (s->accel == ACCEL_TCG && s->tb_cache_mib)
        buf_printf(&x->out, "    <tcg><tb-cache unit='MiB'>%u</tb-cache></tcg>\n", s->tb_cache_mib);
    buf_puts(&x->out, "  </features>\n");
    put_cpu(x, s);
    buf_puts(&x->out, "  <clock offset='utc'/>\n"
                      "  <on_poweroff>destroy</on_poweroff>\n"
                      "  <on_reboot>restart</on_reboot>\n"
                      "  <on_crash>destroy</on_crash>\n"
                      "  <pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>\n");
}

static void put_disks(struct xml *x, const struct domain_spec *s)
{
    put(x,
        "    <disk type='file' device='disk'>\n"
        "      <driver name='qemu' type='raw'/>\n      <source file='",
        "the root image's path", s->root_disk,
        "'/>\n"
        "      <target dev='vda' bus='virtio'/>\n      <readonly/>\n"
        "      <serial>root</serial>\n    </disk>\n");
    put(x,
        "    <disk type='file' device='disk'>\n"
        "      <driver name='qemu' type='qcow2' discard='unmap'/>\n      <source file='",
        "the data disk's path", s->data_disk,
        "'/>\n"
        "      <target dev='vdb' bus='virtio'/>\n      <serial>data</serial>\n    </disk>\n");
}

static void put_network(struct xml *x, const struct domain_spec *s)
{
    if (s->network != VM_NETWORK_NAT)
        return;
    put(x, "    <interface type='network'>\n      <mac address='", "the MAC address", s->mac,
        "'/>\n");
    put(x, "      <source network='", "the network's name", s->nat_network,
        "'/>\n      <model type='virtio'/>\n      <rom enabled='no'/>\n    </interface>\n");
}

/* libvirt keeps its state under the VM's uuid, and removes it with the definition. */
static void put_tpm(struct xml *x, const struct domain_spec *s)
{
    if (s->tpm)
        put(x, "    <tpm model='", "the TPM's model", s->tpm,
            "'>\n      <backend type='emulator' version='2.0'/>\n    </tpm>\n");
}

static void put_devices(struct xml *x, const struct domain_spec *s)
{
    put(x, "  <devices>\n    <emulator>", "QEMU's path", s->emulator, "</emulator>\n");
    put_disks(x, s);
    put_network(x, s);
    put_tpm(x, s);
    for (int i = 0; i < 2; i++) {
        const char *tag = i == 0 ? "serial" : "console";
        buf_printf(&x->out, "    <%s type='file'>\n", tag);
        put(x, "      <source path='", "the console's path", s->console, "' append='on'/>\n");
        buf_printf(&x->out, "      <target %sport='0'/>\n    </%s>\n",
                   i == 0 ? "" : "type='serial' ", tag);
    }
    buf_puts(&x->out,
             "    <controller type='usb' model='none'/>\n"
             "    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>\n"
             "    <memballoon model='virtio'><stats period='5'/></memballoon>\n"
             "    <audio id='1' type='none'/>\n"
             "  </devices>\n");
}

static void put_commandline(struct xml *x, const struct domain_spec *s)
{
    if (s->network != VM_NETWORK_USER)
        return;
    buf_printf(&x->out,
               "  <qemu:commandline>\n"
               "    <qemu:arg value='-netdev'/>\n"
               "    <qemu:arg value='user,id=berth0,hostfwd=tcp:127.0.0.1:%u-:22'/>\n"
               "    <qemu:arg value='-device'/>\n",
               s->ssh_port);
    put(x, "    <qemu:arg value='virtio-net-pci,netdev=berth0,mac=", "the MAC address", s->mac,
        ",romfile=,bus=pcie.0,addr=0x10'/>\n  </qemu:commandline>\n");
}

/* QEMU splits its options at commas; such a value is refused rather than trusted to be escaped on
 * the way. */
static const char *find_comma(const struct domain_spec *s)
{
    if (s->mac && strchr(s->mac, ','))
        return "the MAC address";
    for (size_t i = 0; i < s->n_seeds; i++)
        if (strchr(s->seeds[i].name, ',') || strchr(s->seeds[i].file, ','))
            return "a seed's path";
    return NULL;
}

int domain_xml_build(const struct domain_spec *spec, struct buf *out, struct err *err)
{
    struct xml x = {.bad = find_comma(spec)};
    put_head(&x, spec);
    put_os(&x, spec);
    put_devices(&x, spec);
    put_commandline(&x, spec);
    buf_puts(&x.out, "</domain>\n");
    if (x.bad)
        err_set(err, ERR_INVALID, "%s has characters that cannot be passed on", x.bad);
    else
        buf_append(out, x.out.data, x.out.len);
    buf_done(&x.out);
    return x.bad ? -1 : 0;
}

/* ------------------------------------------------------------------------------------ reading */

static size_t unescape(const char *text, size_t len, char *to)
{
    static const struct {
        const char *text;
        char means;
    } entities[] = {
        {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&apos;", '\''}, {"&quot;", '"'},
    };
    for (size_t i = 0; i < ARRAY_LEN(entities); i++) {
        size_t n = strlen(entities[i].text);
        if (n <= len && memcmp(text, entities[i].text, n) == 0) {
            *to = entities[i].means;
            return n;
        }
    }
    *to = *text;
    return 1;
}

bool domain_xml_attr(const char *xml, const char *name, char *to, size_t size)
{
    const char *tag_end = xml + strcspn(xml, ">");
    auto_free char *key = xasprintf(" %s=", name);
    const char *at = strstr(xml, key);
    if (!at || at >= tag_end)
        return false;
    at += strlen(key);
    char quote = *at;
    const char *end = quote == '\'' || quote == '"' ? strchr(at + 1, quote) : NULL;
    if (!end)
        return false;
    auto_free char *value = xmalloc((size_t)(end - at) + 1);
    size_t n = 0;
    for (at++; at < end;)
        at += unescape(at, (size_t)(end - at), &value[n++]);
    value[n] = '\0';
    return str_copy(to, size, value);
}
