/* See support.h. One entry after the other; each text passes through redact.h on its way. */
#include "vm/guest/iotedge/support.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json_text.h"
#include "core/base/mem.h"
#include "core/base/percent.h"
#include "core/base/str.h"
#include "core/base/toml.h"
#include "logs/docker_frames.h"
#include "vm/guest/iotedge/ask.h"
#include "vm/guest/iotedge/check.h"
#include "vm/guest/iotedge/module_logs.h"
#include "vm/guest/iotedge/modules.h"
#include "vm/guest/iotedge/redact.h"
#include "vm/guest/iotedge/services.h"
#include "vm/guest/iotedge/units.h"

#include <ctype.h>
#include <string.h>

#define BUNDLE_MAX   (512U << 20) /* of all, before it is packed */
#define LOG_MAX      (64U << 20)  /* of one module */
#define JOURNAL_MAX  (8U << 20)   /* of one service */
#define NETWORKS_MAX 64
#define ENTRY_MAX    200

struct bundle {
    const struct iotedge *o;
    const struct support_options *options;
    struct zip_file *zip;
    struct ask *runtime, *engine;
    struct err *err; /* of the archive */
    bool failed;     /* it cannot be written */
    size_t left;     /* for more texts */
};

void support_entry(const char *folder, const char *name, const char *end, char *to, size_t size)
{
    char clean[128];
    STR_SET(clean, name);
    for (char *c = clean; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_$", *c) && (*c != '.' || c == clean))
            *c = '_';
    (void)str_format(to, size, "%s%s%s", folder, clean, end);
}

/* ------------------------------------------------------------------------------- entries */

static void put(struct bundle *b, const void *data, size_t len)
{
    len = len < b->left ? len : b->left;
    b->left -= len;
    if (!b->failed && zip_file_write(b->zip, data, len, b->err) < 0)
        b->failed = true;
}

static void put_entry(struct bundle *b, const char *name, const void *data, size_t len)
{
    if (!b->failed && zip_file_begin(b->zip, name, b->err) < 0)
        b->failed = true;
    put(b, data, len);
}

static void put_error(struct bundle *b, const char *name, const struct err *why)
{
    char entry[ENTRY_MAX];
    auto_buf struct buf text = {0};
    const char *dot = strrchr(name, '.');
    int stem = dot ? (int)(dot - name) : (int)strlen(name);
    (void)str_format(entry, sizeof(entry), "%.*s_err%s", stem, name, dot ? dot : "");
    redact_text(why->msg, strlen(why->msg), &text);
    buf_putc(&text, '\n');
    put_entry(b, entry, text.data, text.len);
}

static void put_json(struct bundle *b, const char *name, cJSON *json)
{
    auto_buf struct buf text = {0};
    redact_json(json);
    json_text(&text, json, true);
    buf_putc(&text, '\n');
    put_entry(b, name, text.data, text.len);
}

/* What a service answers to GET TARGET. */
static void put_answer(struct bundle *b, struct ask *from, const char *target, const char *name)
{
    struct err err;
    auto_json cJSON *json = NULL;
    b->options->tell(name);
    if (ask_json(from, "GET", target, &json, &err) < 0)
        put_error(b, name, &err);
    else
        put_json(b, name, json);
}

/* ------------------------------------------------------------------------------- logs */

struct log {
    struct bundle *b;
    struct redact *streams[2]; /* a line of one may stand in the middle of the other's */
    struct docker_frames frames;
    const char *name; /* of the entry, which begins with the first byte; NULL: it began */
    size_t left;
};

static void begin_log(struct log *log)
{
    if (log->name)
        put_entry(log->b, steal(log->name), "", 0);
}

static void on_clean(void *arg, const char *data, size_t len)
{
    put(arg, data, len);
}

static void on_frame(void *arg, uint8_t stream, bool first, const char *data, size_t len)
{
    struct log *log = arg;
    (void)first;
    redact_feed(log->streams[stream == 2], data, len);
}

static bool on_data(void *arg, const char *data, size_t len)
{
    static const char cut[] = "\n[the log goes on; this is as much as a bundle takes]\n";
    struct log *log = arg;
    begin_log(log);
    if (len > log->left) {
        put(log->b, cut, strlen(cut));
        return false;
    }
    log->left -= len;
    return docker_frames_feed(&log->frames, data, len, NULL) == 0 && !log->b->failed;
}

static void put_log(struct bundle *b, const char *module)
{
    char name[ENTRY_MAX];
    struct err err;
    struct log log = {.b = b, .name = name, .left = LOG_MAX};
    auto_buf struct buf target = {0};
    const struct module_logs q = {
        .module = module, .tail = "all", .since = b->options->since, .until = b->options->until};
    support_entry("logs/", module, "_log.txt", name, sizeof(name));
    b->options->tell(name);
    module_logs_target(&q, &target);
    for (size_t i = 0; i < ARRAY_LEN(log.streams); i++)
        log.streams[i] = redact_new(on_clean, b);
    docker_frames_init(&log.frames, DOCKER_MODE_DETECT, on_frame, &log);
    int status = ask_stream(b->runtime, buf_str(&target), on_data, &log, &err);
    for (size_t i = 0; i < ARRAY_LEN(log.streams); i++) {
        redact_end(log.streams[i]);
        redact_free(log.streams[i]);
    }
    if (status < 0)
        put_error(b, name, &err);
    else
        begin_log(&log); /* an empty one is told as well */
}

static void put_journal(struct bundle *b, const char *unit, const char *word)
{
    char name[ENTRY_MAX];
    struct err err;
    auto_buf struct buf text = {0}, clean = {0};
    const struct unit_log q = {.unit = unit,
                               .since_s = b->options->since_s,
                               .until_s = b->options->until_s,
                               .bytes = JOURNAL_MAX};
    support_entry("logs/", word, ".txt", name, sizeof(name));
    b->options->tell(name);
    if (unit_log_read(&q, &text, &err) < 0) {
        put_error(b, name, &err);
        return;
    }
    redact_text(buf_str(&text), text.len, &clean);
    put_entry(b, name, buf_str(&clean), clean.len);
}

/* ------------------------------------------------------------------------------- parts */

static void put_checks(struct bundle *b)
{
    struct check_facts facts;
    const struct check_options options = {.https_port = 443, .hub = b->options->hub};
    struct check_finding *findings = xcalloc(check_table_n, sizeof(*findings));
    b->options->tell("check.json");
    check_facts_gather(b->o, &options, &facts);
    check_run(&facts, findings, NULL, NULL);
    auto_json cJSON *json = check_json(&facts, findings);
    put_json(b, "check.json", json);
    check_facts_done(&facts);
    free(findings);
}

static void put_config(struct bundle *b)
{
    static const char name[] = "config.toml";
    struct err err;
    auto_wiped_buf struct buf text = {0};
    auto_buf struct buf clean = {0};
    if (file_read(b->o->config, TOML_TEXT_MAX, &text, &err) < 0 ||
        redact_toml(buf_str(&text), text.len, &clean, &err) < 0)
        put_error(b, name, &err);
    else
        put_entry(b, name, buf_str(&clean), clean.len);
}

static bool is_runtime(const char *module)
{
    return str_eq(module, "edgeAgent") || str_eq(module, "edgeHub");
}

static void put_module(struct bundle *b, const char *module)
{
    char name[ENTRY_MAX];
    auto_buf struct buf target = {0};
    if (b->options->runtime_only && !is_runtime(module))
        return;
    put_log(b, module);
    if (is_runtime(module))
        return; /* a process, no container */
    support_entry("inspect/", module, ".json", name, sizeof(name));
    buf_puts(&target, ASK_ENGINE_API "/containers/");
    percent_encode(module, strlen(module), &target);
    buf_puts(&target, "/json");
    put_answer(b, b->engine, buf_str(&target), name);
}

static void put_modules(struct bundle *b)
{
    struct err err;
    const cJSON *modules[MODULES_MAX];
    auto_json cJSON *list = NULL;
    if (ask_json(b->runtime, "GET", "/modules?" ASK_MGMT_VERSION, &list, &err) < 0) {
        put_error(b, "modules.json", &err);
        return;
    }
    size_t n = modules_sorted(list, modules, MODULES_MAX);
    for (size_t i = 0; i < n && !b->failed; i++)
        put_module(b, json_str(modules[i], "name", ""));
    put_json(b, "modules.json", list);
}

static void put_networks(struct bundle *b)
{
    struct err err;
    const cJSON *network = NULL;
    auto_json cJSON *list = NULL;
    int n = 0;
    if (ask_json(b->engine, "GET", ASK_ENGINE_API "/networks", &list, &err) < 0) {
        put_error(b, "network/networks.json", &err);
        return;
    }
    cJSON_ArrayForEach(network, list)
    {
        char name[ENTRY_MAX];
        const char *called = json_str(network, "Name", "");
        auto_buf struct buf target = {0};
        if (n++ == NETWORKS_MAX || b->failed)
            return;
        support_entry("network/", called, ".json", name, sizeof(name));
        buf_puts(&target, ASK_ENGINE_API "/networks/");
        percent_encode(called, strlen(called), &target);
        put_answer(b, b->engine, buf_str(&target), name);
    }
}

static void put_journals(struct bundle *b)
{
    for (size_t i = 0; services_units[i] && !b->failed; i++) {
        const char *dot = strrchr(services_units[i], '.');
        char word[64];
        if (!dot || !str_eq(dot, ".service"))
            continue;
        (void)str_format(word, sizeof(word), "%.*s", (int)(dot - services_units[i]),
                         services_units[i]);
        put_journal(b, services_units[i], word);
    }
    put_journal(b, NULL, "kernel");
}

static void put_incomplete(struct bundle *b)
{
    static const char text[] = "There was more than a bundle takes: ask for less with --since, "
                               "--until or -e.\n";
    b->left = strlen(text);
    put_entry(b, "incomplete.txt", text, strlen(text));
}

int support_collect(const struct iotedge *o, const struct support_options *options,
                    struct zip_file *z, struct err *err)
{
    auto_ask struct ask *runtime = ask_runtime(o), *engine = ask_engine(o);
    struct bundle b = {
        .o = o,
        .options = options,
        .zip = z,
        .runtime = runtime,
        .engine = engine,
        .err = err,
        .left = BUNDLE_MAX,
    };
    put_checks(&b);
    put_modules(&b);
    put_networks(&b);
    put_journals(&b);
    put_config(&b);
    put_answer(&b, runtime, "/systeminfo?" ASK_MGMT_VERSION, "system.json");
    put_answer(&b, runtime, "/systeminfo/resources?" ASK_MGMT_VERSION, "resources.json");
    if (!b.left)
        put_incomplete(&b);
    return b.failed ? -1 : 0;
}
