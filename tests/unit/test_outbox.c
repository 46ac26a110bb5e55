#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/outbox.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[40];
static char path[60];
static struct outbox *outbox;
static unsigned up, module;

static uint64_t wall = 1764000000000, mono = 5000;

static uint64_t wall_ms(void)
{
    return wall;
}

static uint64_t mono_ms(void)
{
    return mono;
}

static void open_it(void)
{
    const struct outbox_options options = {.wall_ms = wall_ms, .mono_ms = mono_ms};
    struct err err = {0};

    cr_assert_eq(outbox_open(path, &options, &outbox, &err), 0, "%s", err.msg);
    up = outbox_endpoint(outbox, "$upstream");
    module = outbox_endpoint(outbox, "m/in");
}

static void reopen(void)
{
    outbox_close(outbox);
    open_it();
}

static void setup(void)
{
    (void)str_format(dir, sizeof(dir), "/tmp/berth-outbox-XXXXXX");
    cr_assert(mkdtemp(dir));
    (void)str_format(path, sizeof(path), "%s/outbox.db", dir);
    open_it();
}

static void teardown(void)
{
    outbox_close(outbox);
    (void)file_remove_tree(dir, NULL);
}

TestSuite(outbox, .init = setup, .fini = teardown);

static struct edge_message message(const char *body)
{
    return (struct edge_message){
        .device = "d",
        .module = "s",
        .output = "o",
        .model = "",
        .bag = "k=v",
        .bag_len = 3,
        .body = body,
        .len = strlen(body),
        .created_ms = 42,
    };
}

static void add_to(const char *body, unsigned endpoint, unsigned priority, int64_t ttl_s)
{
    const struct outbox_target target = {endpoint, priority, ttl_s};
    struct edge_message m = message(body);
    struct err err = {0};

    cr_assert_eq(outbox_add(outbox, &m, &target, 1, &err), 0, "%s", err.msg);
}

static void commit(void)
{
    struct err err = {0};

    cr_assert_eq(outbox_commit(outbox, &err), 0, "%s", err.msg);
}

/* The bodies that come next, in their order, each done where DONE. */
static const char *drain(unsigned endpoint, bool done)
{
    static char bodies[200];
    struct outbox_item item;
    int row;

    bodies[0] = '\0';
    while ((row = outbox_next(outbox, endpoint, &item, NULL)) > 0) {
        (void)sprintf(bodies + strlen(bodies), "%.*s ", (int)item.message.len,
                      (const char *)item.message.body);
        if (done)
            outbox_done(outbox, &item.ref);
    }
    cr_assert_eq(row, 0);
    return bodies;
}

Test(outbox, hands_out_in_order_what_is_committed)
{
    struct outbox_item item;

    add_to("1", up, 10, -1);
    add_to("2", up, 10, -1);
    cr_expect_str_eq(drain(up, false), "", "before the commit");
    cr_expect_eq(outbox_count(outbox, up, 10), 0);
    commit();
    cr_expect_eq(outbox_count(outbox, up, 10), 2);
    cr_assert_eq(outbox_next(outbox, up, &item, NULL), 1);
    cr_expect(str_eq(item.message.device, "d") && str_eq(item.message.module, "s") &&
              str_eq(item.message.output, "o"));
    cr_expect_eq(item.message.bag_len, 3);
    cr_expect_str_eq(item.message.bag, "k=v");
    cr_expect_eq(item.message.created_ms, 42);
    cr_expect_eq(item.message.id, item.ref.id);
    cr_expect_str_eq(drain(up, false), "2 ");
    cr_expect_str_eq(drain(up, false), "");
    cr_expect_str_eq(drain(module, false), "");
}

Test(outbox, lets_the_lowest_priority_number_go_first)
{
    struct outbox_item item;

    add_to("last", up, 10, -1);
    add_to("nine", up, 9, -1);
    add_to("zero", up, 0, -1);
    add_to("zero2", up, 0, -1);
    commit();
    cr_assert_eq(outbox_next(outbox, up, &item, NULL), 1);
    cr_expect_eq(item.ref.priority, 0);
    add_to("zero3", up, 0, -1);
    commit();
    cr_expect_str_eq(drain(up, false), "zero2 zero3 nine last ");
}

Test(outbox, brings_back_what_was_not_done)
{
    struct outbox_item first, second;

    for (int i = 0; i < 4; i++)
        add_to((const char *[]){"1", "2", "3", "4"}[i], up, 10, -1);
    commit();
    cr_assert_eq(outbox_next(outbox, up, &first, NULL), 1);
    cr_assert_eq(outbox_next(outbox, up, &second, NULL), 1);
    outbox_done(outbox, &second.ref); /* out of order */
    cr_expect_eq(outbox_count(outbox, up, 10), 3);
    cr_assert_eq(outbox_rewind(outbox, up, NULL), 0);
    cr_expect_str_eq(drain(up, false), "1 3 4 ");
    reopen();
    cr_expect_eq(outbox_count(outbox, up, 10), 3);
    cr_expect_str_eq(drain(up, true), "1 3 4 ");
    reopen();
    cr_expect_str_eq(drain(up, true), "");
}

static unsigned rows(const char *table)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    char sql[80];

    outbox_close(outbox);
    (void)str_format(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW);

    unsigned n = (unsigned)sqlite3_column_int(stmt, 0);

    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    open_it();
    return n;
}

Test(outbox, stores_a_message_once_for_all_and_until_the_last_has_it)
{
    const struct outbox_target both[] = {{up, 10, -1}, {module, 3, -1}};
    struct edge_message m = message("both");

    cr_assert_eq(outbox_add(outbox, &m, both, 2, NULL), 0);
    add_to("one", module, 10, -1);
    commit();
    cr_expect_eq(rows("message"), 2);
    cr_expect_str_eq(drain(module, true), "both one ");
    cr_expect_eq(rows("message"), 1);
    cr_expect_eq(rows("entry"), 1);
    cr_expect_str_eq(drain(up, true), "both ");
    cr_expect_eq(rows("message"), 0);
    cr_expect_eq(rows("entry"), 0);
}

Test(outbox, numbers_go_on_after_a_restart)
{
    struct outbox_item item;
    uint64_t last;

    add_to("1", up, 10, -1);
    commit();
    cr_assert_eq(outbox_next(outbox, up, &item, NULL), 1);
    last = item.ref.id;
    reopen();
    add_to("2", up, 10, -1);
    commit();
    cr_assert_eq(outbox_next(outbox, up, &item, NULL), 1);
    cr_expect_eq(item.ref.id, last);
    cr_assert_eq(outbox_next(outbox, up, &item, NULL), 1);
    cr_expect_gt(item.ref.id, last);
}

static void note(void *arg, const struct outbox_ref *ref, const struct edge_message *m)
{
    char *to = arg;

    (void)sprintf(to + strlen(to), "%u:%s/%s ", ref->priority, m->module, m->output);
}

Test(outbox, drops_what_is_too_old_and_tells)
{
    char expired[100] = "";

    add_to("short", up, 10, 10);
    add_to("ever", up, 10, OUTBOX_NEVER);
    add_to("long", up, 9, 7200);
    commit();
    mono += 10 * 1000 - 1;
    cr_assert_eq(outbox_sweep(outbox, note, expired, NULL), 0);
    cr_expect_str_eq(expired, "");
    mono += 1;
    cr_assert_eq(outbox_sweep(outbox, note, expired, NULL), 0);
    cr_expect_str_eq(expired, "10:s/o ");
    cr_expect_eq(outbox_count(outbox, up, 10), 1);
    cr_expect_str_eq(drain(up, false), "long ever ");
    cr_expect_eq(rows("message"), 2);
}

Test(outbox, leaves_alone_what_is_with_its_receiver)
{
    struct outbox_item item;

    add_to("1", up, 10, 10);
    commit();
    cr_assert_eq(outbox_next(outbox, up, &item, NULL), 1);
    mono += 3600 * 1000;
    cr_assert_eq(outbox_sweep(outbox, NULL, NULL, NULL), 0);
    cr_expect_eq(outbox_count(outbox, up, 10), 1);
    cr_assert_eq(outbox_rewind(outbox, up, NULL), 0);
    cr_assert_eq(outbox_sweep(outbox, NULL, NULL, NULL), 0);
    cr_expect_eq(outbox_count(outbox, up, 10), 0);
}

Test(outbox, does_not_age_by_the_wall_clock)
{
    add_to("1", up, 10, 7200);
    commit();
    wall += 400ULL * 86400 * 1000; /* somebody sets it */
    cr_assert_eq(outbox_sweep(outbox, NULL, NULL, NULL), 0);
    cr_expect_eq(outbox_count(outbox, up, 10), 1);
    wall = 0; /* a machine without a clock starts */
    reopen();
    cr_assert_eq(outbox_sweep(outbox, NULL, NULL, NULL), 0);
    cr_expect_eq(outbox_count(outbox, up, 10), 1);
    mono += 7201 * 1000;
    cr_assert_eq(outbox_sweep(outbox, NULL, NULL, NULL), 0);
    cr_expect_eq(outbox_count(outbox, up, 10), 0);
}

Test(outbox, ages_while_it_is_off)
{
    add_to("1", up, 10, 7200);
    commit();
    outbox_close(outbox);
    wall += 7201 * 1000;
    open_it();
    cr_assert_eq(outbox_sweep(outbox, NULL, NULL, NULL), 0);
    cr_expect_eq(outbox_count(outbox, up, 10), 0);
}

Test(outbox, sweeps_a_long_queue_piece_by_piece)
{
    for (int i = 0; i < 10000; i++)
        add_to("x", i % 2 ? up : module, 10, i % 3 ? 10 : -1);
    commit();
    mono += 11000;
    for (int i = 0; i < 4; i++)
        cr_assert_eq(outbox_sweep(outbox, NULL, NULL, NULL), 0);
    cr_expect_eq(outbox_count(outbox, up, 10) + outbox_count(outbox, module, 10), 3334);
}

Test(outbox, refuses_more_than_it_may_hold_and_goes_on)
{
    static char big[10000];
    struct edge_message m = message("");
    const struct outbox_target target = {up, 10, -1};
    struct err err = {0};
    int n = 0;

    memset(big, 'x', sizeof(big));
    m.body = big;
    m.len = sizeof(big);
    outbox_set_max_bytes(outbox, 1 << 20);
    while (outbox_add(outbox, &m, &target, 1, &err) == 0 && n < 1000) {
        n++;
        commit();
    }
    cr_expect(n > 50 && n < 110, "%d", n);
    cr_expect_eq(err.kind, ERR_NO_SPACE);
    cr_expect(strstr(err.msg, "the message queue is full: it may hold 1.0 MiB"), "%s", err.msg);
    commit(); /* the turn itself is fine */
    cr_expect_eq(outbox_count(outbox, up, 10), (uint64_t)n);
    cr_expect_lt(outbox_bytes(outbox), 1 << 20);

    struct outbox_item item;

    while (outbox_next(outbox, up, &item, NULL) > 0)
        outbox_done(outbox, &item.ref);
    cr_assert_eq(outbox_sweep(outbox, NULL, NULL, NULL), 0);
    cr_expect_eq(outbox_add(outbox, &m, &target, 1, &err), 0);
}

Test(outbox, gives_space_back)
{
    static char big[100000];
    struct edge_message m = message("");
    const struct outbox_target target = {up, 10, 10};
    struct stat st;

    m.body = big;
    m.len = sizeof(big);
    for (int i = 0; i < 200; i++)
        cr_assert_eq(outbox_add(outbox, &m, &target, 1, NULL), 0);
    commit();
    reopen();
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_gt(st.st_size, 20000000);
    mono += 11000;
    for (int i = 0; i < 12; i++)
        cr_assert_eq(outbox_sweep(outbox, NULL, NULL, NULL), 0);
    reopen();
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_lt(st.st_size, 5 << 20);
}

Test(outbox, keeps_what_waits_for_an_endpoint_that_no_route_names)
{
    add_to("1", module, 10, -1);
    commit();
    outbox_close(outbox);

    const struct outbox_options options = {.wall_ms = wall_ms, .mono_ms = mono_ms};

    cr_assert_eq(outbox_open(path, &options, &outbox, NULL), 0);
    module = outbox_endpoint(outbox, "m/in");
    up = outbox_endpoint(outbox, "another");
    cr_expect_str_eq(drain(module, false), "1 ");
}

Test(outbox, drops_an_endpoint_and_only_that)
{
    const struct outbox_target both[] = {{up, 10, -1}, {module, 3, -1}};
    struct edge_message m = message("both");

    add_to("1", module, 10, -1);
    cr_assert_eq(outbox_add(outbox, &m, both, 2, NULL), 0);
    add_to("2", up, 10, -1);
    commit();
    cr_assert_eq(outbox_drop(outbox, module, NULL), 0);
    cr_expect_str_eq(drain(module, false), "");
    cr_expect_eq(rows("message"), 2);
    cr_expect_str_eq(drain(up, true), "both 2 ");
    cr_expect_eq(rows("message"), 0);
}

static void count(void *arg, const char *endpoint, unsigned priority, uint64_t n)
{
    char *to = arg;

    (void)sprintf(to + strlen(to), "%s:%u:%d ", endpoint, priority, (int)n);
}

Test(outbox, counts_each_queue)
{
    char counts[100] = "";

    add_to("1", up, 0, -1);
    add_to("2", up, 0, -1);
    add_to("3", module, 10, -1);
    commit();
    outbox_each(outbox, count, counts);
    cr_expect_str_eq(counts, "$upstream:0:2 m/in:10:1 ");
}

static void name(void *arg, unsigned endpoint, const char *of)
{
    char *to = arg;

    (void)sprintf(to + strlen(to), "%u=%s ", endpoint, of);
}

Test(outbox, forgets_endpoints_for_which_nothing_waits)
{
    const struct outbox_options options = {.wall_ms = wall_ms, .mono_ms = mono_ms};
    char names[100] = "";

    add_to("1", up, 10, -1);
    add_to("2", module, 10, -1);
    commit();
    drain(up, true);
    outbox_close(outbox);
    cr_assert_eq(outbox_open(path, &options, &outbox, NULL), 0);
    cr_expect_eq(outbox_endpoint(outbox, "new"), up, "its number is free");
    outbox_each_endpoint(outbox, name, names);
    cr_expect_str_eq(names, "0=new 1=m/in ");
    add_to("3", up, 10, -1);
    commit();
    outbox_close(outbox);
    cr_assert_eq(outbox_open(path, &options, &outbox, NULL), 0);
    names[0] = '\0';
    outbox_each_endpoint(outbox, name, names);
    cr_expect_str_eq(names, "0=new 1=m/in ");
    cr_expect_str_eq(drain(up, false), "3 ");
    cr_expect_str_eq(drain(module, false), "2 ");
}

Test(outbox, reads_again_what_it_handed_out)
{
    struct outbox_item first, second;
    struct edge_message again;

    add_to("1", up, 10, -1);
    add_to("2", up, 10, -1);
    commit();
    cr_assert_eq(outbox_next(outbox, up, &first, NULL), 1);
    cr_assert_eq(outbox_next(outbox, up, &second, NULL), 1);
    cr_assert_eq(outbox_get(outbox, &first.ref, &again, NULL), 1);
    cr_expect_eq(again.id, first.ref.id);
    cr_expect_arr_eq(again.body, "1", 2);
    cr_expect_str_eq(again.bag, "k=v");
    cr_expect_str_eq(again.output, "o");
    cr_assert_eq(outbox_drop(outbox, up, NULL), 0);
    cr_expect_eq(outbox_get(outbox, &first.ref, &again, NULL), 0);
}

Test(outbox, is_for_its_owner_and_for_one_process)
{
    struct outbox *second = NULL;
    struct err err = {0};
    struct stat st;

    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600);
    cr_expect_eq(outbox_open(path, NULL, &second, &err), -1);
    cr_expect_eq(err.kind, ERR_BUSY, "%s", err.msg);
}

/* ---- damage ---- */

static void scribble(const char *name, off_t at, size_t len)
{
    int fd = open(name, O_RDWR | O_CLOEXEC);

    cr_assert(fd >= 0);
    for (size_t i = 0; i < len; i++)
        cr_assert_eq(pwrite(fd, "\xA5", 1, at + (off_t)i), 1);
    (void)close(fd);
}

Test(outbox, sets_a_damaged_database_aside_and_says_so)
{
    static const struct {
        off_t at;
        size_t len;
    } damages[] = {{0, 16}, {100, 200}, {4096 * 3, 4096}};

    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        for (int n = 0; n < 200; n++)
            add_to("a body that makes the table a few pages long, for there to be a tree", up, 10,
                   -1);
        commit();
        outbox_close(outbox);
        scribble(path, damages[i].at, damages[i].len);
        open_it();
        cr_expect(strstr(outbox_set_aside(outbox), ".damaged-"), "%zu", i);
        cr_expect(file_exists(outbox_set_aside(outbox)));
        cr_expect_str_eq(drain(up, false), "");
        add_to("new", up, 10, -1);
        commit();
        cr_expect_str_eq(drain(up, true), "new ");
        reopen();
        cr_expect_str_eq(outbox_set_aside(outbox), "");
        /* The name has the second in it. */
        outbox_close(outbox);
        (void)file_remove_tree(dir, NULL);
        cr_assert_eq(mkdir(dir, 0700), 0);
        open_it();
    }
}

static bool aside_exists(const char *rest)
{
    auto_free char *name = xasprintf("%s.damaged-%s", path, rest);

    return file_exists(name);
}

static void put_aside(const char *rest)
{
    auto_free char *name = xasprintf("%s.damaged-%s", path, rest);

    cr_assert_eq(file_write(name, "x", 1, 0600, NULL), 0);
}

/* Killed when it had set the database aside, and not yet its journal. */
Test(outbox, sets_the_journal_aside_after_a_cut)
{
    auto_free char *name = xasprintf("%s.damaged-20260101T000000Z", path);

    put_aside("20250101T000000Z");
    put_aside("20250101T000000Z-wal");
    add_to("1", up, 10, -1);
    commit();
    outbox_close(outbox);
    cr_assert_eq(rename(path, name), 0);
    open_it();
    cr_expect_str_eq(outbox_set_aside(outbox), name);
    cr_expect(aside_exists("20260101T000000Z-wal"));
    cr_expect_str_eq(drain(up, false), "");
}

/* With a clock that went back, the newest by name is not the one that was cut. */
Test(outbox, a_journal_replaces_no_other)
{
    auto_free char *name = xasprintf("%s.damaged-20250101T000000Z", path);
    auto_free char *other = xasprintf("%s.damaged-20990101T000000Z-wal", path);
    auto_buf struct buf kept = {0};

    put_aside("20990101T000000Z");
    put_aside("20990101T000000Z-wal");
    add_to("1", up, 10, -1);
    commit();
    outbox_close(outbox);
    cr_assert_eq(rename(path, name), 0);
    open_it();
    cr_assert_eq(file_read(other, 1 << 20, &kept, NULL), 0);
    cr_expect_str_eq(buf_str(&kept), "x");

    auto_free char *own = xasprintf("%s-wal", outbox_set_aside(outbox));

    cr_expect(file_exists(own), "%s", own);
    cr_expect_str_neq(own, other);
}

Test(outbox, keeps_two_damaged_databases)
{
    static const char *const former[] = {"20200101T000000Z", "20200101T000000Z-wal",
                                         "20210101T000000Z-wal", "20220101T000000Z",
                                         "20220101T000000Z-wal"};

    for (size_t i = 0; i < ARRAY_LEN(former); i++)
        put_aside(former[i]);
    put_aside("notes-of-a-person");
    add_to("1", up, 10, -1);
    commit();
    outbox_close(outbox);
    scribble(path, 0, 16);
    open_it();
    cr_expect(file_exists(outbox_set_aside(outbox)));
    for (size_t i = 0; i < ARRAY_LEN(former); i++)
        cr_expect_eq(aside_exists(former[i]), i > 2, "%s", former[i]);
    cr_expect(aside_exists("notes-of-a-person"));
}

Test(outbox, sets_aside_what_only_it_can_see_is_wrong)
{
    sqlite3 *db = NULL;

    add_to("1", up, 10, -1);
    commit();
    outbox_close(outbox);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "UPDATE entry SET queue = 999999", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
    open_it();
    cr_expect(file_exists(outbox_set_aside(outbox)));
    add_to("2", up, 10, -1);
    commit();
    cr_expect_str_eq(drain(up, true), "2 ");
}

Test(outbox, reads_past_a_torn_end_of_the_journal)
{
    char wal[80], copy[80];
    struct stat st;

    add_to("1", up, 10, -1);
    commit();
    add_to("2", up, 10, -1);
    commit();
    (void)str_format(wal, sizeof(wal), "%s-wal", path);
    cr_assert_eq(stat(wal, &st), 0);

    /* What a power cut in the middle of a third commit leaves. */
    struct buf db = {0}, journal = {0};

    cr_assert_eq(file_read(path, 1 << 20, &db, NULL), 0);
    cr_assert_eq(file_read(wal, 1 << 20, &journal, NULL), 0);
    outbox_close(outbox);
    buf_append(&journal, journal.data + 32, 3000);
    (void)str_format(copy, sizeof(copy), "%s/torn.db", dir);
    cr_assert_eq(file_write(copy, db.data, db.len, 0600, NULL), 0);
    (void)str_format(wal, sizeof(wal), "%s/torn.db-wal", dir);
    cr_assert_eq(file_write(wal, journal.data, journal.len, 0600, NULL), 0);
    buf_done(&db);
    buf_done(&journal);
    (void)str_format(path, sizeof(path), "%s/torn.db", dir);
    open_it();
    cr_expect_str_eq(outbox_set_aside(outbox), "");
    cr_expect_str_eq(drain(up, false), "1 2 ");
}
