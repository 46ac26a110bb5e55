/* iotedge list, iotedge restart. */
#include "vm/guest/iotedge/modules.h"

#include "core/base/clock.h"
#include "core/base/percent.h"
#include "core/base/str.h"
#include "vm/guest/iotedge/ask.h"
#include "vm/guest/iotedge/say.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define AGENT "edgeAgent"

/* ------------------------------------------------------------------------------- list */

/* "3 minutes", "an hour": as people say it. */
static void put_span(struct buf *out, uint64_t seconds)
{
    static const struct {
        uint64_t seconds;
        const char *one, *many;
    } units[] = {{86400, "a day", "days"}, {3600, "an hour", "hours"}, {60, "a minute", "minutes"}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        uint64_t n = seconds / units[i].seconds;
        if (n == 1)
            buf_puts(out, units[i].one);
        else if (n > 1)
            buf_printf(out, "%llu %s", (unsigned long long)n, units[i].many);
        if (n)
            return;
    }
    buf_puts(out, "less than a minute");
}

static void put_time(struct buf *out, const char *before, const char *text, uint64_t now_ms,
                     const char *after)
{
    uint64_t ms = 0;
    buf_puts(out, before);
    if (!clock_parse(text, &ms))
        return;
    buf_putc(out, ' ');
    put_span(out, now_ms > ms ? (now_ms - ms) / 1000 : 0);
    buf_puts(out, after);
}

void modules_describe(const cJSON *module, uint64_t now_ms, struct buf *out)
{
    const cJSON *status = json_get(module, "status");
    const cJSON *ended = json_get(status, "exitStatus");
    const char *word = json_str(json_get(status, "runtimeStatus"), "status", "unknown");
    const char *when = json_str(ended, "exitTime", "");
    if (str_eq(word, "running")) {
        put_time(out, "Up", json_str(status, "startTime", ""), now_ms, "");
    } else if (str_eq(word, "failed")) {
        char before[48];
        (void)str_format(before, sizeof(before), "Failed (%s)", json_str(ended, "statusCode", "?"));
        put_time(out, ended ? before : "Failed", when, now_ms, " ago");
    } else {
        size_t at = out->len;
        put_time(out, word, when, now_ms, " ago");
        if (out->len > at)
            out->data[at] = (char)toupper((unsigned char)out->data[at]);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(json_str(*(const cJSON *const *)a, "name", ""),
                  json_str(*(const cJSON *const *)b, "name", ""));
}

size_t modules_sorted(const cJSON *list, const cJSON **ret, size_t max)
{
    size_t n = 0;
    const cJSON *module = NULL;
    cJSON_ArrayForEach(module, json_get(list, "modules"))
    {
        if (n < max && *json_str(module, "name", ""))
            ret[n++] = module;
    }
    qsort(ret, n, sizeof(*ret), by_name);
    return n;
}

/* Why something does not run, beside the table, so that this stays one line a module. */
static void say_why(const cJSON *module)
{
    char name[MODULES_NAME_MAX], why[400];
    const cJSON *status = json_get(json_get(module, "status"), "runtimeStatus");
    str_sanitise_to(name, sizeof(name), json_str(module, "name", ""));
    str_sanitise_to(why, sizeof(why), json_str(status, "description", ""));
    if (why[0] && !str_eq(json_str(status, "status", ""), "running"))
        say_note("%s: %s", name, why);
}

int iotedge_list(const struct iotedge *o, int argc, char **argv)
{
    struct err err;
    const cJSON *modules[MODULES_MAX];
    auto_json cJSON *list = NULL;
    auto_ask struct ask *a = ask_runtime(o);
    auto_say_table struct say_table table = {0};
    auto_buf struct buf out = {0};
    (void)argv;
    if (argc != 1)
        return say_usage("usage: iotedge list\n", "");
    if (ask_json(a, "GET", "/modules?" ASK_MGMT_VERSION, &list, &err) < 0)
        return say_error(&err);
    size_t n = modules_sorted(list, modules, ARRAY_LEN(modules));
    say_table_add(&table, "NAME", "STATUS", "DESCRIPTION", "Config");
    for (size_t i = 0; i < n; i++) {
        auto_buf struct buf text = {0};
        const cJSON *status = json_get(modules[i], "status");
        modules_describe(modules[i], clock_wall_ms(), &text);
        say_table_add(&table, json_str(modules[i], "name", ""),
                      json_str(json_get(status, "runtimeStatus"), "status", "unknown"),
                      buf_str(&text),
                      json_str(json_get(json_get(modules[i], "config"), "settings"), "image", "?"));
    }
    say_table_print(&table, &out);
    (void)fputs(buf_str(&out), stdout);
    for (size_t i = 0; i < n; i++)
        say_why(modules[i]);
    return IOTEDGE_DONE;
}

/* ------------------------------------------------------------------------------- restart */

static int act(struct ask *a, const char *module, const char *verb, struct err *err)
{
    auto_buf struct buf target = {0};
    buf_puts(&target, "/modules/");
    percent_encode(module, strlen(module), &target);
    buf_printf(&target, "/%s?" ASK_MGMT_VERSION, verb);
    return ask_json(a, "POST", buf_str(&target), NULL, err);
}

int modules_not_found(struct err *err)
{
    if (err->kind == ERR_NOT_FOUND)
        err_hint(err, "`iotedge list` shows the names; mind capital letters");
    return say_error(err);
}

int iotedge_restart(const struct iotedge *o, int argc, char **argv)
{
    struct err err;
    auto_ask struct ask *a = ask_runtime(o);
    if (argc != 2 || argv[1][0] == '-')
        return say_usage("usage: iotedge restart MODULE\n", "");
    const char *name = argv[1];
    bool agent = str_eq(name, AGENT); /* the runtime itself: it cannot be stopped first */
    if (agent ? act(a, name, "restart", &err) < 0
              : act(a, name, "stop", &err) < 0 || act(a, name, "start", &err) < 0)
        return modules_not_found(&err);
    (void)printf("%s\n", name);
    if (agent)
        say_note("The runtime starts anew; modules go on meanwhile.");
    return IOTEDGE_DONE;
}
