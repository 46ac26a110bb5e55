#include "core/base/str.h"
#include "vm/guest/hub/edge_scope_table.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

/* 32 bytes each, as the cloud makes them. */
#define KEY_A "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define KEY_B "MTEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

static struct edge_identity leaf(const char *device, const char *module)
{
    static char first[] = KEY_A, second[] = KEY_B;

    return (struct edge_identity){.device = device,
                                  .module = module,
                                  .generation = "638123456789012345",
                                  .enabled = true,
                                  .primary = {first, strlen(first)},
                                  .secondary = {second, strlen(second)},
                                  .thumbprints = {"", ""}};
}

static enum edge_scope_put put(struct edge_scope_table *t, const char *device, const char *module,
                               unsigned round)
{
    const struct edge_identity id = leaf(device, module);

    return edge_scope_table_put(t, &id, round);
}

static void append(void *arg, const struct edge_identity *id)
{
    char *text = arg;

    (void)snprintf(text + strlen(text), 200 - strlen(text), "%s/%s ", id->device, id->module);
}

Test(edge_scope_table, finds_what_was_put_and_tells_it_in_order)
{
    struct edge_scope_table *t = edge_scope_table_new();
    char text[200] = "";

    cr_expect_null(edge_scope_table_find(t, "b", ""));
    cr_expect_eq(put(t, "b", "", 1), SCOPE_PUT_NEW);
    cr_expect_eq(put(t, "c", "m", 1), SCOPE_PUT_NEW);
    cr_expect_eq(put(t, "a", "", 1), SCOPE_PUT_NEW);
    cr_expect_eq(put(t, "b", "m", 1), SCOPE_PUT_NEW);
    edge_scope_table_each(t, append, text);
    cr_expect_str_eq(text, "a/ b/ b/m c/m ");
    cr_expect_null(edge_scope_table_find(t, "c", ""));
    cr_expect_null(edge_scope_table_find(t, "B", ""));
    cr_assert_not_null(edge_scope_table_find(t, "b", "m"));

    const struct edge_identity *id = edge_scope_table_find(t, "b", "m");

    cr_expect_str_eq(id->device, "b");
    cr_expect_str_eq(id->module, "m");
    cr_expect_str_eq(id->primary.data, KEY_A);
    cr_expect_str_eq(id->secondary.data, KEY_B);
    cr_expect(edge_scope_table_remove(t, "b", ""));
    cr_expect_not(edge_scope_table_remove(t, "b", ""));
    cr_expect_eq(edge_scope_table_count(t), 3);
    edge_scope_table_free(t);
}

Test(edge_scope_table, tells_a_change_from_none)
{
    struct edge_scope_table *t = edge_scope_table_new();
    struct edge_identity id = leaf("d", "");
    char other[] = KEY_B;

    (void)edge_scope_table_put(t, &id, 1);
    cr_expect_eq(edge_scope_table_put(t, &id, 2), SCOPE_PUT_SAME);
    id.primary.data = other;
    cr_expect_eq(edge_scope_table_put(t, &id, 2), SCOPE_PUT_CHANGED);
    id.enabled = false;
    cr_expect_eq(edge_scope_table_put(t, &id, 2), SCOPE_PUT_CHANGED);
    id.generation = "638123456789012346";
    cr_expect_eq(edge_scope_table_put(t, &id, 2), SCOPE_PUT_CHANGED);
    id.auth = SCOPE_AUTH_CA;
    cr_expect_eq(edge_scope_table_put(t, &id, 2), SCOPE_PUT_CHANGED);
    id.thumbprints[1] = "AB";
    cr_expect_eq(edge_scope_table_put(t, &id, 2), SCOPE_PUT_CHANGED);
    cr_expect_eq(edge_scope_table_put(t, &id, 3), SCOPE_PUT_SAME);
    edge_scope_table_free(t);
}

/* The same bytes in other places are not the same texts. */
Test(edge_scope_table, keeps_texts_apart)
{
    struct edge_scope_table *t = edge_scope_table_new();
    struct edge_identity id = leaf("d", "");

    id.thumbprints[0] = "AB";
    (void)edge_scope_table_put(t, &id, 1);
    id.thumbprints[0] = "";
    id.thumbprints[1] = "AB";
    cr_expect_eq(edge_scope_table_put(t, &id, 1), SCOPE_PUT_CHANGED);
    edge_scope_table_free(t);
}

Test(edge_scope_table, sweeps_what_a_round_did_not_see)
{
    struct edge_scope_table *t = edge_scope_table_new();
    char gone[200] = "";

    (void)put(t, "a", "", 1);
    (void)put(t, "b", "", 1);
    (void)put(t, "b", "m", 1);
    (void)put(t, "c", "", 1);
    (void)put(t, "a", "", 2);
    (void)put(t, "c", "", 2);
    edge_scope_table_sweep(t, 2, append, gone);
    cr_expect_str_eq(gone, "b/ b/m ");
    cr_expect_eq(edge_scope_table_count(t), 2);
    cr_expect_not_null(edge_scope_table_find(t, "c", ""));
    edge_scope_table_free(t);
}

Test(edge_scope_table, holds_ten_thousand_in_little_memory)
{
    struct edge_scope_table *t = edge_scope_table_new();
    size_t before = mallinfo2().uordblks;
    char name[40];

    for (unsigned i = 0; i < EDGE_SCOPE_MAX; i++) {
        (void)str_format(name, sizeof(name), "line7-sensor-%05u", (i * 7919) % EDGE_SCOPE_MAX);
        cr_assert_eq(put(t, name, "", 1), SCOPE_PUT_NEW);
    }
    cr_expect_eq(put(t, "one-more", "", 1), SCOPE_PUT_FULL);
    cr_expect_eq(put(t, "line7-sensor-00042", "", 1), SCOPE_PUT_SAME);

    size_t each = (mallinfo2().uordblks - before) / EDGE_SCOPE_MAX;

    cr_log_info("%zu bytes for an identity", each);
    cr_expect_leq(each, 300, "%zu bytes for an identity", each);
    edge_scope_table_free(t);
}
