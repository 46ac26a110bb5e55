/* iotedge support-bundle: the command line, and where the archive goes. It appears under its name
 * whole or not at all. */
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/log_query.h"
#include "vm/guest/iotedge/as_root.h"
#include "vm/guest/iotedge/module_logs.h"
#include "vm/guest/iotedge/say.h"
#include "vm/guest/iotedge/support.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* On the data disk: /tmp is memory. */
#define TEMPORARY "/var/tmp/iotedge-support.XXXXXX"

static const char usage[] =
    "usage: iotedge support-bundle [-o FILE|-] [--since TIME] [--until TIME] [-e] [-q]\n"
    "                              [--iothub-hostname HOST]\n"
    "-o -  to standard output   -e  of modules only edgeAgent and edgeHub   -q  quiet\n"
    "TIME as for `iotedge logs`; without --since the last day\n";

static void tell(const char *what)
{
    say_note("  %s", what);
}

static void tell_nobody(const char *what)
{
    (void)what;
}

/* ------------------------------------------------------------------------------- archive */

static int collect(const struct iotedge *o, const struct support_options *options, int fd,
                   struct err *err)
{
    /* Not by its name, which in a folder of somebody else's may be another file by now. */
    auto_free char *self = xasprintf("/proc/self/fd/%d", fd);
    struct zip_file *zip = zip_file_new(self, clock_wall_ms(), err);
    if (!zip)
        return -1;
    int status = support_collect(o, options, zip, err);
    return zip_file_end(zip, status == 0 ? err : NULL) < 0 ? -1 : status;
}

/* The guest's helper collects it: the same, but for root's eyes. */
static int fetch(const struct support_options *options, int fd, struct err *err)
{
    auto_free char *request =
        xasprintf("support-bundle %llu %llu %s%s%s\n", (unsigned long long)options->since_s,
                  (unsigned long long)options->until_s, options->runtime_only ? "runtime" : "all",
                  options->hub ? " " : "", options->hub ? options->hub : "");
    options->tell("what only root may see is asked of the guest's helper");
    return as_root_fetch(request, fd, err);
}

static int copy_out(int fd, struct err *err)
{
    char room[16384];
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_sys(err, errno, "read the archive");
    for (ssize_t n; (n = read(fd, room, sizeof(room))) != 0;) {
        if (n < 0)
            return err_sys(err, errno, "read the archive");
        if (fwrite(room, 1, (size_t)n, stdout) != (size_t)n)
            return err_sys(err, errno, "write to standard output");
    }
    return 0;
}

static int finish(int fd, const char *temporary, const char *file, struct err *err)
{
    if (str_eq(file, "-"))
        return copy_out(fd, err);
    if (fsync(fd) < 0 || rename(temporary, file) < 0)
        return err_sys(err, errno, "write %s", file);
    return file_sync_parent(file, err);
}

static int make(const struct iotedge *o, const struct support_options *options, const char *file,
                struct err *err)
{
    bool out = str_eq(file, "-");
    auto_free char *temporary = out ? xstrdup(TEMPORARY) : xasprintf("%s.XXXXXX", file);
    auto_close int fd = mkostemp(temporary, O_CLOEXEC); /* 0600 */
    if (fd < 0)
        return err_sys(err, errno, "write %s", out ? "a temporary file below /var/tmp" : file);
    if (out)
        (void)unlink(temporary); /* it ends with us, however that is */
    int status = options->as_root ? fetch(options, fd, err) : collect(o, options, fd, err);
    if (status == 0)
        status = finish(fd, temporary, file, err);
    if (status < 0)
        (void)unlink(temporary);
    return status;
}

/* ------------------------------------------------------------------------------- verb */

static int set_times(struct support_options *options, struct err *err)
{
    struct log_query query = {.tail = LOG_QUERY_ALL};
    const struct module_logs q = {.tail = "all", .since = options->since, .until = options->until};
    if (module_logs_check(&q, err) < 0)
        return -1;
    uint64_t now_s = clock_wall_ms() / 1000;
    (void)log_query_set(&query, "since", options->since, now_s, NULL);
    if (options->until)
        (void)log_query_set(&query, "until", options->until, now_s, NULL);
    options->since_s = query.since_s;
    options->until_s = query.until_s;
    return 0;
}

static void default_name(char *to, size_t size)
{
    char now[CLOCK_TEXT_MAX]; /* "2026-11-21T14:31:02.118Z" */
    clock_format(now, sizeof(now), clock_wall_ms());
    (void)str_format(to, size, "support_bundle_%.4s_%.2s_%.2s_%.2s_%.2s_%.2s_UTC.zip", now, now + 5,
                     now + 8, now + 11, now + 14, now + 17);
}

static int run(const struct iotedge *o, struct support_options *options, const char *file)
{
    struct err err;
    char name[64];
    default_name(name, sizeof(name));
    if (!file)
        file = name;
    if (str_eq(file, "-") && isatty(STDOUT_FILENO))
        return say_usage(usage, "standard output is a terminal, which an archive would upset");
    if (set_times(options, &err) < 0 || make(o, options, file, &err) < 0)
        return say_error(&err);
    if (!str_eq(file, "-"))
        say("%s was written. Keys, tokens, passwords and modules' environment were taken out by "
            "their names; look it through before you give it away.",
            file);
    return IOTEDGE_DONE;
}

int iotedge_support_bundle(const struct iotedge *o, int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"since", required_argument, NULL, 's'},
        {"until", required_argument, NULL, 'u'},
        {"include-edge-runtime-only", no_argument, NULL, 'e'},
        {"quiet", no_argument, NULL, 'q'},
        {"iothub-hostname", required_argument, NULL, 'i'},
        {0},
    };
    struct support_options chosen = {
        .since = "1 day", .as_root = as_root_needed(argc, argv), .tell = tell};
    const char *file = NULL;
    int which;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((which = getopt_long(argc, argv, "o:eq", options, NULL)) != -1) {
        switch (which) {
        case 'o':
            file = optarg;
            break;
        case 's':
            chosen.since = optarg;
            break;
        case 'u':
            chosen.until = optarg;
            break;
        case 'e':
            chosen.runtime_only = true;
            break;
        case 'q':
            chosen.tell = tell_nobody;
            break;
        case 'i':
            chosen.hub = optarg;
            break;
        default:
            return say_usage(usage, "");
        }
    }
    return optind == argc ? run(o, &chosen, file) : say_usage(usage, "");
}
