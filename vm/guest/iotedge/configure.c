/* iotedge config apply, iotedge config mp. Nothing is put in place that the runtime would not take,
 * and nothing is called done before the runtime has it. */
#include "vm/guest/iotedge/configure.h"

#include "core/azure/connstr.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/base/toml.h"
#include "core/io/digest.h"
#include "vm/guest/iotedge/ask.h"
#include "vm/guest/iotedge/say.h"
#include "vm/guest/iotedge/units.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HELPER_LOCK "/run/berth/guest.lock" /* of the engine's helper, which also changes it */
#define TRYING_MAX  200

static const char usage[] =
    "usage: iotedge config apply [-c FILE]\n"
    "       iotedge config mp --connection-string STRING|- [-o FILE] [--force]\n"
    "apply: FILE, or what stands in /etc/aziot/config.toml, is checked and taken into\n"
    "use. mp: writes a configuration; with - the string is read from standard input,\n"
    "where no other user of this machine can see it.\n";

/* ------------------------------------------------------------------------------- apply */

/* Whether CONFIG is what the engine's helper tries: its digest is that of the note. */
static bool is_tried(const char *trying, const struct buf *config)
{
    auto_buf struct buf note = {0};
    char digest[DIGEST_HEX_SIZE];
    digest_sha256(buf_str(config), config->len, digest);
    return file_read(trying, TRYING_MAX, &note, NULL) == 0 && str_starts(buf_str(&note), digest);
}

/* The one before stays beside it. One that is only tried is not one to go back to. */
static int keep_former(const char *path, const char *trying, const struct buf *text,
                       struct err *err)
{
    auto_wiped_buf struct buf former = {0};
    auto_free char *aside = xasprintf("%s.prev", path);
    if (!file_exists(path))
        return 0;
    if (file_read(path, TOML_TEXT_MAX, &former, err) < 0)
        return -1;
    if (is_tried(trying, &former))
        return 0;
    bool same = former.len == text->len && memcmp(buf_str(&former), buf_str(text), text->len) == 0;
    return same ? 0 : file_write(aside, buf_str(&former), former.len, 0600, err);
}

/* The helper has its lock in a folder that is there at every boot; -1 without an error elsewhere,
 * where there is no helper. */
static int lock_helper_out(int *ret_lock, struct err *err)
{
    struct err why;
    *ret_lock = file_lock(HELPER_LOCK, true, &why);
    if (*ret_lock >= 0)
        return 0;
    if (why.sys != ENOENT) {
        *err = why;
        return -1;
    }
    say_note("Note: this machine has no " HELPER_LOCK ", so nothing keeps others from changing "
             "the configuration at the same time.");
    return 0;
}

static int put_in_place(const char *path, const struct buf *text, struct err *err)
{
    auto_close int lock = -1;
    auto_free char *trying = xasprintf("%s.trying", path);
    if (lock_helper_out(&lock, err) < 0 || keep_former(path, trying, text, err) < 0 ||
        file_write(path, buf_str(text), text->len, 0600, err) < 0)
        return -1;
    /* A person has decided: the engine has nothing left to undo. */
    if (unlink(trying) < 0 && errno != ENOENT)
        return err_sys(err, errno, "remove %s", trying);
    return file_sync_parent(path, err);
}

static int check_and_place(const struct iotedge *o, const char *source, struct err *err)
{
    auto_config struct config config = {0};
    auto_wiped_buf struct buf text = {0};
    if (!file_exists(source)) {
        err_set(err, ERR_NOT_FOUND, "there is no %s", source);
        return err_hint(err, "write it, or let `iotedge config mp` do that");
    }
    /* Once: what is checked is what is placed. */
    if (file_read(source, TOML_TEXT_MAX, &text, err) < 0 ||
        config_load_text(source, &text, &config, err) < 0)
        return -1;
    return put_in_place(o->config, &text, err);
}

static int restart_runtime(struct err *err)
{
    struct err why;
    /* A unit that failed too often would not start otherwise. */
    (void)unit_act("reset-failed", IOTEDGE_UNIT, NULL);
    if (unit_act("restart", IOTEDGE_UNIT, &why) == 0)
        return 0;
    err_set(err, why.kind == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_REMOTE,
            "the configuration is good and in place, but the runtime did not start: %s", why.msg);
    return err_hint(err, "%s", "`iotedge system status` shows the runtime's last words");
}

static int apply(const struct iotedge *o, int argc, char **argv)
{
    static const struct option options[] = {{"config-file", required_argument, NULL, 'c'}, {0}};
    struct err err;
    const char *source = o->config;
    int which;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((which = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (which != 'c')
            return say_usage(usage, "");
        source = optarg;
    }
    if (optind != argc)
        return say_usage(usage, "");
    struct configure_start before;
    configure_start_read(o, &before);
    if (check_and_place(o, source, &err) < 0)
        return say_error(&err);
    say("%s was checked and is in place; restarting the runtime.", o->config);
    (void)say_flush();
    if (restart_runtime(&err) < 0 || configure_wait(o, &before, &err) < 0)
        return say_error(&err);
    return IOTEDGE_DONE;
}

/* ------------------------------------------------------------------------------- mp */

static int read_stdin(struct buf *out, struct err *err)
{
    for (;;) {
        char *room = buf_reserve(out, CONNSTR_MAX);
        ssize_t n = read(STDIN_FILENO, room, CONNSTR_MAX);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "read the connection string");
        if (n == 0)
            return 0;
        buf_commit(out, (size_t)n);
        if (out->len > CONNSTR_MAX)
            return err_set(err, ERR_INVALID, "the connection string is longer than %d bytes",
                           CONNSTR_MAX);
    }
}

int configure_write(const char *string, size_t len, struct buf *out, struct err *err)
{
    auto_connstr struct connstr parts = {0};
    while (len && strchr(" \t\r\n", string[len - 1]))
        len--;
    if (connstr_parse(string, len, &parts, err) < 0 || connstr_check_device(&parts, err) < 0)
        return -1;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)string[i] < ' ' || strchr("\"\\\x7f", string[i]))
            return err_set(err, ERR_INVALID,
                           "the connection string holds a character that none may hold");
    buf_puts(out, "# Written by `iotedge config mp`.\n"
                  "auto_reprovisioning_mode = \"OnErrorOnly\"\n\n"
                  "[provisioning]\nsource = \"manual\"\nconnection_string = \"");
    buf_append(out, string, len);
    buf_puts(out, "\"\n");
    auto_config struct config config = {0};
    return config_parse(buf_str(out), out->len, &config, err);
}

struct mp {
    char *string;
    const char *file;
    bool force;
};

static int take_string(const struct mp *mp, struct buf *out, struct err *err)
{
    if (str_eq(mp->string, "-"))
        return read_stdin(out, err);
    buf_puts(out, mp->string);
    explicit_bzero(mp->string, strlen(mp->string)); /* `ps` shows it no longer */
    say_note("Note: a connection string on the command line can be seen by other users of this "
             "machine, and stays in the shell's history. `--connection-string -` reads it from "
             "standard input.");
    return 0;
}

static int write_mp(const struct iotedge *o, const struct mp *mp)
{
    struct err err;
    auto_wiped_buf struct buf string = {0}, text = {0};
    if (!mp->force && file_exists(mp->file)) {
        err_set(&err, ERR_EXISTS, "%s is there already", mp->file);
        err_hint(&err, "--force replaces it; the runtime goes on with what it has until "
                       "`iotedge config apply`");
        return say_error(&err);
    }
    if (take_string(mp, &string, &err) < 0 ||
        configure_write(buf_str(&string), string.len, &text, &err) < 0 ||
        put_in_place(mp->file, &text, &err) < 0)
        return say_error(&err);
    say("%s was written. The runtime uses it after `iotedge config apply%s%s`.", mp->file,
        str_eq(mp->file, o->config) ? "" : " -c ", str_eq(mp->file, o->config) ? "" : mp->file);
    return IOTEDGE_DONE;
}

static int make(const struct iotedge *o, int argc, char **argv)
{
    static const struct option options[] = {
        {"connection-string", required_argument, NULL, 'c'},
        {"out-config-file", required_argument, NULL, 'o'},
        {"force", no_argument, NULL, 'f'},
        {0},
    };
    struct mp mp = {.file = o->config};
    int which;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((which = getopt_long(argc, argv, "c:o:f", options, NULL)) != -1) {
        switch (which) {
        case 'c':
            mp.string = optarg;
            break;
        case 'o':
            mp.file = optarg;
            break;
        case 'f':
            mp.force = true;
            break;
        default:
            return say_usage(usage, "");
        }
    }
    if (optind != argc || !mp.string)
        return say_usage(usage, mp.string ? "" : "--connection-string is missing");
    return write_mp(o, &mp);
}

int iotedge_config(const struct iotedge *o, int argc, char **argv)
{
    if (argc > 1 && str_eq(argv[1], "apply"))
        return apply(o, argc - 1, argv + 1);
    if (argc > 1 && str_eq(argv[1], "mp"))
        return make(o, argc - 1, argv + 1);
    return say_usage(usage, "");
}
