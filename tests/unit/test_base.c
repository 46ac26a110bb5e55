/* What all layers rely on: errors that keep their cause, buffers, JSON with bounds, files that are
 * whole or absent. */
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/model.h"
#include "core/base/secret.h"
#include "core/base/str.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

Test(err, keeps_cause_and_adds_context)
{
    struct err err = {0};
    cr_assert_eq(err_sys(&err, ENOSPC, "write %s", "/a"), -1);
    cr_assert_eq(err_wrap(&err, "install %s", "vm1"), -1);
    cr_assert_str_eq(err.msg, "install vm1: write /a: No space left on device");
    cr_assert_eq(err.kind, ERR_NO_SPACE);
    cr_assert_eq(err.sys, ENOSPC);
}

Test(err, marks_a_cut_message)
{
    struct err err = {0};
    char longer[2000];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    err_set(&err, ERR_INVALID, "%s", longer);
    cr_assert_eq(strlen(err.msg), sizeof(err.msg) - 1);
    cr_assert(str_ends(err.msg, "..."));
}

Test(err, may_quote_itself)
{
    struct err err = {0};
    err_set(&err, ERR_REMOTE, "inner");
    err_set(&err, ERR_REMOTE, "outer (%s)", err.msg);
    cr_assert_str_eq(err.msg, "outer (inner)");
}

Test(err, kind_names_round_trip)
{
    for (int kind = 0; kind < ERR_KIND_COUNT; kind++)
        cr_assert_eq(err_kind_parse(err_kind_name((enum err_kind)kind)), kind);
    cr_assert_eq(err_kind_parse("made up"), ERR_SYSTEM);
}

Test(buf, grows_consumes_and_stays_terminated)
{
    struct buf b = {0};
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%03d,", i);
    buf_consume(&b, 4 * 998);
    cr_assert_str_eq(buf_str(&b), "998,999,");
    char *text = buf_steal(&b);
    cr_assert_str_eq(text, "998,999,");
    free(text);
    cr_assert_str_eq(buf_str(&b), "");
}

Test(str, numbers_are_strict)
{
    uint64_t value = 7;
    cr_assert(str_to_u64("18446744073709551615", UINT64_MAX, &value));
    cr_assert_eq(value, UINT64_MAX);
    const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616", "65536"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_not(str_to_u64(bad[i], i == 7 ? 65535 : UINT64_MAX, &value), "%s", bad[i]);
}

Test(str, copy_never_cuts_inside_a_character)
{
    char to[4];
    cr_assert_not(str_copy(to, sizeof(to), "ab\xC3\xA9"));
    cr_assert_str_eq(to, "ab");
}

Test(str, sanitiser_lets_no_terminal_control_through)
{
    struct buf out = {0};
    static const char hostile[] = "a\x1b]0;owned\x07\tb\xC2\x9b"
                                  "31m\xff\xE2\x80\xAE\x7f\0z";
    str_sanitise(&out, hostile, sizeof(hostile) - 1);
    cr_assert_str_eq(buf_str(&out), "a^[]0;owned^G b\\x9b31m\\xff\\u{202E}^?^@z");
    buf_done(&out);
}

Test(str, sanitiser_keeps_good_text)
{
    char out[64];
    str_sanitise_to(out, sizeof(out), "Größe 5 µm 日本");
    cr_assert_str_eq(out, "Größe 5 µm 日本");
}

Test(str, refuses_overlong_and_surrogate_utf8)
{
    uint32_t point = 0;
    cr_assert_eq(str_utf8_decode("\xC0\xAF", 2, &point), 0);
    cr_assert_eq(str_utf8_decode("\xED\xA0\x80", 3, &point), 0);
    cr_assert_eq(str_utf8_decode("\xF4\x90\x80\x80", 4, &point), 0);
    cr_assert_eq(str_utf8_decode("\xE2\x82\xAC", 3, &point), 3);
    cr_assert_eq(point, 0x20AC);
}

Test(str, sizes_and_times_read_well)
{
    char text[32];
    str_bytes(text, sizeof(text), 1536);
    cr_assert_str_eq(text, "1.5 KiB");
    str_bytes(text, sizeof(text), 96ULL << 20);
    cr_assert_str_eq(text, "96 MiB");
    str_duration(text, sizeof(text), 161);
    cr_assert_str_eq(text, "2:41");
    str_duration(text, sizeof(text), 3 * 86400 + 4 * 3600);
    cr_assert_str_eq(text, "3 d 04 h");
}

Test(clock, writes_the_date_of_an_http_answer)
{
    char text[CLOCK_HTTP_MAX];
    clock_format_http(text, 784111777000);
    cr_assert_str_eq(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    clock_format_http(text, 1835481599999);
    cr_assert_str_eq(text, "Tue, 29 Feb 2028 23:59:59 GMT");
}

Test(clock, reads_what_docker_writes)
{
    uint64_t ms = 0;
    char text[CLOCK_TEXT_MAX];
    cr_assert(clock_parse("2026-11-21T14:31:02.118999123Z", &ms));
    clock_format(text, sizeof(text), ms);
    cr_assert_str_eq(text, "2026-11-21T14:31:02.118Z");
    uint64_t other = 0;
    cr_assert(clock_parse("2026-11-21T16:31:02.118+02:00", &other));
    cr_assert_eq(ms, other);
    cr_assert_not(clock_parse("2026-13-21T14:31:02Z", &ms));
    cr_assert_not(clock_parse("2026-11-21T14:31:02", &ms));
    cr_assert_not(clock_parse("0001-01-01T00:00:00Z", &ms));
}

Test(json, names_the_member_that_is_wrong)
{
    struct err err = {0};
    const char *text = "{\"cpus\":\"two\"}";
    auto_json cJSON *json = json_parse(text, strlen(text), &err);
    uint64_t value = 0;
    cr_assert_eq(json_need_u64(json, "cpus", 8, &value, &err), -1);
    cr_assert(strstr(err.msg, "\"cpus\""), "%s", err.msg);
    cr_assert_eq(json_need_u64(json, "memory", 8, &value, &err), -1);
    cr_assert(strstr(err.msg, "\"memory\" is missing"), "%s", err.msg);
}

Test(json, bounds_depth_and_refuses_rest)
{
    struct err err = {0};
    size_t n = 2U << 20;
    char *deep = xmalloc(n);
    memset(deep, '[', n);
    cr_assert_null(json_parse(deep, n, &err));
    cr_assert(strstr(err.msg, "deeper"), "%s", err.msg);
    free(deep);
    cr_assert_null(json_parse("{} x", 4, &err));
    cr_assert_null(json_parse("", 0, &err));
    cr_assert_null(json_parse("{\"a\":", 5, &err));
}

Test(json, whole_numbers_only)
{
    struct err err = {0};
    const char *text = "{\"a\":1.5,\"b\":-1,\"c\":1e300,\"d\":12}";
    auto_json cJSON *json = json_parse(text, strlen(text), &err);
    cr_assert_eq(json_u64(json, "a", 99), 99);
    cr_assert_eq(json_u64(json, "b", 99), 99);
    cr_assert_eq(json_u64(json, "c", 99), 99);
    cr_assert_eq(json_u64(json, "d", 99), 12);
}

static char folder[] = "/tmp/berth-unit-XXXXXX";

static void make_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
}

static void drop_folder(void)
{
    struct err err = {0};
    cr_assert_eq(file_remove_tree(folder, &err), 0, "%s", err.msg);
    cr_assert_not(file_exists(folder));
}

TestSuite(file, .init = make_folder, .fini = drop_folder);

Test(file, write_replaces_whole_with_given_mode_whatever_the_umask)
{
    struct err err = {0};
    auto_free char *path = xasprintf("%s/secret", folder);
    (void)umask(0);
    cr_assert_eq(file_write(path, "old old old", 11, 0600, &err), 0, "%s", err.msg);
    (void)umask(0777);
    cr_assert_eq(file_write(path, "new", 3, 0600, &err), 0, "%s", err.msg);
    (void)umask(022);
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
    auto_buf struct buf text = {0};
    cr_assert_eq(file_read(path, 100, &text, &err), 0);
    cr_assert_str_eq(buf_str(&text), "new");
}

Test(file, failed_write_leaves_no_temporary_file)
{
    struct err err = {0};
    auto_free char *dir = xasprintf("%s/taken", folder);
    cr_assert_eq(file_mkdirs(dir, 0700, &err), 0);
    auto_free char *inner = xasprintf("%s/x", dir);
    cr_assert_eq(file_write(inner, "x", 1, 0600, &err), 0);
    /* A folder that is not empty cannot be replaced by a file. */
    cr_assert_eq(file_write(dir, "y", 1, 0600, &err), -1);
    cr_assert(strstr(err.msg, dir), "%s", err.msg);
    auto_free char *pattern = xasprintf("ls %s | wc -l | grep -qx 1", folder);
    cr_assert_eq(system(pattern), 0);
}

static bool in_folder(const char *leaf)
{
    auto_free char *path = xasprintf("%s/%s", folder, leaf);
    return file_exists(path);
}

static void leave(const char *leaf)
{
    auto_free char *path = xasprintf("%s/%s", folder, leaf);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    (void)close(fd);
}

/* Killed by a limit on the size of its files, in the middle of the write. */
static void leave_half_written(const char *leaf)
{
    auto_free char *path = xasprintf("%s/%s", folder, leaf);
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        (void)setrlimit(RLIMIT_FSIZE, &(struct rlimit){4, 4});
        (void)file_write(path, "a secret", 8, 0600, NULL);
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

static size_t count_entries(void)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    while (readdir(dir)) /* NOLINT(concurrency-mt-unsafe) */
        n++;
    (void)closedir(dir);
    return n - 2;
}

Test(file, what_a_killed_process_left_half_written_is_swept_and_nothing_else)
{
    static const char *const others[] = {"scope.json", "scope.json.backup",  "scope.json.AbC123",
                                         ".berth-tmp", "x.AbC-12.berth-tmp", "AbC123.berth-tmp"};
    auto_free char *link = xasprintf("%s/link.AbC123.berth-tmp", folder);
    auto_free char *dir = xasprintf("%s/dir.AbC123.berth-tmp", folder);
    leave_half_written("scope.json");
    cr_assert_eq(count_entries(), 1, "the half-written one");
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        leave(others[i]);
    cr_assert_eq(symlink("scope.json", link), 0);
    cr_assert_eq(mkdir(dir, 0700), 0);
    file_sweep(folder);
    cr_expect_eq(count_entries(), ARRAY_LEN(others) + 2);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        cr_expect(in_folder(others[i]), "%s", others[i]);
    file_sweep("/nonexistent");
}

Test(file, a_sweep_leaves_alone_what_is_being_written)
{
    auto_free char *path = xasprintf("%s/busy", folder);
    pid_t child = fork();
    if (child == 0)
        for (;;)
            file_sweep(folder);
    struct err err = {0};
    int failed = 0;
    for (int i = 0; i < 100; i++)
        failed -= file_write(path, "text", 4, 0600, &err);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    cr_expect_eq(failed, 0, "%d: %s", failed, err.msg);
    cr_expect_eq(count_entries(), 1);
}

Test(file, read_is_bounded_and_never_waits_on_a_fifo)
{
    struct err err = {0};
    auto_buf struct buf text = {0};
    auto_free char *path = xasprintf("%s/big", folder);
    cr_assert_eq(file_write(path, "0123456789", 10, 0600, &err), 0);
    cr_assert_eq(file_read(path, 9, &text, &err), -1);
    cr_assert_eq(err.kind, ERR_NO_SPACE);
    auto_free char *fifo = xasprintf("%s/fifo", folder);
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    cr_assert_eq(file_read(fifo, 9, &text, &err), -1);
    cr_assert_eq(err.kind, ERR_INVALID);
}

Test(file, lock_is_exclusive_and_ends_with_its_descriptor)
{
    struct err err = {0};
    auto_free char *path = xasprintf("%s/lock", folder);
    int held = file_lock(path, false, &err);
    cr_assert_geq(held, 0);
    cr_assert_eq(file_lock(path, false, &err), -1);
    cr_assert_eq(err.kind, ERR_BUSY);
    close(held);
    held = file_lock(path, false, &err);
    cr_assert_geq(held, 0);
    close(held);
}

Test(file, remove_tree_does_not_follow_links)
{
    struct err err = {0};
    auto_free char *keep = xasprintf("%s/keep", folder);
    auto_free char *tree = xasprintf("%s/tree", folder);
    auto_free char *link = xasprintf("%s/tree/link", folder);
    cr_assert_eq(file_mkdirs(keep, 0700, &err), 0);
    cr_assert_eq(file_mkdirs(tree, 0700, &err), 0);
    cr_assert_eq(symlink(keep, link), 0);
    cr_assert_eq(file_remove_tree(tree, &err), 0);
    cr_assert(file_exists(keep));
    cr_assert_not(file_exists(tree));
    cr_assert_eq(file_remove_tree(tree, &err), 0, "a missing path is fine");
}

Test(model, every_state_has_a_word_that_parses_back)
{
    for (int i = 0; i < VM_STATE_COUNT; i++)
        cr_assert_eq(vm_state_parse(vm_state_name((enum vm_state)i)), i);
    for (int i = 0; i < MODULE_STATE_COUNT; i++)
        cr_assert_eq(module_state_parse(module_state_name((enum module_state)i)), i);
    for (int i = 0; i < CLOUD_STATE_COUNT; i++)
        cr_assert_eq(cloud_state_parse(cloud_state_name((enum cloud_state)i)), i);
    for (int i = 0; i < RUNTIME_STATE_COUNT; i++)
        cr_assert_eq(runtime_state_parse(runtime_state_name((enum runtime_state)i)), i);
    for (int i = 0; i < JOB_STATE_COUNT; i++)
        cr_assert_eq(job_state_parse(job_state_name((enum job_state)i)), i);
    cr_assert_eq(module_state_light(module_state_parse("new word")), LIGHT_UNKNOWN);
}

Test(secret, is_copied_and_wiped)
{
    struct secret s = {0};
    secret_set(&s, "key", 3);
    char *where = s.data;
    cr_assert_str_eq(where, "key");
    secret_set(&s, "other", 5);
    cr_assert_str_eq(s.data, "other");
    secret_wipe(&s);
    cr_assert_null(s.data);
}
