#include "vm/guest/hub/edge_store.h"

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[40], path[60];
static struct edge_store *store;

static void open_it(void)
{
    struct err err = {0};

    cr_assert_eq(edge_store_open(path, &store, &err), 0, "%s", err.msg);
}

static void setup(void)
{
    (void)str_format(dir, sizeof(dir), "/tmp/berth-edge-store-XXXXXX");
    cr_assert(mkdtemp(dir));
    (void)str_format(path, sizeof(path), "%s/edge.db", dir);
    open_it();
}

static void teardown(void)
{
    edge_store_close(store);
    (void)file_remove_tree(dir, NULL);
}

TestSuite(edge_store, .init = setup, .fini = teardown);

static void put_twin(const char *device, const char *module, const char *pending)
{
    struct edge_twin_row row = {.desired_version = 3, .reported_version = 1ULL << 40};
    struct err err = {0};

    buf_puts(&row.desired, "{\"a\":1}");
    buf_puts(&row.pending, pending);
    cr_assert_eq(edge_store_twin_put(store, device, module, &row, &err), 0, "%s", err.msg);
    edge_twin_row_done(&row);
}

Test(edge_store, keeps_a_twin_over_a_restart)
{
    struct edge_twin_row row = {0};
    struct err err = {0};

    put_twin("d", "m", "{\"x\":null}");
    edge_store_close(store);
    open_it();
    cr_assert_eq(edge_store_twin_get(store, "d", "m", &row, NULL), 0);
    cr_expect_str_eq(buf_str(&row.desired), "{\"a\":1}");
    cr_expect_str_eq(buf_str(&row.reported), "");
    cr_expect_str_eq(buf_str(&row.pending), "{\"x\":null}");
    cr_expect_eq(row.desired_version, 3);
    cr_expect_eq(row.reported_version, 1ULL << 40);
    edge_twin_row_done(&row);
    cr_expect_lt(edge_store_twin_get(store, "d", "", &row, &err), 0);
    cr_expect_eq(err.kind, ERR_NOT_FOUND);
    cr_expect_eq(edge_store_twin_delete(store, "d", "m", NULL), 0);
    cr_expect_lt(edge_store_twin_get(store, "d", "m", &row, &err), 0);
    cr_expect_eq(err.kind, ERR_NOT_FOUND);
}

static void note(void *arg, const char *device, const char *module)
{
    buf_printf(arg, "%s/%s ", device, module);
}

Test(edge_store, names_the_twins_that_the_cloud_has_to_be_told_of)
{
    auto_buf struct buf names = {0};

    put_twin("d", "m", "{}");
    put_twin("d", "n", "");
    put_twin("leaf", "", "{}");
    cr_assert_eq(edge_store_twin_pending(store, note, &names, NULL), 0);
    cr_expect_str_eq(buf_str(&names), "d/m leaf/ ");
    put_twin("d", "m", "");
    buf_clear(&names);
    cr_assert_eq(edge_store_twin_pending(store, note, &names, NULL), 0);
    cr_expect_str_eq(buf_str(&names), "leaf/ ");
}

Test(edge_store, remembers_sessions_until_they_are_forgotten)
{
    unsigned subs = 0;

    cr_expect_not(edge_store_session_get(store, "d", "m", &subs));
    cr_assert_eq(edge_store_session_put(store, "d", "m", true, 21, NULL), 0);
    edge_store_close(store);
    open_it();
    cr_expect(edge_store_session_get(store, "d", "m", &subs));
    cr_expect_eq(subs, 21);
    cr_assert_eq(edge_store_session_put(store, "d", "m", false, 0, NULL), 0);
    cr_expect_not(edge_store_session_get(store, "d", "m", &subs));
}

Test(edge_store, keeps_texts_by_their_names)
{
    auto_buf struct buf text = {0};
    struct err err = {0};

    cr_expect_lt(edge_store_text_get(store, "config", &text, &err), 0);
    cr_expect_eq(err.kind, ERR_NOT_FOUND);
    cr_assert_eq(edge_store_text_put(store, "config", "{} and more", 2, NULL), 0);
    cr_assert_eq(edge_store_text_get(store, "config", &text, NULL), 0);
    cr_expect_str_eq(buf_str(&text), "{}");
}

Test(edge_store, is_nobody_elses)
{
    struct stat st;

    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600);
}

Test(edge_store, sets_a_damaged_database_aside_and_says_so)
{
    int fd;

    put_twin("d", "m", "{}");
    edge_store_close(store);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(pwrite(fd, "not what SQLite would write", 27, 0), 27);
    (void)close(fd);
    open_it();
    cr_expect(file_exists(edge_store_set_aside(store)));
    put_twin("d", "m", "{}");
    cr_expect_eq(edge_store_commit(store, NULL), 0);
    edge_store_close(store);
    open_it();
    cr_expect_str_eq(edge_store_set_aside(store), "");
}
