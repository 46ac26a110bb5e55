#include "core/base/str.h"
#include "vm/domain_state.h"
#include "vm/domain_xml.h"
#include "vm/stats.h"
#include "vm/tpm.h"

#include <criterion/criterion.h>
#include <libvirt/libvirt.h>
#include <string.h>

static struct domain_spec spec(void)
{
    return (struct domain_spec){
        .type = "qemu",
        .name = "edge-1",
        .uuid = "8405eb74-44b9-4564-afaf-fc0abfb480e4",
        .owner = "/var/lib/berth",
        .emulator = "/usr/bin/qemu-system-x86_64",
        .arch = "x86_64",
        .machine = "q35",
        .cpu = "qemu64",
        .accel = ACCEL_TCG,
        .cpus = 2,
        .memory_mib = 1024,
        .tb_cache_mib = 128,
        .kernel = "/v/vmlinuz",
        .initrd = "/v/initrd",
        .cmdline = "console=ttyS0 quiet",
        .root_disk = "/v/root.squashfs",
        .data_disk = "/v/data.qcow2",
        .console = "/v/console.log",
        .seeds = {{"opt/berth/hostkey", "/v/seed/hostkey"}},
        .n_seeds = 1,
        .network = VM_NETWORK_USER,
        .mac = "52:54:00:01:02:03",
        .nat_network = "default",
        .ssh_port = 22001,
    };
}

static void assert_has(const struct buf *xml, const char *what)
{
    cr_assert_not_null(strstr(buf_str(xml), what), "no %s in\n%s", what, buf_str(xml));
}

Test(domain_xml, gives_a_tpm_where_there_is_one)
{
    struct domain_spec s = spec();
    auto_buf struct buf without = {0}, with = {0};
    struct err err = {0};
    cr_assert_eq(domain_xml_build(&s, &without, &err), 0, "%s", err.msg);
    cr_assert_null(strstr(buf_str(&without), "<tpm"));
    s.tpm = "tpm-crb";
    cr_assert_eq(domain_xml_build(&s, &with, &err), 0, "%s", err.msg);
    assert_has(&with, "<tpm model='tpm-crb'>\n      <backend type='emulator' version='2.0'/>");
}

#define CAPS(supported, models, backends)                                            \
    "<domainCapabilities><devices><disk supported='yes'/><tpm supported='" supported \
    "'>\n<enum name='model'>" models "</enum>\n<enum name='backendModel'>" backends  \
    "</enum></tpm><redirdev supported='yes'><value>emulator</value></redirdev></devices>"

static void expect_model(const char *capabilities, const char *wanted)
{
    char model[TPM_MODEL_MAX] = "";
    cr_expect_eq(tpm_model_find(capabilities, model), *wanted != '\0', "%s", capabilities);
    cr_expect_str_eq(model, wanted);
}

Test(tpm, is_found_in_what_libvirt_offers)
{
    expect_model(CAPS("yes", "<value>tpm-tis</value><value>tpm-crb</value>",
                      "<value>passthrough</value><value>emulator</value>"),
                 "tpm-crb");
    expect_model(CAPS("yes", "<value>tpm-tis</value>", "<value>emulator</value>"), "tpm-tis");
    expect_model(CAPS("yes", "<value>tpm-crb</value>", "<value>passthrough</value>"), "");
    expect_model(CAPS("yes", "<value>tpm-spapr</value>", "<value>emulator</value>"), "");
    expect_model(CAPS("no", "<value>tpm-crb</value>", "<value>emulator</value>"), "");
    expect_model("<tpm supported='yes'><enum name='model'>", "");
    expect_model("", "");
    expect_model(NULL, "");
}

Test(domain_xml, says_what_the_guest_needs)
{
    struct domain_spec s = spec();
    auto_buf struct buf xml = {0};
    struct err err = {0};
    cr_assert_eq(domain_xml_build(&s, &xml, &err), 0, "%s", err.msg);
    assert_has(&xml, "<domain type='qemu'");
    assert_has(&xml, "<entry name='opt/berth/hostkey' file='/v/seed/hostkey'/>");
    assert_has(&xml, "<serial>root</serial>");
    assert_has(&xml, "<serial>data</serial>");
    assert_has(&xml, "<readonly/>");
    assert_has(&xml, "discard='unmap'");
    assert_has(&xml, "<tb-cache unit='MiB'>128</tb-cache>");
    assert_has(&xml, "hostfwd=tcp:127.0.0.1:22001-:22'");
    assert_has(&xml, "append='on'");
    cr_assert_null(strstr(xml.data, "<interface"));
}

Test(domain_xml, with_the_nat_network_has_an_interface_and_forwards_nothing)
{
    struct domain_spec s = spec();
    auto_buf struct buf xml = {0};
    s.network = VM_NETWORK_NAT;
    cr_assert_eq(domain_xml_build(&s, &xml, NULL), 0);
    assert_has(&xml, "<mac address='52:54:00:01:02:03'/>");
    assert_has(&xml, "<source network='default'/>");
    cr_assert_null(strstr(xml.data, "hostfwd"));
}

Test(domain_xml, with_kvm_gives_the_guest_the_hosts_processor_and_no_tcg_cache)
{
    struct domain_spec s = spec();
    auto_buf struct buf xml = {0};
    s.type = "kvm";
    s.accel = ACCEL_KVM;
    cr_assert_eq(domain_xml_build(&s, &xml, NULL), 0);
    assert_has(&xml, "host-passthrough");
    cr_assert_null(strstr(xml.data, "tb-cache"));
    cr_assert_null(strstr(xml.data, "qemu64"));
}

Test(domain_xml, escapes_every_value)
{
    struct domain_spec s = spec();
    auto_buf struct buf xml = {0};
    s.cmdline = "a='<b>' & \"c\"";
    s.owner = "/home/o'neil";
    cr_assert_eq(domain_xml_build(&s, &xml, NULL), 0);
    assert_has(&xml, "a=&apos;&lt;b&gt;&apos; &amp; &quot;c&quot;");
    assert_has(&xml, "state='/home/o&apos;neil'");
}

Test(domain_xml, refuses_what_xml_or_qemu_cannot_carry)
{
    struct domain_spec s = spec();
    auto_buf struct buf xml = {0};
    struct err err = {0};
    s.cmdline = "a\nb";
    cr_expect_eq(domain_xml_build(&s, &xml, &err), -1);
    cr_expect_not_null(strstr(err.msg, "command line"));
    s = spec();
    s.kernel = "/v/\xff";
    cr_expect_eq(domain_xml_build(&s, &xml, &err), -1);
    s = spec();
    s.seeds[0].file = "/v/a,b";
    cr_expect_eq(domain_xml_build(&s, &xml, &err), -1);
    cr_expect_not_null(strstr(err.msg, "seed"));
    s = spec();
    s.console = NULL;
    cr_expect_eq(domain_xml_build(&s, &xml, &err), -1);
    cr_expect_eq(xml.len, 0);
}

Test(domain_xml, reads_attributes_back)
{
    char to[64];
    cr_assert(domain_xml_attr("<vm state=\"/a&amp;b'c\"/>", "state", to, sizeof(to)));
    cr_assert_str_eq(to, "/a&b'c");
    cr_assert(domain_xml_attr("<vm x='1' state='&lt;&gt;&quot;&apos;'/>", "state", to, sizeof(to)));
    cr_assert_str_eq(to, "<>\"'");
    cr_expect_not(domain_xml_attr("<vm/><x state='1'/>", "state", to, sizeof(to)));
    cr_expect_not(domain_xml_attr("<vm mystate='1'/>", "state", to, sizeof(to)));
    cr_expect_not(domain_xml_attr("<vm state='1", "state", to, sizeof(to)));
    cr_expect_not(domain_xml_attr("<vm state='123456'/>", "state", to, 4));
}

Test(domain_state, tells_why_a_vm_is_off)
{
    cr_expect_eq(domain_state_of(VIR_DOMAIN_RUNNING), VM_STATE_STARTING);
    cr_expect_eq(domain_state_of(VIR_DOMAIN_SHUTDOWN), VM_STATE_STOPPING);
    cr_expect_eq(domain_state_of(99), VM_STATE_UNKNOWN);
    cr_expect_eq(domain_state_of(-1), VM_STATE_UNKNOWN);
    cr_expect_str_eq(domain_state_reason(VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED),
                     "QEMU ended unexpectedly");
    cr_expect_str_eq(domain_state_reason(VIR_DOMAIN_SHUTOFF, 1000), "");
    cr_expect_not_null(
        strstr(domain_state_reason(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR), "disk full"));
    cr_expect_eq(domain_state_of_event(VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_CRASHED),
                 VM_STATE_CRASHED);
    cr_expect_eq(domain_state_of_event(VIR_DOMAIN_EVENT_DEFINED, 0), VM_STATE_UNKNOWN);
}

Test(vm_stats, tell_percent_of_all_processors)
{
    struct vm_stats a = {.at_ms = 1000, .cpu_ns = 0, .cpus = 2};
    struct vm_stats b = {.at_ms = 2000, .cpu_ns = 1000000000, .cpus = 2};
    cr_assert_float_eq(vm_stats_cpu_percent(&a, &b), 50.0, 0.001);
    cr_assert_lt(vm_stats_cpu_percent(&b, &a), 0);
    cr_assert_lt(vm_stats_cpu_percent(&a, &a), 0);
    b.cpu_ns = UINT64_C(9000000000);
    cr_assert_float_eq(vm_stats_cpu_percent(&a, &b), 100.0, 0.001);
}
