/* The life of a VM on libvirt's in-memory test driver: definition, power, events, what a killed
 * engine leaves behind. */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/path.h"
#include "tests/vm_fixture.h"
#include "vm/domain.h"
#include "vm/domain_xml.h"
#include "vm/inventory.h"
#include "vm/network.h"
#include "vm/virt.h"
#include "vm/watch.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#define WAIT_S 10

/* What the watch delivered, oldest first. */
struct seen {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct vm_event events[32];
    size_t n;
};
static struct seen seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

static void on_event(void *arg, const struct vm_event *event)
{
    struct seen *s = arg;
    pthread_mutex_lock(&s->lock);
    if (s->n < ARRAY_LEN(s->events))
        s->events[s->n++] = *event;
    (void)pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
}

static bool has_event(const struct seen *s, const char *name, enum vm_state state, bool gone)
{
    for (size_t i = 0; i < s->n; i++)
        if (str_eq(s->events[i].name, name) && s->events[i].state == state &&
            s->events[i].gone == gone)
            return true;
    return false;
}

static bool wait_event(const char *name, enum vm_state state, bool gone)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&seen.lock);
    int why = 0;
    while (why != ETIMEDOUT && !has_event(&seen, name, state, gone))
        why = pthread_cond_timedwait(&seen.more, &seen.lock, &until);
    bool found = has_event(&seen, name, state, gone);
    pthread_mutex_unlock(&seen.lock);
    return found;
}

static struct vm_record make_vm(const char *name)
{
    struct vm_plan plan = {.accel = "tcg", .cpus = 1, .memory_mib = 512, .disk_gib = 2};
    struct vm_record r;
    struct err err = {0};
    STR_SET(plan.name, name);
    record_init(&r, &plan);
    STR_SET(r.accel, "tcg");
    r.ssh_port = network_pick_port(NULL);
    auto_free char *slot = record_path(name, r.slot);
    fixture_bundle(slot, 1000);
    if (record_save(&r, &err) < 0)
        fixture_report("fixture", false, err.msg);
    return r;
}

static void test_life(struct vm_conn *conn)
{
    struct err err = {0};
    struct vm_record r = make_vm("edge-1");
    struct domain_status s = {0};
    bool forced = true;

    fixture_report("define", domain_define(conn, &r, &err) == 0, err.msg);
    fixture_report("define_again_replaces", domain_define(conn, &r, &err) == 0, err.msg);
    fixture_report("is_off_at_first",
                   domain_status(conn, "edge-1", &s, &err) == 0 && s.state == VM_STATE_OFF &&
                       s.persistent,
                   err.msg);
    uint64_t before = clock_wall_ms();
    fixture_report("start", domain_start(conn, &r, &err) == 0, err.msg);
    fixture_report("start_again_is_fine", domain_start(conn, &r, &err) == 0, err.msg);
    fixture_report("is_on_and_knows_since_when",
                   domain_status(conn, "edge-1", &s, &err) == 0 && s.state == VM_STATE_STARTING &&
                       s.started_ms >= before && s.started_ms <= clock_wall_ms(),
                   err.msg);
    fixture_report("event_started", wait_event("edge-1", VM_STATE_STARTING, false), NULL);
    fixture_report("undefine_refuses_while_on",
                   domain_undefine(conn, "edge-1", &err) < 0 && err.kind == ERR_BUSY, err.msg);
    fixture_report("shutdown",
                   domain_shutdown(conn, "edge-1", 5000, NULL, &forced, &err) == 0 && !forced,
                   err.msg);
    fixture_report("event_off", wait_event("edge-1", VM_STATE_OFF, false), NULL);
    fixture_report("is_off_with_reason",
                   domain_status(conn, "edge-1", &s, &err) == 0 && s.state == VM_STATE_OFF &&
                       str_eq(s.reason, "it was shut down") && s.started_ms == 0,
                   s.reason);
    fixture_report("start_once_more", domain_start(conn, &r, &err) == 0, err.msg);
    fixture_report("force_off", domain_force_off(conn, "edge-1", &err) == 0, err.msg);
    fixture_report("force_off_again_is_fine", domain_force_off(conn, "edge-1", &err) == 0, err.msg);
    fixture_report("undefine", domain_undefine(conn, "edge-1", &err) == 0, err.msg);
    fixture_report("event_gone", wait_event("edge-1", VM_STATE_UNKNOWN, true), NULL);
    fixture_report("undefine_again_is_fine", domain_undefine(conn, "edge-1", &err) == 0, err.msg);
    fixture_report("status_of_none",
                   domain_status(conn, "edge-1", &s, &err) < 0 && err.kind == ERR_NOT_FOUND,
                   err.msg);
    fixture_report("purge", inventory_purge(conn, "edge-1", &err) == 0 && !record_exists("edge-1"),
                   err.msg);
}

/* "test" is a domain that the test driver brings along: somebody else's. */
static void test_foreign(struct vm_conn *conn)
{
    struct err err = {0};
    struct domain_status s;
    fixture_report("foreign_name_is_taken",
                   domain_check_name_free(conn, "test", &err) < 0 && err.kind == ERR_EXISTS,
                   err.msg);
    fixture_report("other_name_is_free", domain_check_name_free(conn, "edge-2", &err) == 0,
                   err.msg);
    fixture_report("foreign_is_not_switched_off",
                   domain_force_off(conn, "test", &err) < 0 && err.kind == ERR_EXISTS, err.msg);
    fixture_report("foreign_is_not_undefined",
                   domain_undefine(conn, "test", &err) < 0 && err.kind == ERR_EXISTS, err.msg);
    struct vm_record r = make_vm("test");
    fixture_report("foreign_is_not_redefined",
                   domain_define(conn, &r, &err) < 0 && err.kind == ERR_EXISTS, err.msg);
    fixture_report("purge_leaves_foreign_alone",
                   inventory_purge(conn, "test", &err) == 0 && !record_exists("test") &&
                       domain_status(conn, "test", &s, &err) < 0 && err.kind == ERR_EXISTS,
                   err.msg);
}

static const struct inventory_vm *find_vm(const struct inventory *inv, const char *name)
{
    for (size_t i = 0; i < inv->n; i++)
        if (str_eq(inv->vms[i].name, name))
            return &inv->vms[i];
    return NULL;
}

/* What a kill -9 in the middle of an installation or a removal leaves. */
static void test_orphans(struct vm_conn *conn)
{
    struct err err = {0};
    static struct inventory inv;
    struct vm_record whole = make_vm("whole");
    struct vm_record lost = make_vm("lost-record");
    (void)make_vm("no-domain");
    auto_free char *half = record_path("half-made", "");
    fixture_report(
        "orphans_prepare",
        domain_define(conn, &whole, &err) == 0 && domain_define(conn, &lost, &err) == 0 &&
            domain_start(conn, &lost, &err) == 0 && record_remove("lost-record", &err) == 0 &&
            file_mkdirs(half, 0700, &err) == 0,
        err.msg);
    fixture_report("inventory", inventory_read(conn, &inv, &err) == 0 && inv.n == 4, err.msg);
    const struct inventory_vm *vm = find_vm(&inv, "whole");
    fixture_report("inventory_whole", vm && vm->record && vm->domain && !vm->running, NULL);
    vm = find_vm(&inv, "lost-record");
    fixture_report("inventory_domain_without_record",
                   vm && !vm->folder && !vm->record && vm->domain && vm->running, NULL);
    vm = find_vm(&inv, "no-domain");
    fixture_report("inventory_record_without_domain", vm && vm->record && !vm->domain, NULL);
    vm = find_vm(&inv, "half-made");
    fixture_report("inventory_half_made", vm && vm->folder && !vm->record && !vm->domain, NULL);

    bool purged = true;
    for (size_t i = 0; i < inv.n; i++)
        purged &= inventory_purge(conn, inv.vms[i].name, &err) == 0;
    fixture_report("purge_all", purged, err.msg);
    fixture_report("nothing_left",
                   inventory_read(conn, &inv, &err) == 0 && inv.n == 0 && !file_exists(half),
                   err.msg);
}

/* Two engines (another user, a test) share one libvirt. */
static void test_other_engine(struct vm_conn *conn)
{
    struct err err = {0};
    static struct inventory inv;
    struct vm_record r = make_vm("mine");
    bool defined = domain_define(conn, &r, &err) == 0;
    auto_free char *other = xasprintf("%s/other", fixture_dir);
    (void)setenv("BERTH_STATE_DIR", other, 1);
    fixture_report("other_engine_does_not_see_it",
                   defined && inventory_read(conn, &inv, &err) == 0 && inv.n == 0, err.msg);
    fixture_report("other_engine_does_not_touch_it",
                   domain_force_off(conn, "mine", &err) < 0 && err.kind == ERR_EXISTS, err.msg);
    (void)setenv("BERTH_STATE_DIR", fixture_dir, 1);
    fixture_report("own_engine_sees_it", inventory_read(conn, &inv, &err) == 0 && inv.n == 1,
                   err.msg);
    (void)inventory_purge(conn, "mine", NULL);
}

static void test_refused_slot(struct vm_conn *conn)
{
    struct err err = {0};
    struct vm_record r = make_vm("no-image");
    auto_free char *slot = record_path("no-image", r.slot);
    (void)file_remove_tree(slot, NULL);
    fixture_report("define_without_image_fails", domain_define(conn, &r, &err) < 0, err.msg);
    (void)inventory_purge(conn, "no-image", NULL);
}

/* libvirt takes what we say of a TPM, and says it back. */
static void test_tpm(struct vm_conn *conn)
{
    auto_free char *owner = path_of(PATH_STATE, "%s", "");
    const struct domain_spec spec = {
        .type = "test",
        .name = "edge-tpm",
        .uuid = "8405eb74-44b9-4564-afaf-fc0abfb480e4",
        .owner = owner,
        .emulator = "/usr/bin/true",
        .arch = "i686",
        .cpu = "qemu64",
        .accel = ACCEL_TCG,
        .cpus = 1,
        .memory_mib = 512,
        .kernel = "/v/vmlinuz",
        .initrd = "/v/initrd",
        .cmdline = "quiet",
        .root_disk = "/v/root.squashfs",
        .data_disk = "/v/data.qcow2",
        .console = "/v/console.log",
        .mac = "52:54:00:01:02:03",
        .nat_network = "default",
        .network = VM_NETWORK_NAT,
        .tpm = "tpm-crb",
    };
    struct err err = {0};
    auto_buf struct buf xml = {0};
    (void)domain_xml_build(&spec, &xml, &err);
    auto_virt_domain virDomainPtr domain =
        virDomainDefineXMLFlags(vm_conn_virt(conn), buf_str(&xml), VIR_DOMAIN_DEFINE_VALIDATE);
    if (!domain)
        virt_err(&err, "define");
    auto_free char *back = domain ? virDomainGetXMLDesc(domain, 0) : NULL;
    fixture_report("a_tpm_is_understood",
                   back && strstr(back, "<tpm model='tpm-crb'>") &&
                       strstr(back, "<backend type='emulator' version='2.0'"),
                   err.msg);
    fixture_report("a_tpm_goes_with_the_vm", domain_undefine(conn, spec.name, &err) == 0, err.msg);
    char model[TPM_MODEL_MAX];
    fixture_report("a_driver_without_tpms_gives_none", !domain_tpm(conn, model), model);
}

int main(void)
{
    struct err err = {0};
    auto_vm_conn struct vm_conn *conn = NULL;
    struct vm_watch *watch = NULL;
    fixture_start();
    (void)setenv("BERTH_LIBVIRT_URI", "test:///default", 1);
    fixture_report("open", vm_conn_open(NULL, 0, &conn, &err) == 0, err.msg);
    if (!conn)
        return fixture_end();
    fixture_report("open_of_nonsense_fails",
                   vm_conn_open("nonsense:///x", 0, &(struct vm_conn *){NULL}, &err) < 0, err.msg);
    fixture_report("watch", vm_watch_open(conn, on_event, &seen, &watch, &err) == 0, err.msg);
    test_life(conn);
    test_foreign(conn);
    test_orphans(conn);
    test_other_engine(conn);
    test_refused_slot(conn);
    test_tpm(conn);
    vm_watch_close(watch);
    return fixture_end();
}
