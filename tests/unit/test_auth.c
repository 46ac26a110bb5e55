#include "core/azure/sas.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/str.h"
#include "vm/guest/hub/auth.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

#define DEVICE_KEY "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define MODULE_KEY "MTEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define OTHER_KEY  "MjEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

static char dir[40];
static struct store *store;
static const char *const hubs[] = {"one.example", "two.example", NULL};
static const char *const names[] = {"localhost", NULL};
static struct auth auth;

static void put(const char *device, const char *module, enum identity_auth how, const char *key,
                const char *hub)
{
    struct identity id = {.version = 1, .auth = how};

    STR_SET(id.device, device);
    STR_SET(id.module, module);
    STR_SET(id.generation, "63");
    STR_SET(id.primary_key, OTHER_KEY);
    STR_SET(id.secondary_key, key);
    STR_SET(id.hub, hub);
    id.disabled = str_eq(device, "off");
    cr_assert_eq(store_identity_put(store, &id, NULL), 0);
}

static void setup(void)
{
    char path[60];

    (void)str_format(dir, sizeof(dir), "/tmp/berth-auth-XXXXXX");
    cr_assert(mkdtemp(dir));
    (void)str_format(path, sizeof(path), "%s/hub.db", dir);
    cr_assert_eq(store_open(path, &store, NULL), 0);
    cr_assert_eq(auth_prepare(store, NULL), 0);
    auth = (struct auth){.store = store, .hubs = hubs, .names = names};
    put("d", "", IDENTITY_SAS, DEVICE_KEY, "");
    put("d", "m", IDENTITY_SAS, MODULE_KEY, "");
    put("d", "x", IDENTITY_SELF_SIGNED, MODULE_KEY, "");
    put("far", "", IDENTITY_SAS, DEVICE_KEY, "two.example");
    put("off", "", IDENTITY_SAS, DEVICE_KEY, "");
    put("none", "", IDENTITY_NONE, DEVICE_KEY, "");
}

static void teardown(void)
{
    store_close(store);
    (void)file_remove_tree(dir, NULL);
}

TestSuite(auth, .init = setup, .fini = teardown);

static void token(const char *resource, const char *key, const char *policy, struct secret *ret)
{
    cr_assert_eq(sas_make(resource, key, clock_wall_ms() / 1000 + 60, policy, ret, NULL), 0);
}

static int connect_as(const char *hub, const char *device, const char *module, const char *sr,
                      const char *key, struct auth_grant *ret)
{
    auto_secret struct secret t = {0};
    struct auth_grant grant;

    token(sr, key, NULL, &t);
    return auth_client(&auth, &(struct auth_proof){.token = t.data, .len = t.len}, hub, device,
                       module, ret ? ret : &grant, NULL);
}

Test(auth, lets_in_who_signs_with_a_key_of_its_own)
{
    struct auth_grant grant;
    uint64_t now = clock_wall_ms() / 1000;

    cr_assert_eq(connect_as("one.example", "d", "", "one.example/devices/d", DEVICE_KEY, &grant),
                 0);
    cr_assert(grant.expiry_s >= now + SAS_SKEW_S + 59 && grant.expiry_s <= now + SAS_SKEW_S + 61);
    cr_assert_str_eq(grant.generation, "63");
    cr_assert(strstr(grant.method, "\"scope\":\"device\",\"type\":\"sas\""));
    cr_assert_eq(
        connect_as("one.example", "d", "m", "one.example/devices/d/modules/m", MODULE_KEY, &grant),
        0);
    cr_assert(strstr(grant.method, "\"scope\":\"module\""));
    cr_assert_eq(connect_as("one.example", "d", "", "one.example/devices/d", MODULE_KEY, NULL), -1);
}

Test(auth, lets_a_module_sign_with_its_devices_key)
{
    cr_assert_eq(connect_as("one.example", "d", "m", "one.example/devices/d", DEVICE_KEY, NULL), 0);
    cr_assert_eq(connect_as("one.example", "d", "m", "one.example/devices/d", MODULE_KEY, NULL), 0);
    cr_assert_eq(connect_as("one.example", "d", "x", "one.example/devices/d", DEVICE_KEY, NULL), -1,
                 "it is to show a certificate");
}

Test(auth, keeps_out_who_is_disabled_or_may_not_connect)
{
    cr_assert_eq(connect_as("one.example", "off", "", "one.example/devices/off", DEVICE_KEY, NULL),
                 -1);
    cr_assert_eq(
        connect_as("one.example", "none", "", "one.example/devices/none", DEVICE_KEY, NULL), -1);
}

Test(auth, knows_which_hub_a_device_is_on)
{
    static const struct {
        const char *hub, *device, *sr;
        int status;
    } cases[] = {
        {"two.example", "far", "two.example/devices/far", 0},
        {"TWO.example:8883", "far", "Two.Example/devices/far", 0},
        {"localhost:18883", "far", "localhost:18883/devices/far", 0},
        {"localhost", "d", "one.example/devices/d", 0},
        {"one.example", "far", "two.example/devices/far", -1},
        {"two.example", "far", "one.example/devices/far", -1},
        {"two.example", "d", "one.example/devices/d", -1},
        {"three.example", "d", "one.example/devices/d", -1},
        {"one.example.evil", "d", "one.example/devices/d", -1},
        {"", "d", "one.example/devices/d", -1},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_assert_eq(connect_as(cases[i].hub, cases[i].device, "", cases[i].sr, DEVICE_KEY, NULL),
                     cases[i].status, "%zu", i);
}

Test(auth, lets_a_policy_connect_devices_only_where_it_may)
{
    static const struct {
        const char *policy;
        int status;
    } cases[] = {{"device", 0}, {"iothubowner", 0}, {"service", -1}, {"registryRead", -1}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_secret struct secret key = {0};
        auto_secret struct secret t = {0};
        struct auth_grant grant;

        cr_assert_eq(auth_policy_key(store, cases[i].policy, &key, NULL), 0);
        token("one.example", key.data, cases[i].policy, &t);
        cr_assert_eq(auth_client(&auth, &(struct auth_proof){.token = t.data, .len = t.len},
                                 "one.example", "d", "", &grant, NULL),
                     cases[i].status, "%s", cases[i].policy);
        if (cases[i].status == 0)
            cr_assert(strstr(grant.method, "\"scope\":\"hub\""));
    }
}

/* ---- services ---- */

static int call(const char *target, const char *sr, const char *key, const char *policy,
                struct auth_caller *ret)
{
    auto_secret struct secret t = {0};

    token(sr, key, policy, &t);
    return auth_service(&auth, &(struct auth_proof){.token = t.data, .len = t.len}, target, ret,
                        NULL);
}

Test(auth, gives_a_policy_its_rights_on_the_hub_it_names)
{
    auto_secret struct secret key = {0};
    struct auth_caller caller;

    cr_assert_eq(auth_policy_key(store, "service", &key, NULL), 0);
    cr_assert_eq(call("/twins/d", "Two.Example", key.data, "service", &caller), 0);
    cr_assert_eq(caller.rights, RIGHT_SERVICE);
    cr_assert_str_eq(caller.hub, "two.example");
    cr_assert_eq(call("/twins/d", "localhost:443", key.data, "service", &caller), 0);
    cr_assert_str_eq(caller.hub, "");
    cr_assert_eq(call("/twins/d", "three.example", key.data, "service", &caller), -1);
    cr_assert_eq(call("/twins/d", "one.example/devices", key.data, "service", &caller), -1);
    cr_assert_eq(call("/twins/d", "one.example", key.data, "nobody", &caller), -1);
    cr_assert_eq(call("/twins/d", "one.example", DEVICE_KEY, "service", &caller), -1);
}

Test(auth, gives_a_device_its_own_part_of_the_registry)
{
    static const struct {
        const char *target, *sr, *key;
        int status;
    } cases[] = {
        {"/devices/d/modules/new", "one.example/devices/d", DEVICE_KEY, 0},
        {"/devices/d/modules", "localhost/devices/D", DEVICE_KEY, 0},
        {"/devices/far/modules", "two.example/devices/far", DEVICE_KEY, 0},
        {"/devices/far/modules", "one.example/devices/far", DEVICE_KEY, -1},
        {"/devices/far/modules", "one.example/devices/d", DEVICE_KEY, -1},
        {"/devices/off/modules", "one.example/devices/off", DEVICE_KEY, -1},
        {"/devices/d/modules", "one.example", DEVICE_KEY, -1},
        {"/twins/d", "one.example/twins/d", DEVICE_KEY, -1},
        /* A module's own key, below its name and nowhere else. */
        {"/devices/d/modules/m/getDeviceAndModuleOnBehalfOf", "one.example/devices/d/modules/m",
         MODULE_KEY, 0},
        {"/devices/d/modules/m", "one.example/devices/d/modules/m", MODULE_KEY, -1},
        {"/devices/d/modules/new", "one.example/devices/d", MODULE_KEY, -1},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct auth_caller caller = {0};

        cr_assert_eq(call(cases[i].target, cases[i].sr, cases[i].key, NULL, &caller),
                     cases[i].status, "%zu", i);
        if (cases[i].status == 0) {
            cr_assert_eq(caller.rights, RIGHT_OWN);
            cr_assert_str_eq(caller.hub,
                             strstr(cases[i].target, "far") ? "two.example" : "one.example");
        }
    }
}

Test(auth, gives_nothing_for_nothing)
{
    struct auth_caller caller;
    struct auth_grant grant;
    const struct auth_proof none = {0}, junk = {.token = "junk", .len = 4};

    cr_assert_eq(auth_service(&auth, &none, "/devices/d/modules", &caller, NULL), -1);
    cr_assert_eq(auth_service(&auth, &junk, "/devices/d/modules", &caller, NULL), -1);
    cr_assert_eq(auth_client(&auth, &none, "one.example", "d", "", &grant, NULL), -1);
    cr_assert_eq(auth_client(&auth, &junk, "one.example", "d", "", &grant, NULL), -1);
    cr_assert_eq(auth_client(&auth, &none, "one.example", "d", "x", &grant, NULL), -1);
}

/* ---- authorities ---- */

Test(auth, takes_an_authority_and_nothing_else_of_a_file)
{
    char ca[80], ca_key[80], dev[80], dev_key[80], print[65];
    auto_buf struct buf pem = {0};
    auto_buf struct buf all = {0};
    struct tls_cert_info info;
    struct err err = {0};

    (void)str_format(ca, sizeof(ca), "%s/ca.pem", dir);
    (void)str_format(ca_key, sizeof(ca_key), "%s/ca.key", dir);
    (void)str_format(dev, sizeof(dev), "%s/dev.pem", dir);
    (void)str_format(dev_key, sizeof(dev_key), "%s/dev.key", dir);
    cr_assert_eq(tls_cert_make_ca(ca, ca_key, "Plant", 2, NULL), 0);
    cr_assert_eq(tls_cert_make_device(ca, ca_key, dev, dev_key, "d", 2, NULL), 0);
    cr_assert_eq(auth_authorities(store, &all, NULL), 0);
    cr_assert_eq(all.len, 0);

    cr_assert_eq(file_read(ca_key, 65536, &pem, NULL), 0);
    cr_assert_eq(file_read(ca, 65536, &pem, NULL), 0);
    cr_assert_eq(auth_authority_add(store, pem.data, pem.len, &info, &err), 0, "%s", err.msg);
    cr_assert_eq(auth_authorities(store, &all, NULL), 0);
    cr_assert(strstr(all.data, "BEGIN CERTIFICATE") && !strstr(all.data, "PRIVATE"));
    cr_assert_eq(auth_authority_add(store, pem.data, pem.len, &info, &err), 0, "once more");
    STR_SET(print, info.sha256);

    buf_clear(&pem);
    cr_assert_eq(file_read(dev, 65536, &pem, NULL), 0);
    cr_assert_eq(auth_authority_add(store, pem.data, pem.len, &info, &err), -1);
    cr_assert(strstr(err.msg, "not that of an authority"), "%s", err.msg);
    cr_assert_eq(auth_authority_add(store, "hello", 5, &info, &err), -1);
    cr_assert_eq(err.kind, ERR_INVALID);
    for (char *c = print; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    cr_assert_eq(auth_authority_remove(store, print, NULL), 0);
    cr_assert_eq(auth_authority_remove(store, print, &err), -1);
    cr_assert_eq(err.kind, ERR_NOT_FOUND);
}
