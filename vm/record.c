/* See record.h. */
#include "vm/record.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/path.h"
#include "core/base/str.h"
#include "core/base/uuid.h"
#include "vm/plan.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#define RECORD_FILE     "vm.json"
#define RECORD_FILE_MAX 65536

static void make_mac(const char *uuid, char to[RECORD_MAC_MAX]);

void record_init(struct vm_record *r, const struct vm_plan *plan)
{
    *r = (struct vm_record){.plan = *plan, .created_ms = clock_wall_ms()};
    STR_SET(r->name, plan->name);
    STR_SET(r->slot, "slot-a");
    uuid_make(r->uuid);
    make_mac(r->uuid, r->mac);
}

char *record_path(const char *name, const char *leaf)
{
    return *leaf ? path_of(PATH_STATE, "vms/%s/%s", name, leaf)
                 : path_of(PATH_STATE, "vms/%s", name);
}

int record_make_dir(const char *name, struct err *err)
{
    if (plan_check_name(name, err) < 0)
        return -1;
    auto_free char *seed = record_path(name, "seed");
    return file_mkdirs(seed, geteuid() == 0 ? 0711 : 0700, err);
}

/* ------------------------------------------------------------------------------------- files */

int record_load(const char *name, struct vm_record *ret_record, struct err *err)
{
    if (plan_check_name(name, err) < 0)
        return -1;
    auto_free char *path = record_path(name, RECORD_FILE);
    if (!file_exists(path)) {
        err_set(err, ERR_NOT_FOUND, "there is no VM \"%s\"", name);
        return err_hint(err, "`berth vm list` shows the names.");
    }
    auto_buf struct buf text = {0};
    struct vm_record r;
    if (file_read(path, RECORD_FILE_MAX, &text, err) < 0)
        return -1;
    if (record_parse(buf_str(&text), text.len, &r, err) < 0)
        return err_wrap(err, "%s", path);
    if (!str_eq(r.name, name))
        return err_set(err, ERR_PROTOCOL, "%s describes a VM of another name", path);
    *ret_record = r;
    return 0;
}

int record_save(const struct vm_record *r, struct err *err)
{
    if (record_make_dir(r->name, err) < 0)
        return err_wrap(err, "save VM %s", r->name);
    auto_free char *path = record_path(r->name, RECORD_FILE);
    auto_buf struct buf text = {0};
    record_print(r, &text);
    buf_putc(&text, '\n');
    if (file_write(path, text.data, text.len, 0600, err) < 0)
        return err_wrap(err, "save VM %s", r->name);
    return 0;
}

bool record_exists(const char *name)
{
    if (plan_check_name(name, NULL) < 0)
        return false;
    auto_free char *path = record_path(name, RECORD_FILE);
    return file_exists(path);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

size_t record_list(char names[][MODEL_NAME_MAX], size_t max)
{
    auto_free char *path = path_of(PATH_STATE, "vms");
    DIR *dir = opendir(path);
    if (!dir)
        return 0;
    size_t n = 0;
    const struct dirent *entry;
    while (n < max && (entry = readdir(dir))) /* NOLINT(concurrency-mt-unsafe): DIR is ours */
        if (plan_check_name(entry->d_name, NULL) == 0)
            (void)str_copy(names[n++], MODEL_NAME_MAX, entry->d_name);
    (void)closedir(dir);
    if (n)
        qsort(names, n, MODEL_NAME_MAX, compare_names);
    return n;
}

void record_sweep(void)
{
    char names[MODEL_VMS_MAX * 4][MODEL_NAME_MAX];
    size_t n = record_list(names, ARRAY_LEN(names));
    for (size_t i = 0; i < n; i++) {
        auto_free char *dir = record_path(names[i], "");
        auto_free char *seed = record_path(names[i], "seed");
        file_sweep(dir);
        file_sweep(seed);
    }
}

int record_remove(const char *name, struct err *err)
{
    if (plan_check_name(name, err) < 0)
        return -1;
    auto_free char *dir = record_path(name, "");
    auto_free char *record = record_path(name, RECORD_FILE);
    /* The record goes first: a folder without it is known to be half removed. */
    if (file_remove_tree(record, err) < 0 || file_remove_tree(dir, err) < 0)
        return err_wrap(err, "remove VM %s", name);
    return 0;
}

/* -------------------------------------------------------------------------------------- JSON */

static void print_plan(cJSON *to, const struct vm_plan *p)
{
    json_add_str(to, "accel", p->accel);
    json_add_str_or_null(to, "bundle", p->bundle);
    json_add_u64(to, "cpus", p->cpus);
    json_add_u64(to, "memoryMib", p->memory_mib);
    json_add_u64(to, "diskGib", p->disk_gib);
    json_add_str(to, "network", vm_network_name(p->network));
}

void record_print(const struct vm_record *r, struct buf *out)
{
    auto_json cJSON *o = cJSON_CreateObject();
    json_add_u64(o, "schema", RECORD_SCHEMA);
    json_add_str(o, "name", r->name);
    json_add_str(o, "uuid", r->uuid);
    json_add_str(o, "mac", r->mac);
    print_plan(json_add_obj(o, "plan"), &r->plan);
    json_add_str_or_null(o, "uri", r->uri);
    json_add_str_or_null(o, "accel", r->accel);
    json_add_u64(o, "sshPort", r->ssh_port);
    json_add_str(o, "slot", r->slot);
    json_add_str_or_null(o, "bundleVersion", r->bundle_version);
    json_add_str_or_null(o, "hostKey", r->host_key);
    json_add_str_or_null(o, "by", r->by);
    json_add_u64(o, "createdMs", r->created_ms);
    json_add_u64(o, "startedMs", r->started_ms);
    json_print(out, o);
}

static int parse_plan(const cJSON *root, struct vm_record *r, struct err *err)
{
    const cJSON *o;
    uint64_t cpus, memory, disk;
    if (json_need_obj(root, "plan", &o, err) < 0 ||
        json_need_u64(o, "cpus", UINT32_MAX, &cpus, err) < 0 ||
        json_need_u64(o, "memoryMib", UINT32_MAX, &memory, err) < 0 ||
        json_need_u64(o, "diskGib", UINT32_MAX, &disk, err) < 0 ||
        vm_network_parse(json_str(o, "network", ""), &r->plan.network, err) < 0)
        return -1;
    STR_SET(r->plan.name, r->name);
    JSON_COPY(r->plan.accel, o, "accel");
    JSON_COPY(r->plan.bundle, o, "bundle");
    r->plan.cpus = (uint32_t)cpus;
    r->plan.memory_mib = (uint32_t)memory;
    r->plan.disk_gib = (uint32_t)disk;
    return 0;
}

/* Only "slot-a" and "slot-b" become part of a path. */
static int check_slot(const char *slot, struct err *err)
{
    if (str_eq(slot, "slot-a") || str_eq(slot, "slot-b"))
        return 0;
    return err_set(err, ERR_PROTOCOL, "slot is not known");
}

static int parse_object(const cJSON *o, struct vm_record *r, struct err *err)
{
    uint64_t schema, port;
    if (json_need_u64(o, "schema", UINT32_MAX, &schema, err) < 0)
        return -1;
    if (schema > RECORD_SCHEMA) {
        err_set(err, ERR_PROTOCOL, "was written by a newer Berth");
        return err_hint(err, "Update Berth on this computer.");
    }
    JSON_COPY(r->name, o, "name");
    JSON_COPY(r->uuid, o, "uuid");
    JSON_COPY(r->mac, o, "mac");
    JSON_COPY(r->slot, o, "slot");
    if (plan_check_name(r->name, err) < 0 || parse_plan(o, r, err) < 0 ||
        check_slot(r->slot, err) < 0 || json_need_u64(o, "sshPort", UINT16_MAX, &port, err) < 0)
        return -1;
    if (strlen(r->uuid) != UUID_SIZE - 1 || strlen(r->mac) != RECORD_MAC_MAX - 1)
        return err_set(err, ERR_PROTOCOL, "uuid or mac is damaged");
    r->ssh_port = (uint16_t)port;
    JSON_COPY(r->uri, o, "uri");
    JSON_COPY(r->accel, o, "accel");
    JSON_COPY(r->bundle_version, o, "bundleVersion");
    JSON_COPY(r->host_key, o, "hostKey");
    JSON_COPY(r->by, o, "by");
    r->created_ms = json_u64(o, "createdMs", 0);
    r->started_ms = json_u64(o, "startedMs", 0);
    return 0;
}

int record_parse(const char *data, size_t len, struct vm_record *ret_record, struct err *err)
{
    auto_json cJSON *o = json_parse(data, len, err);
    if (!o)
        return -1;
    struct err why = {0};
    struct vm_record r = {0};
    if (parse_object(o, &r, &why) < 0) {
        err_set(err, ERR_PROTOCOL, "the record is damaged: %s", why.msg);
        if (why.hint[0])
            err_hint(err, "%s", why.hint);
        return -1;
    }
    *ret_record = r;
    return 0;
}

/* ---------------------------------------------------------------------------------- identity */

/* QEMU's prefix and the last three bytes of the uuid: fixed for the VM, so that its DHCP lease is
 * too. */
static void make_mac(const char *uuid, char to[RECORD_MAC_MAX])
{
    const char *tail = uuid + UUID_SIZE - 1 - 6;
    (void)str_format(to, RECORD_MAC_MAX, "52:54:00:%.2s:%.2s:%.2s", tail, tail + 2, tail + 4);
}
