/* See units.h. */
#include "vm/guest/iotedge/units.h"

#include "core/base/str.h"
#include "core/io/child.h"

#include <string.h>

#define ACT_MS  120000 /* the start of a unit, under emulation */
#define SHOW_MS 20000
#define LOG_MS  60000

/* Other errors are the program's own words. */
static int explain(struct err *err)
{
    if (!err || err->kind != ERR_NOT_FOUND)
        return -1;
    return err_set(err, ERR_UNSUPPORTED, "this machine is not run by systemd: %s", err->msg);
}

int unit_act(const char *verb, const char *unit, struct err *err)
{
    const char *const argv[] = {"systemctl", "--no-ask-password", verb, unit, NULL};
    const struct child_options options = {.argv = argv, .timeout_ms = ACT_MS};
    return child_run(&options, NULL, err) < 0 ? explain(err) : 0;
}

int unit_property(const char *unit, const char *name, char *to, size_t size, struct err *err)
{
    const char *const argv[] = {"systemctl", "show", "--value", "--property", name, unit, NULL};
    const struct child_options options = {.argv = argv, .timeout_ms = SHOW_MS};
    auto_child_result struct child_result result = {0};
    if (child_run(&options, &result, err) < 0)
        return explain(err);
    char *text = result.out.len ? str_trim(result.out.data) : NULL;
    str_sanitise_to(to, size, text ? text : "");
    return 0;
}

/* "NAME=VALUE" lines. */
static void take_property(struct unit_state *state, const char *line)
{
    const struct {
        const char *name;
        char *to;
        size_t size;
    } fields[] = {
        {"ActiveState=", state->active, sizeof(state->active)},
        {"SubState=", state->sub, sizeof(state->sub)},
        {"Result=", state->result, sizeof(state->result)},
        {"ExecMainStatus=", state->status, sizeof(state->status)},
        {"NRestarts=", state->restarts, sizeof(state->restarts)},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (str_starts(line, fields[i].name))
            str_sanitise_to(fields[i].to, fields[i].size, line + strlen(fields[i].name));
}

int unit_show(const char *unit, struct unit_state *ret, struct err *err)
{
    const char *const argv[] = {
        "systemctl", "show", "--property", "ActiveState,SubState,Result,ExecMainStatus,NRestarts",
        unit,        NULL};
    const struct child_options options = {.argv = argv, .timeout_ms = SHOW_MS};
    auto_child_result struct child_result result = {0};
    if (child_run(&options, &result, err) < 0)
        return explain(err);
    *ret = (struct unit_state){0};
    char *line = result.out.data, *next = NULL;
    for (; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        take_property(ret, line);
    }
    return 0;
}

int unit_log_read(const struct unit_log *q, struct buf *out, struct err *err)
{
    char since[40], until[40], lines[32];
    const char *argv[12] = {"journalctl", "--no-pager", "--quiet"};
    size_t n = 3;
    argv[n++] = q->unit ? "--unit" : "--dmesg";
    if (q->unit)
        argv[n++] = q->unit;
    if (q->since_s &&
        str_format(since, sizeof(since), "--since=@%llu", (unsigned long long)q->since_s))
        argv[n++] = since;
    if (q->until_s &&
        str_format(until, sizeof(until), "--until=@%llu", (unsigned long long)q->until_s))
        argv[n++] = until;
    if (q->lines && str_format(lines, sizeof(lines), "--lines=%u", q->lines))
        argv[n++] = lines;
    const struct child_options options = {
        .argv = argv, .timeout_ms = LOG_MS, .output_max = q->bytes};
    auto_child_result struct child_result result = {0};
    if (child_run(&options, &result, err) < 0)
        return explain(err);
    buf_append(out, buf_str(&result.out), result.out.len);
    if (result.cut)
        buf_puts(out, "\n[what came after this was left out]\n");
    return 0;
}
