/* See check.h: what was found, as text for people and as the JSON that Microsoft's command prints.
 */
#include "vm/guest/iotedge/check.h"

#include "core/base/clock.h"
#include "core/base/str.h"
#include "vm/guest/edged/sysinfo.h"
#include "vm/guest/iotedge/say.h"

#include <limits.h>
#include <string.h>
#include <sys/sysinfo.h>

#define INDENT 5

static const char *const result_names[] = {
    [CHECK_OK] = "ok",           [CHECK_WARNING] = "warning", [CHECK_IGNORED] = "ignored",
    [CHECK_SKIPPED] = "skipped", [CHECK_ERROR] = "error",
};
_Static_assert(ARRAY_LEN(result_names) == CHECK_RESULT_COUNT, "a name for each result");

/* As wide as the indentation. */
static const char *const marks[] = {
    [CHECK_OK] = "[OK] ",      [CHECK_WARNING] = "[!]  ", [CHECK_IGNORED] = "[-]  ",
    [CHECK_SKIPPED] = "[-]  ", [CHECK_ERROR] = "[X]  ",
};
_Static_assert(ARRAY_LEN(marks) == CHECK_RESULT_COUNT, "a mark for each result");

const char *const check_section_names[] = {
    [CHECK_CONFIGURATION] = "Configuration checks",
    [CHECK_CONNECTIVITY] = "Connectivity checks",
    [CHECK_PRODUCTION] = "Production checks",
};
_Static_assert(ARRAY_LEN(check_section_names) == CHECK_SECTIONS, "a name for each section");

/* ------------------------------------------------------------------------------- text */

static void put_part(struct buf *out, const char *before, const char *text)
{
    auto_buf struct buf line = {0};
    buf_puts(&line, before);
    str_sanitise(&line, text, strlen(text));
    buf_printf(out, "%*s", INDENT, "");
    say_wrap(out, INDENT, buf_str(&line));
    buf_putc(out, '\n');
}

void check_line(const struct check *check, const struct check_finding *f, bool verbose,
                struct buf *out)
{
    bool trouble = f->result == CHECK_WARNING || f->result == CHECK_ERROR;
    buf_printf(out, "%s%s%s%s\n", marks[f->result], check->id, trouble ? "" : ": ",
               trouble ? "" : check->what);
    if (trouble || verbose)
        put_part(out, "", f->said.msg);
    if (trouble && f->said.hint[0])
        put_part(out, "Next: ", f->said.hint);
}

void check_summary(const struct check_finding *findings, struct buf *out)
{
    unsigned counts[CHECK_RESULT_COUNT] = {0};
    for (size_t i = 0; i < check_table_n; i++)
        counts[findings[i].result]++;
    unsigned not_run = counts[CHECK_IGNORED] + counts[CHECK_SKIPPED];
    buf_printf(out, "\nGood: %u, warnings: %u, errors: %u, not run: %u%s\n", counts[CHECK_OK],
               counts[CHECK_WARNING], counts[CHECK_ERROR], not_run,
               not_run ? " (--verbose tells why)" : "");
}

/* ------------------------------------------------------------------------------- JSON */

static void add_bytes(cJSON *to, const char *key, uint64_t bytes)
{
    char text[32];
    str_bytes(text, sizeof(text), bytes);
    json_add_str(to, key, text);
}

static void add_disk(cJSON *disks, const cJSON *from)
{
    char percent[16];
    uint64_t total = json_u64(from, "total_space", 0), left = json_u64(from, "available_space", 0);
    cJSON *disk = cJSON_CreateObject();
    json_push(disks, disk);
    (void)str_format(percent, sizeof(percent), "%.1f%%",
                     total ? 100.0 * (double)left / (double)total : 0.0);
    json_add_str(disk, "name", json_str(from, "name", ""));
    json_add_str(disk, "percent_free", percent);
    add_bytes(disk, "available_space", left);
    add_bytes(disk, "total_space", total);
    json_add_str(disk, "file_system", json_str(from, "file_system", ""));
    json_add_str(disk, "file_type", json_str(from, "file_type", ""));
}

static void add_machine(cJSON *to)
{
    struct sysinfo info = {0};
    auto_json cJSON *machine = cJSON_CreateObject(), *now = cJSON_CreateObject();
    const cJSON *disk = NULL;
    sysinfo_describe(machine);
    sysinfo_resources(now);
    (void)sysinfo(&info);
    cJSON *os = json_add_obj(to, "os");
    json_add_str_or_null(os, "id", json_str(machine, "operating_system", ""));
    json_add_str_or_null(os, "version_id", json_str(machine, "operating_system_version", ""));
    json_add_str(os, "arch", json_str(machine, "architecture", ""));
    json_add_u64(os, "bitness", sizeof(void *) * CHAR_BIT);
    cJSON *system = json_add_obj(to, "system_info");
    add_bytes(system, "used_ram", json_u64(now, "used_ram", 0));
    add_bytes(system, "total_ram", json_u64(now, "total_ram", 0));
    add_bytes(system, "used_swap", (uint64_t)(info.totalswap - info.freeswap) * info.mem_unit);
    add_bytes(system, "total_swap", (uint64_t)info.totalswap * info.mem_unit);
    cJSON *disks = json_add_array(system, "disks");
    cJSON_ArrayForEach(disk, json_get(now, "disks"))
    {
        add_disk(disks, disk);
    }
}

static cJSON *finding_json(const struct check_finding *f)
{
    cJSON *json = cJSON_CreateObject(), *result = json_add_obj(json, "result");
    json_add_str(result, "result", result_names[f->result]);
    if (f->result == CHECK_WARNING || f->result == CHECK_ERROR) {
        cJSON *details = json_add_array(result, "details");
        json_push(details, cJSON_CreateString(f->said.msg));
        if (f->said.hint[0])
            json_push(details, cJSON_CreateString(f->said.hint));
    }
    json_add(json, "additional_info", cJSON_CreateNull());
    return json;
}

cJSON *check_json(const struct check_facts *facts, const struct check_finding *findings)
{
    char now[CLOCK_TEXT_MAX];
    cJSON *json = cJSON_CreateObject(), *more = json_add_obj(json, "additional_info");
    clock_format(now, sizeof(now), facts->now_ms);
    json_add_str_or_null(more, "docker_version", json_str(facts->engine, "Version", ""));
    json_add_str_or_null(more, "aziot_edged_version", json_str(facts->info, "version", ""));
    json_add_str(more, "now", now);
    add_machine(more);
    cJSON *checks = json_add_obj(json, "checks");
    for (size_t i = 0; i < check_table_n; i++)
        json_add(checks, check_table[i].id, finding_json(&findings[i]));
    return json;
}
