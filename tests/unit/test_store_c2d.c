#include "core/base/file.h"
#include "core/base/str.h"
#include "vm/guest/hub/store_c2d.h"

#include <criterion/criterion.h>
#include <string.h>

static char dir[40];
static char path[60];
static struct store *store;

static void setup(void)
{
    struct identity id = {.device = "d"};

    (void)str_format(dir, sizeof(dir), "/tmp/berth-c2d-XXXXXX");
    cr_assert(mkdtemp(dir));
    (void)str_format(path, sizeof(path), "%s/hub.db", dir);
    cr_assert_eq(store_open(path, &store, NULL), 0);
    cr_assert_eq(store_identity_put(store, &id, NULL), 0);
}

static void teardown(void)
{
    store_close(store);
    (void)file_remove_tree(dir, NULL);
}

TestSuite(store_c2d, .init = setup, .fini = teardown);

static void add(const char *device, const char *id, uint64_t expiry_ms)
{
    auto_c2d_row struct c2d_row row = {.ack = C2D_ACK_FULL, .expiry_ms = expiry_ms};

    STR_SET(row.device, device);
    STR_SET(row.message_id, id);
    buf_puts(&row.bag, "a=b");
    buf_append(&row.body, "\0x", 2);
    cr_assert_eq(store_c2d_add(store, &row, NULL), 0);
}

Test(store_c2d, gives_messages_back_in_order_after_a_restart)
{
    auto_c2d_row struct c2d_row first = {0};
    auto_c2d_row struct c2d_row second = {0};
    auto_c2d_row struct c2d_row none = {0};

    add("d", "1", 100);
    add("e", "x", 50);
    add("d", "2", 200);
    cr_assert_eq(store_commit(store, NULL), 0);
    store_close(store);
    cr_assert_eq(store_open(path, &store, NULL), 0);
    cr_assert_eq(store_c2d_next(store, "d", 0, &first, NULL), 1);
    cr_assert_str_eq(first.message_id, "1");
    cr_assert(first.body.len == 2 && memcmp(first.body.data, "\0x", 2) == 0);
    cr_assert_str_eq(first.bag.data, "a=b");
    cr_assert_eq(first.ack, C2D_ACK_FULL);
    cr_assert_eq(store_c2d_next(store, "d", first.id, &second, NULL), 1);
    cr_assert_str_eq(second.message_id, "2");
    cr_assert_eq(store_c2d_next(store, "d", second.id, &none, NULL), 0);
}

Test(store_c2d, counts_deliveries_and_forgets)
{
    auto_c2d_row struct c2d_row row = {0};
    auto_c2d_row struct c2d_row again = {0};
    auto_c2d_row struct c2d_row gone = {0};
    uint64_t n = 9;

    add("d", "1", 100);
    cr_assert_eq(store_c2d_next(store, "d", 0, &row, NULL), 1);
    cr_assert_eq(row.deliveries, 0);
    cr_assert_eq(store_c2d_set_deliveries(store, row.id, 3, NULL), 0);
    cr_assert_eq(store_c2d_get(store, row.id, &again, NULL), 1);
    cr_assert_eq(again.deliveries, 3);
    cr_assert_eq(store_c2d_count(store, "d", &n, NULL), 0);
    cr_assert_eq(n, 1);
    cr_assert_eq(store_c2d_delete(store, row.id, NULL), 0);
    cr_assert_eq(store_c2d_get(store, row.id, &gone, NULL), 0);
}

Test(store_c2d, knows_what_expires_next)
{
    auto_c2d_row struct c2d_row row = {0};
    auto_c2d_row struct c2d_row none = {0};
    uint64_t when = 0;

    cr_assert_eq(store_c2d_next_expiry(store, &when, NULL), 0);
    cr_assert_eq(when, UINT64_MAX);
    add("d", "1", 200);
    add("e", "2", 100);
    cr_assert_eq(store_c2d_next_expiry(store, &when, NULL), 0);
    cr_assert_eq(when, 100);
    cr_assert_eq(store_c2d_expired(store, 99, &none, NULL), 0);
    cr_assert_eq(store_c2d_expired(store, 100, &row, NULL), 1);
    cr_assert_str_eq(row.device, "e");
}

Test(store_c2d, goes_with_its_device)
{
    uint64_t n = 9;

    add("d", "1", 100);
    cr_assert_eq(store_identity_delete(store, "d", "", NULL), 0);
    cr_assert_eq(store_c2d_count(store, "d", &n, NULL), 0);
    cr_assert_eq(n, 0);
}

static void join(void *arg, const struct c2d_feedback *f)
{
    buf_printf(arg, "%s:%s ", f->message_id, f->status);
}

Test(store_c2d, keeps_the_newest_feedback)
{
    auto_buf struct buf seen = {0};

    for (int i = 0; i < 5; i++) {
        struct c2d_feedback f = {.at_ms = 1, .status = "Success"};

        (void)str_format(f.message_id, sizeof(f.message_id), "m%d", i);
        cr_assert_eq(store_feedback_add(store, &f, 3, NULL), 0);
    }
    cr_assert_eq(store_feedback_each(store, 0, 10, join, &seen, NULL), 0);
    cr_assert_str_eq(seen.data, "m2:Success m3:Success m4:Success ");
    buf_clear(&seen);
    cr_assert_eq(store_feedback_each(store, 4, 10, join, &seen, NULL), 0);
    cr_assert_str_eq(seen.data, "m4:Success ");
}
