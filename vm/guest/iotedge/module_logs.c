/* iotedge logs. The frames' output goes to standard output, their errors to standard error; bytes
 * as they are, but for a terminal, whose lines pass the sanitiser. */
#include "vm/guest/iotedge/module_logs.h"

#include "core/base/clock.h"
#include "core/base/percent.h"
#include "core/base/str.h"
#include "logs/docker_frames.h"
#include "logs/line_split.h"
#include "vm/guest/edged/log_query.h"
#include "vm/guest/iotedge/modules.h"
#include "vm/guest/iotedge/say.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define STREAM_ERRORS 2

static const char usage[] =
    "usage: iotedge logs MODULE [--tail N|all] [--since TIME] [--until TIME] [-f]\n"
    "TIME: \"1 day\", \"90m\" (ago), 2026-11-21T14:00:00Z, or seconds since 1970;\n"
    "without --since the last day\n";

/* ------------------------------------------------------------------------------- query */

static void add_parameter(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "&%s=", name);
    percent_encode(value, strlen(value), out);
}

void module_logs_target(const struct module_logs *q, struct buf *out)
{
    buf_puts(out, "/modules/");
    percent_encode(q->module, strlen(q->module), out);
    buf_puts(out, "/logs?" ASK_MGMT_VERSION);
    add_parameter(out, "follow", q->follow ? "true" : "false");
    add_parameter(out, "tail", q->tail);
    add_parameter(out, "since", q->since);
    if (q->until)
        add_parameter(out, "until", q->until);
}

int module_logs_check(const struct module_logs *q, struct err *err)
{
    struct log_query query = {.tail = LOG_QUERY_ALL};
    uint64_t now_s = clock_wall_ms() / 1000;
    if (log_query_set(&query, "tail", q->tail, now_s, NULL) < 0)
        return err_set(err, ERR_INVALID, "--tail must be a number of lines, or \"all\"");
    if (log_query_set(&query, "since", q->since, now_s, NULL) < 0 ||
        (q->until && log_query_set(&query, "until", q->until, now_s, NULL) < 0)) {
        err_set(err, ERR_INVALID, "--since and --until must be times");
        return err_hint(err, "write \"2 days\", \"90m\" or 2026-11-21T14:00:00Z");
    }
    return 0;
}

/* ------------------------------------------------------------------------------- output */

struct sink {
    FILE *to;
    struct line_split *lines; /* a terminal's; NULL: bytes as they are */
};

struct output {
    struct sink sinks[2];
    struct docker_frames frames;
    bool failed; /* it cannot be written any more */
};

static void on_line(void *arg, const struct log_entry *entry)
{
    (void)fprintf(arg, "%s\n", entry->text); /* sanitised by the splitter */
}

static void on_frame(void *arg, uint8_t stream, bool first, const char *data, size_t len)
{
    struct output *out = arg;
    const struct sink *sink = &out->sinks[stream == STREAM_ERRORS];
    if (sink->lines)
        line_split_feed(sink->lines, stream, first, data, len);
    else
        (void)fwrite(data, 1, len, sink->to);
}

static bool on_data(void *arg, const char *data, size_t len)
{
    struct output *out = arg;
    bool good = docker_frames_feed(&out->frames, data, len, NULL) == 0;
    for (size_t i = 0; i < ARRAY_LEN(out->sinks); i++)
        out->failed = fflush(out->sinks[i].to) != 0 || out->failed;
    return good && !out->failed;
}

static void output_init(struct output *out)
{
    static const struct line_split_options options = {0};
    *out = (struct output){.sinks = {{.to = stdout}, {.to = stderr}}};
    for (size_t i = 0; i < ARRAY_LEN(out->sinks); i++)
        if (isatty(fileno(out->sinks[i].to)))
            out->sinks[i].lines = line_split_new(&options, on_line, out->sinks[i].to);
    docker_frames_init(&out->frames, DOCKER_MODE_DETECT, on_frame, out);
}

static void output_done(struct output *out)
{
    for (size_t i = 0; i < ARRAY_LEN(out->sinks); i++) {
        if (out->sinks[i].lines)
            line_split_end(out->sinks[i].lines);
        line_split_free(out->sinks[i].lines);
    }
}

static int run(const struct iotedge *o, const struct module_logs *q)
{
    struct err err;
    struct output out;
    auto_ask struct ask *a = ask_runtime(o);
    auto_buf struct buf target = {0};
    if (module_logs_check(q, &err) < 0)
        return say_error(&err);
    module_logs_target(q, &target);
    output_init(&out);
    int status = ask_stream(a, buf_str(&target), on_data, &out, &err);
    output_done(&out);
    if (status < 0)
        return modules_not_found(&err);
    return out.failed ? IOTEDGE_FAILED : IOTEDGE_DONE;
}

int iotedge_logs(const struct iotedge *o, int argc, char **argv)
{
    static const struct option options[] = {
        {"tail", required_argument, NULL, 't'},
        {"since", required_argument, NULL, 's'},
        {"until", required_argument, NULL, 'u'},
        {"follow", no_argument, NULL, 'f'},
        {0},
    };
    struct module_logs q = {.tail = "all", .since = "1 day"};
    int which;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((which = getopt_long(argc, argv, "f", options, NULL)) != -1) {
        switch (which) {
        case 't':
            q.tail = optarg;
            break;
        case 's':
            q.since = optarg;
            break;
        case 'u':
            q.until = optarg;
            break;
        case 'f':
            q.follow = true;
            break;
        default:
            return say_usage(usage, "");
        }
    }
    if (optind + 1 != argc)
        return say_usage(usage,
                         optind < argc ? "one module at a time" : "a module's name is missing");
    q.module = argv[optind];
    return run(o, &q);
}
