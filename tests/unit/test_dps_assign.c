#include "core/azure/derive.h"
#include "core/base/str.h"
#include "vm/guest/hub/dps_assign.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *const three[] = {"a.hub", "b.hub", "c.hub", NULL};
static const char *const four[] = {"a.hub", "b.hub", "c.hub", "d.hub", NULL};

static size_t place(const char *const *hubs, const char *name)
{
    for (size_t i = 0; hubs[i]; i++)
        if (str_eq(hubs[i], name))
            return i;
    cr_assert_fail("%s is none of them", name);
    return 0;
}

Test(dps_assign, static_takes_the_first_that_the_enrolment_names)
{
    struct dps_enrolment e = {
        .allocation = DPS_STATIC, .hubs = {"gone.hub", "C.hub", "a.hub"}, .n_hubs = 3};

    cr_assert_str_eq(dps_assign_pick(&e, "d1", three), "c.hub");
    e.n_hubs = 0;
    cr_assert_str_eq(dps_assign_pick(&e, "d1", three), "a.hub");
}

Test(dps_assign, a_host_name_goes_before_any_policy)
{
    struct dps_enrolment e = {
        .allocation = DPS_HASHED, .hub = "B.HUB", .hubs = {"a.hub"}, .n_hubs = 1};

    cr_assert_str_eq(dps_assign_pick(&e, "d1", three), "b.hub");
}

Test(dps_assign, geo_latency_takes_the_first)
{
    struct dps_enrolment e = {
        .allocation = DPS_GEO_LATENCY, .hubs = {"b.hub", "a.hub"}, .n_hubs = 2};

    cr_assert_str_eq(dps_assign_pick(&e, "d1", three), "b.hub");
}

Test(dps_assign, nothing_where_no_hub_is_left)
{
    struct dps_enrolment named = {.hub = "gone.hub"};
    struct dps_enrolment listed = {.hubs = {"gone.hub"}, .n_hubs = 1};

    cr_assert_null(dps_assign_pick(&named, "d1", three));
    cr_assert_null(dps_assign_pick(&listed, "d1", three));
}

Test(dps_assign, hashed_spreads_evenly_and_always_the_same)
{
    struct dps_enrolment e = {.allocation = DPS_HASHED};
    size_t n[3] = {0};
    char id[20], upper[20];

    for (int i = 0; i < 3000; i++) {
        (void)str_format(id, sizeof(id), "dev-%d", i);
        (void)str_format(upper, sizeof(upper), "DEV-%d", i);

        const char *hub = dps_assign_pick(&e, id, three);

        cr_assert_str_eq(dps_assign_pick(&e, upper, three), hub);
        n[place(three, hub)]++;
    }
    for (size_t i = 0; i < 3; i++)
        cr_assert(n[i] > 850 && n[i] < 1150, "hub %zu got %zu of 3000", i, n[i]);
}

Test(dps_assign, another_hub_takes_only_its_share)
{
    struct dps_enrolment e = {.allocation = DPS_HASHED};
    size_t moved = 0;
    char id[20];

    for (int i = 0; i < 3000; i++) {
        (void)str_format(id, sizeof(id), "dev-%d", i);

        const char *before = dps_assign_pick(&e, id, three);
        const char *after = dps_assign_pick(&e, id, four);

        if (!str_eq(before, after)) {
            cr_assert_str_eq(after, "d.hub");
            moved++;
        }
    }
    cr_assert(moved > 600 && moved < 900, "%zu of 3000 moved", moved);
}

/* As Azure's documents compute it. */
Test(dps_assign, derives_the_key_of_a_group_s_device)
{
    static const char group[] =
        "Z3JvdXAta2V5LWdyb3VwLWtleS1ncm91cC1rZXktNjQtZ3JvdXAta2V5LWdyb3VwLWtleS1ncm91cC1rZXktNg==";
    auto_secret struct secret key = {0};

    cr_assert_eq(derive_key(group, "dev1", &key, NULL), 0);
    cr_assert_str_eq(key.data, "cmlj4bYD9x2MYBAiYspb9pZmr5YeRXn7Rr9Z9mwiSTE=");
}
