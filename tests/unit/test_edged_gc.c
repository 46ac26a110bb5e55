/* Which images may be removed, and when. */
#include "core/base/str.h"
#include "vm/guest/edged/gc_images.h"

#include <criterion/criterion.h>
#include <string.h>

#define DAY_MS 86400000ULL
#define NOON   (20000 * DAY_MS + DAY_MS / 2)
#define IMAGES                                                            \
    "[{\"Id\":\"sha256:a\",\"RepoTags\":[\"docker.io/library/used:1\"]}," \
    "{\"Id\":\"sha256:b\",\"RepoTags\":[\"r.io/named:2\"]},"              \
    "{\"Id\":\"sha256:c\",\"RepoTags\":[\"r.io/old:1\"]},"                \
    "{\"Id\":\"sha256:d\",\"RepoTags\":null}]"

static void look(struct gc_images *images, const char *list, const char *containers,
                 const struct deployment *d, uint64_t now_ms)
{
    auto_json cJSON *l = json_parse(list, strlen(list), NULL);
    auto_json cJSON *c = json_parse(containers, strlen(containers), NULL);
    cr_assert(l && c);
    gc_images_look(images, l, c, d, now_ms);
}

static uint64_t unused(const struct gc_images *images, const char *id)
{
    for (size_t i = 0; i < images->n; i++)
        if (str_eq(images->at[i].id, id))
            return images->at[i].unused_ms;
    return UINT64_MAX;
}

static const char used_by_container[] = "[{\"Image\":\"x\",\"ImageID\":\"a\"}]";

Test(gc, spares_what_a_container_or_the_deployment_uses)
{
    static struct gc_images images;
    char name[] = "r.io/named:2";
    struct module_spec spec = {.image = name};
    const struct deployment d = {.modules = &spec, .n_modules = 1};
    look(&images, IMAGES, used_by_container, &d, NOON);
    cr_assert_eq(unused(&images, "sha256:a"), 0);
    cr_assert_eq(unused(&images, "sha256:b"), 0);
    cr_assert_eq(unused(&images, "sha256:c"), NOON);
    cr_assert_eq(unused(&images, "sha256:d"), NOON);
    look(&images, IMAGES, "[{\"Image\":\"old:1\"}]", &d, NOON + 1);
    cr_assert_eq(unused(&images, "sha256:a"), NOON + 1, "its container is gone");
    cr_assert_eq(unused(&images, "sha256:c"), 0, "a container came that names it shortly");
    cr_assert_eq(unused(&images, "sha256:d"), NOON, "still unused");
}

Test(gc, spares_the_system_modules_images)
{
    static struct gc_images images;
    char agent_name[] = "r.io/old:1", hub_name[] = "named:2";
    struct module_spec agent = {.image = agent_name}, hub = {.image = hub_name};
    const struct deployment d = {.agent = &agent, .hub = &hub};
    look(&images, IMAGES, "[]", &d, NOON);
    cr_assert_eq(unused(&images, "sha256:b"), 0);
    cr_assert_eq(unused(&images, "sha256:c"), 0);
    cr_assert_eq(unused(&images, "sha256:a"), NOON);
}

Test(gc, removes_nothing_where_no_deployment_is_known)
{
    static struct gc_images images;
    look(&images, IMAGES, "[]", NULL, NOON);
    for (size_t i = 0; i < images.n; i++)
        cr_assert_not(gc_images_due(&images.at[i], 0, NOON + 100 * DAY_MS));
}

Test(gc, waits_for_the_age_also_over_a_restart_and_a_clock_set_back)
{
    static struct gc_images images, again;
    const struct deployment d = {0};
    look(&images, "[{\"Id\":\"sha256:c\"}]", "[]", &d, NOON);
    auto_json cJSON *json = gc_images_json(&images);
    gc_images_parse(json, &again);
    cr_assert_eq(again.n, 1);
    cr_assert_not(gc_images_due(&again.at[0], 7 * 86400, NOON + 7 * DAY_MS - 1));
    cr_assert(gc_images_due(&again.at[0], 7 * 86400, NOON + 7 * DAY_MS));
    cr_assert_not(gc_images_due(&again.at[0], 0, NOON - 1));
    look(&again, "[{\"Id\":\"sha256:c\"}]", "[]", &d, NOON - DAY_MS);
    cr_assert_eq(unused(&again, "sha256:c"), NOON - DAY_MS);
    look(&again, "[]", "[]", &d, NOON);
    cr_assert_eq(again.n, 0, "an image that is gone is forgotten");
}

Test(gc, comes_at_its_time_of_the_day)
{
    uint64_t midnight = NOON - DAY_MS / 2;
    cr_assert_eq(gc_next_ms(NOON, 0, 86400, 0), midnight + DAY_MS);
    cr_assert_eq(gc_next_ms(NOON, 0, 86400, 13 * 60), NOON + DAY_MS / 24);
    cr_assert_eq(gc_next_ms(NOON, 0, 86400, 12 * 60), NOON + DAY_MS);
    cr_assert_eq(gc_next_ms(NOON, midnight, 86400, 0), midnight + DAY_MS);
    cr_assert_eq(gc_next_ms(NOON, midnight, 3 * 86400, 0), midnight + 3 * DAY_MS);
    cr_assert_eq(gc_next_ms(NOON, midnight + 5000, 2 * 86400, 0), midnight + 2 * DAY_MS,
                 "that the last one took a while does not put off the next");
    cr_assert_eq(gc_next_ms(NOON, midnight - 10 * DAY_MS, 3 * 86400, 0), midnight + DAY_MS,
                 "long overdue");
    cr_assert_eq(gc_next_ms(NOON, NOON + DAY_MS, 3 * 86400, 0), midnight + DAY_MS,
                 "a last time in the future is none");
}
