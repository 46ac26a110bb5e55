/* See sysinfo.h. */
#include "vm/guest/edged/sysinfo.h"

#include "core/base/file.h"
#include "core/base/str.h"

#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SMALL_FILE_MAX (256U << 10)
#define DISKS_MAX      16

/* file_read() takes regular files with a size; those of /proc have none. */
static bool slurp(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    size_t n;
    do {
        char *room = buf_reserve(out, 4096);
        n = fread(room, 1, 4096, f);
        out->len += n;
        out->data[out->len] = '\0';
    } while (n && out->len < SMALL_FILE_MAX);
    (void)fclose(f);
    return true;
}

/* The number behind "NAME" at a line's beginning. */
static uint64_t number_of(const char *text, const char *name)
{
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!str_starts(line, name))
            continue;
        char digits[24];
        uint64_t value = 0;
        const char *at = line + strlen(name);
        at += strspn(at, ": \t");
        (void)str_format(digits, sizeof(digits), "%.*s", (int)strspn(at, "0123456789"), at);
        (void)str_to_u64(digits, UINT64_MAX, &value);
        return value;
    }
    return 0;
}

/* ------------------------------------------------------------------------------- cpu */

void sysinfo_cpu_read(struct sysinfo_cpu *ret)
{
    auto_buf struct buf text = {0};
    *ret = (struct sysinfo_cpu){0};
    if (!slurp("/proc/stat", &text) || !str_starts(buf_str(&text), "cpu "))
        return;
    const char *at = text.data + strlen("cpu ");
    for (int i = 0; i < 8; i++) { /* user nice system idle iowait irq softirq steal */
        char digits[24];
        uint64_t value = 0;
        at += strspn(at, " ");
        size_t n = strspn(at, "0123456789");
        (void)str_format(digits, sizeof(digits), "%.*s", (int)n, at);
        (void)str_to_u64(digits, UINT64_MAX, &value);
        ret->total += value;
        ret->busy += i == 3 || i == 4 ? 0 : value;
        at += n;
    }
}

double sysinfo_cpu_percent(const struct sysinfo_cpu *from, const struct sysinfo_cpu *to)
{
    if (to->total <= from->total || to->busy < from->busy)
        return 0;
    return 100.0 * (double)(to->busy - from->busy) / (double)(to->total - from->total);
}

/* ------------------------------------------------------------------------------- processes */

/* The sum of utime and stime, the 14th and 15th word of PROC/stat; the 2nd is in parentheses and
 * may hold anything. */
static uint64_t ticks_of(const char *stat)
{
    const char *at = strrchr(stat, ')');
    uint64_t ticks = 0;
    for (int word = 3; at && word <= 15; word++) {
        char digits[24];
        uint64_t value = 0;
        at = strchr(at, ' ');
        at += at != NULL;
        if (!at || word < 14)
            continue;
        (void)str_format(digits, sizeof(digits), "%.*s", (int)strspn(at, "0123456789"), at);
        (void)str_to_u64(digits, UINT64_MAX, &value);
        ticks += value;
    }
    return ticks;
}

bool sysinfo_process_read(pid_t pid, struct sysinfo_process *ret)
{
    char path[48];
    auto_buf struct buf status = {0}, stat = {0};
    long hertz = sysconf(_SC_CLK_TCK);
    (void)str_format(path, sizeof(path), "/proc/%d/status", (int)pid);
    if (!slurp(path, &status))
        return false;
    (void)str_format(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (!slurp(path, &stat) || hertz <= 0)
        return false;
    *ret = (struct sysinfo_process){
        .memory = number_of(buf_str(&status), "VmRSS") << 10,
        .cpu_ns = ticks_of(buf_str(&stat)) * (1000000000U / (uint64_t)hertz),
        .threads = number_of(buf_str(&status), "Threads"),
    };
    return true;
}

/* ------------------------------------------------------------------------------- description */

/* A file of one line. */
static void add_line(cJSON *to, const char *key, const char *path)
{
    char text[128];
    auto_buf struct buf line = {0};
    if (!slurp(path, &line) || !line.len)
        return;
    str_sanitise_to(text, sizeof(text), str_trim(line.data));
    if (text[0])
        json_add_str(to, key, text);
}

static void add_os_field(cJSON *to, const char *key, const char *text, const char *name)
{
    char value[128];
    size_t n = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) != 0 || line[n] != '=')
            continue;
        const char *at = line + n + 1;
        at += *at == '"';
        (void)str_format(value, sizeof(value), "%.*s", (int)strcspn(at, "\"\n"), at);
        json_add_str(to, key, value);
        return;
    }
}

static const char *virtualized(void)
{
    auto_buf struct buf text = {0};
    if (!slurp("/proc/cpuinfo", &text))
        return "unknown";
    return strstr(buf_str(&text), " hypervisor") ? "yes" : "no";
}

void sysinfo_describe(cJSON *to)
{
    auto_buf struct buf os = {0};
    struct utsname host;
    struct sysinfo info;
    bool named = uname(&host) == 0;
    json_add_str(to, "osType", "Linux");
    if (named) {
        json_add_str(to, "kernel_release", host.release);
        json_add_str(to, "kernel_version", host.version);
    }
    if (slurp("/etc/os-release", &os)) {
        add_os_field(to, "operating_system", buf_str(&os), "ID");
        add_os_field(to, "operating_system_version", buf_str(&os), "VERSION_ID");
        add_os_field(to, "operating_system_variant", buf_str(&os), "VARIANT_ID");
        add_os_field(to, "operating_system_build", buf_str(&os), "BUILD_ID");
    }
    json_add_str(to, "architecture", named ? host.machine : "unknown");
    json_add_num(to, "cpus", (double)sysconf(_SC_NPROCESSORS_ONLN));
    json_add_u64(to, "total_memory",
                 sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : 0);
    json_add_str(to, "virtualized", virtualized());
    add_line(to, "product_name", "/sys/class/dmi/id/product_name");
    add_line(to, "system_vendor", "/sys/class/dmi/id/sys_vendor");
}

/* ------------------------------------------------------------------------------- resources */

static void add_disk(cJSON *disks, const struct mntent *mount)
{
    struct statvfs fs;
    if (!str_starts(mount->mnt_fsname, "/dev/") || statvfs(mount->mnt_dir, &fs) < 0 || !fs.f_blocks)
        return;
    const cJSON *item = NULL;
    cJSON_ArrayForEach(
        item,
        disks) if (str_eq(json_str(item, "name", ""),
                          mount->mnt_fsname)) return; /* one that is mounted twice counts once */
    cJSON *disk = cJSON_CreateObject();
    json_add_str(disk, "name", mount->mnt_fsname);
    json_add_u64(disk, "available_space", (uint64_t)fs.f_bavail * fs.f_frsize);
    json_add_u64(disk, "total_space", (uint64_t)fs.f_blocks * fs.f_frsize);
    json_add_str(disk, "file_system", mount->mnt_type);
    json_add_str(disk, "file_type", "Unknown");
    json_push(disks, disk);
}

static void add_disks(cJSON *to)
{
    cJSON *disks = json_add_array(to, "disks");
    struct mntent mount;
    char room[2048];
    FILE *f = setmntent("/proc/self/mounts", "re");
    if (!f)
        return;
    while (cJSON_GetArraySize(disks) < DISKS_MAX && getmntent_r(f, &mount, room, sizeof(room)))
        add_disk(disks, &mount);
    (void)endmntent(f);
}

void sysinfo_resources(cJSON *to)
{
    auto_buf struct buf text = {0};
    struct sysinfo info = {0};
    (void)sysinfo(&info);
    (void)slurp("/proc/meminfo", &text);
    uint64_t total = number_of(buf_str(&text), "MemTotal") << 10;
    uint64_t available = number_of(buf_str(&text), "MemAvailable") << 10;
    json_add_u64(to, "host_uptime", (uint64_t)info.uptime);
    json_add_u64(to, "used_ram", total > available ? total - available : 0);
    json_add_u64(to, "total_ram", total);
    add_disks(to);
}
