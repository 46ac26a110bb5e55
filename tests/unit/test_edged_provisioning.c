/* When what is known of a device's place will do, and what is kept of it. */
#include "core/base/file.h"
#include "core/base/mem.h"
#include "vm/guest/edged/duration.h"
#include "vm/guest/edged/identity_cache.h"
#include "vm/guest/edged/provisioning_state.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>

Test(provisioning, asks_the_service_as_the_mode_says)
{
    static const struct {
        enum config_reprovisioning mode;
        enum provisioning_doubt doubt;
        bool registered, known_will_do;
    } rows[] = {
        {CONFIG_DYNAMIC, PROVISIONING_NO_DOUBT, false, true},
        {CONFIG_DYNAMIC, PROVISIONING_CONNECTION_REFUSED, false, false},
        {CONFIG_DYNAMIC, PROVISIONING_CONNECTION_REFUSED, true, false},
        {CONFIG_DYNAMIC, PROVISIONING_IDENTITY_REFUSED, true, false},
        {CONFIG_ALWAYS_ON_STARTUP, PROVISIONING_NO_DOUBT, false, false},
        {CONFIG_ALWAYS_ON_STARTUP, PROVISIONING_NO_DOUBT, true, true},
        {CONFIG_ALWAYS_ON_STARTUP, PROVISIONING_CONNECTION_REFUSED, true, true},
        {CONFIG_ALWAYS_ON_STARTUP, PROVISIONING_IDENTITY_REFUSED, true, false},
        {CONFIG_ON_ERROR_ONLY, PROVISIONING_NO_DOUBT, false, true},
        {CONFIG_ON_ERROR_ONLY, PROVISIONING_CONNECTION_REFUSED, false, true},
        {CONFIG_ON_ERROR_ONLY, PROVISIONING_IDENTITY_REFUSED, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        cr_expect_eq(provisioning_known_will_do(rows[i].mode, rows[i].doubt, rows[i].registered),
                     rows[i].known_will_do, "row %zu", i);
}

Test(provisioning, knows_one_question_from_another)
{
    struct config_provisioning p = {.method = CONFIG_DPS_KEY,
                                    .dps = "dps.example:443",
                                    .id_scope = "0ne1",
                                    .registration_id = "r1"};
    char first[DIGEST_HEX_SIZE], other[DIGEST_HEX_SIZE];
    provisioning_source(&p, first);
    provisioning_source(&p, other);
    cr_assert_str_eq(first, other);
    STR_SET(p.registration_id, "r2");
    provisioning_source(&p, other);
    cr_assert_str_neq(first, other);
    STR_SET(p.registration_id, "r1");
    p.method = CONFIG_DPS_TPM;
    provisioning_source(&p, other);
    cr_assert_str_neq(first, other);
}

struct folder {
    char path[64];
};

static void folder_remove(struct folder *f)
{
    (void)file_remove_tree(f->path, NULL);
}
#define FOLDER                                                                     \
    ATTR_CLEANUP(folder_remove) struct folder f = {"/tmp/test-edged-prov.XXXXXX"}; \
    cr_assert(mkdtemp(f.path))

static const struct device device = {.hub = "h.example", .port = 18883, .id = "d1"};

Test(provisioning, remembers_the_device_for_its_own_question_only)
{
    FOLDER;
    struct device back = {0};
    struct err err = {0};
    struct stat st;
    auto_free char *path = xasprintf("%s/provisioning.json", f.path);
    cr_assert_not(provisioning_state_read(path, "s", &back, &err));
    cr_assert_eq(err.kind, ERR_NONE);
    cr_assert_eq(provisioning_state_write(path, CONFIG_DPS_KEY, "s", &device, NULL), 0);
    cr_assert(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
    cr_assert(provisioning_state_read(path, "s", &back, &err));
    cr_assert(device_same(&back, &device));
    back = (struct device){0};
    cr_assert_not(provisioning_state_read(path, "t", &back, &err));
    cr_assert_not(device_known(&back));
}

Test(provisioning, says_that_its_file_is_damaged)
{
    FOLDER;
    static const char *const damaged[] = {"", "{", "{}", "{\"hub\":1}",
                                          "{\"hub\":\"h\",\"device\":\"d\",\"port\":70000}"};
    auto_free char *path = xasprintf("%s/provisioning.json", f.path);
    for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
        struct err err = {0};
        struct device back = {0};
        cr_assert_eq(file_write(path, damaged[i], strlen(damaged[i]), 0600, NULL), 0);
        cr_assert_not(provisioning_state_read(path, "s", &back, &err));
        cr_assert_neq(err.kind, ERR_NONE, "%s", damaged[i]);
    }
}

/* ------------------------------------------------------------------------------- identities */

static void cache_done(struct identity_cache **c)
{
    identity_cache_free(*c);
}
#define CACHE(name, dev)     \
    ATTR_CLEANUP(cache_done) \
    struct identity_cache *name = identity_cache_load(f.path, (dev), &err)

Test(identity_cache, keeps_generations_across_a_restart)
{
    FOLDER;
    struct err err = {0};
    {
        CACHE(first, &device);
        cr_assert_null(identity_cache_get(first, "$edgeAgent"));
        cr_assert_eq(identity_cache_set(first, "$edgeAgent", "1", &err), 0);
        cr_assert_eq(identity_cache_set(first, "m", "2", &err), 0);
        cr_assert_eq(identity_cache_set(first, "m", "3", &err), 0);
        cr_assert_eq(identity_cache_set(first, "gone", "4", &err), 0);
        cr_assert_eq(identity_cache_set(first, "gone", NULL, &err), 0);
        cr_assert_eq(identity_cache_set(first, "never", NULL, &err), 0);
    }
    CACHE(second, &device);
    cr_assert_eq(err.kind, ERR_NONE);
    cr_assert_str_eq(identity_cache_get(second, "$edgeAgent"), "1");
    cr_assert_str_eq(identity_cache_get(second, "m"), "3");
    cr_assert_null(identity_cache_get(second, "gone"));
}

Test(identity_cache, is_empty_for_another_device_and_where_damaged)
{
    FOLDER;
    struct err err = {0};
    const struct device other = {.hub = "h.example", .id = "D1"};
    auto_free char *path = xasprintf("%s/identities.json", f.path);
    {
        CACHE(first, &device);
        cr_assert_eq(identity_cache_set(first, "m", "1", &err), 0);
    }
    CACHE(second, &other);
    cr_assert_null(identity_cache_get(second, "m"));
    cr_assert_eq(err.kind, ERR_NONE);
    cr_assert_eq(file_write(path, "[", 1, 0600, NULL), 0);
    CACHE(third, &device);
    cr_assert_neq(err.kind, ERR_NONE);
    cr_assert_null(identity_cache_get(third, "m"));
}

Test(identity_cache, is_bounded)
{
    FOLDER;
    struct err err = {0};
    char name[16];
    CACHE(c, &device);
    for (int i = 0; i < IDENTITY_MODULES_MAX; i++) {
        (void)str_format(name, sizeof(name), "m%d", i);
        cr_assert_eq(identity_cache_set(c, name, "1", &err), 0);
    }
    cr_assert_lt(identity_cache_set(c, "more", "1", &err), 0);
    cr_assert_eq(err.kind, ERR_NO_SPACE);
}

Test(duration, adds_up_what_people_write)
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } good[] = {{"1d", 86400}, {"2 days 3h", 183600}, {"90m", 5400}, {"1 week", 604800}};
    static const char *const bad[] = {"", "1", "d", "1 x", "-1d", "1d,", "99999999999d"};
    uint64_t seconds = 0;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        cr_assert(duration_parse(good[i].text, &seconds), "%s", good[i].text);
        cr_assert_eq(seconds, good[i].seconds);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_not(duration_parse(bad[i], &seconds), "%s", bad[i]);
}

Test(duration, reads_what_dotnet_writes)
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } good[] = {{"00:05:00", 300}, {"1:2:3", 3723}, {"1.00:00:30", 86430}};
    static const char *const bad[] = {
        "",         "5",         "05:00",      "00:05:00x", "24:00:00",
        "00:60:00", "-00:05:00", "00:05:00.5", "1.2.3:4",   "99999999999:00:00"};
    uint64_t seconds = 0;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        cr_assert(duration_timespan(good[i].text, &seconds), "%s", good[i].text);
        cr_assert_eq(seconds, good[i].seconds);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_not(duration_timespan(bad[i], &seconds), "%s", bad[i]);
}
