#include "core/base/clock.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_proof.h"

#include <criterion/criterion.h>
#include <string.h>

#define KEY   "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define OTHER "MTEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

static char hub_name[] = "Hub.azure-devices.net", host_name[] = "gateway.local";
static const struct edge_settings settings = {.hub = hub_name, .hostname = host_name};

static const struct {
    const char *resource, *device, *module;
    bool good;
} resources[] = {
    {"hub.azure-devices.net/devices/d", "d", "", true},
    {"HUB.azure-devices.net/devices/D", "d", "", true},
    {"gateway.local/devices/d", "d", "", true},
    {"hub.azure-devices.net:8883/devices/d", "d", "", true},
    {"hub.azure-devices.net/devices/d/modules/m", "d", "m", true},
    {"hub.azure-devices.net/devices/d", "d", "m", true},
    {"hub.azure-devices.net/devices/d/modules/$edgeAgent", "d", "$edgeAgent", true},
    {"hub.azure-devices.net/devices/d/modules/%24edgeAgent", "d", "$edgeAgent", true},
    {"hub.azure-devices.net/devices/a%23b", "a#b", "", true},
    {"hub.azure-devices.net/devices/d/modules/m", "d", "", false},
    {"hub.azure-devices.net/devices/d/modules/m2", "d", "m", false},
    {"hub.azure-devices.net/devices/d/modules", "d", "m", false},
    {"hub.azure-devices.net/devices/d2", "d", "", false},
    {"hub.azure-devices.net/devices/d/", "d", "", false},
    {"hub.azure-devices.net/devices", "d", "", false},
    {"hub.azure-devices.net/", "d", "", false},
    {"hub.azure-devices.net", "d", "", false},
    {"hub.azure-devices.net.evil/devices/d", "d", "", false},
    {"hub/devices/d", "d", "", false},
    {"/devices/d", "d", "", false},
    {"", "d", "", false},
    {"hub.azure-devices.net/devices/%ZZ", "d", "", false},
};

Test(edge_proof, knows_whom_a_token_is_meant_for)
{
    for (size_t i = 0; i < ARRAY_LEN(resources); i++)
        cr_expect_eq(edge_proof_meant_for(resources[i].resource, &settings, resources[i].device,
                                          resources[i].module),
                     resources[i].good, "%s for %s/%s", resources[i].resource, resources[i].device,
                     resources[i].module);
}

static int show(const char *token, const char *module, struct edge_proof *ret, struct err *err)
{
    const struct edge_claim claim = {
        .hub = "any", .device = "d", .module = module, .token = token, .len = strlen(token)};

    return edge_proof_read(&claim, &settings, "", ret, err);
}

/* What a client d/MODULE shows whose token is signed with KEY. */
static struct edge_proof proof(const char *module, const char *key)
{
    auto_secret struct secret token = {0};
    struct edge_proof p;
    struct err err = {0};

    cr_assert_eq(sas_make("hub.azure-devices.net/devices/d", key, clock_wall_ms() / 1000 + 60, NULL,
                          &token, NULL),
                 0);
    cr_assert_eq(show(token.data, module, &p, &err), 0, "%s", err.msg);
    return p;
}

static struct edge_identity identity(const char *module, char *primary, char *secondary)
{
    return (struct edge_identity){.device = "d",
                                  .module = module,
                                  .generation = "1",
                                  .enabled = true,
                                  .primary = {primary, strlen(primary)},
                                  .secondary = {secondary, strlen(secondary)},
                                  .thumbprints = {"", ""}};
}

Test(edge_proof, takes_either_key_of_an_enabled_identity)
{
    char key[] = KEY, other[] = OTHER, none[] = "", bad[] = "?";
    struct edge_proof p = proof("", KEY);
    struct edge_identity id = identity("", key, none);

    cr_expect_eq(edge_proof_fits(&p, &id, NULL, NULL), 0);
    id = identity("", other, key);
    cr_expect_eq(edge_proof_fits(&p, &id, NULL, NULL), 0);
    id = identity("", other, none);
    cr_expect_eq(edge_proof_fits(&p, &id, NULL, NULL), -1);
    id = identity("", bad, none);
    cr_expect_eq(edge_proof_fits(&p, &id, NULL, NULL), -1);
    cr_expect_eq(edge_proof_fits(&p, NULL, NULL, NULL), -1);
    id = identity("", key, none);
    id.enabled = false;
    cr_expect_eq(edge_proof_fits(&p, &id, NULL, NULL), -1);
    id = identity("", key, none);
    for (enum edge_scope_auth auth = SCOPE_AUTH_SELF_SIGNED; auth <= SCOPE_AUTH_NONE; auth++) {
        id.auth = auth;
        cr_expect_eq(edge_proof_fits(&p, &id, NULL, NULL), -1, "auth %d", (int)auth);
    }
}

/* An empty key signs as well as any other: where the cloud has none, nobody has it. */
Test(edge_proof, takes_no_empty_key)
{
    char none[] = "";
    struct edge_proof p = proof("", "");
    struct edge_identity id = identity("", none, none);

    cr_expect_eq(edge_proof_fits(&p, &id, NULL, NULL), -1);
}

Test(edge_proof, takes_a_modules_key_or_its_devices)
{
    char key[] = KEY, other[] = OTHER, none[] = "";
    struct edge_proof p = proof("m", KEY);
    struct edge_identity device = identity("", other, none), module = identity("m", key, none);

    cr_expect_eq(edge_proof_fits(&p, &device, &module, NULL), 0);
    device = identity("", key, none);
    module = identity("m", other, none);
    cr_expect_eq(edge_proof_fits(&p, &device, &module, NULL), 0);
    cr_expect_eq(edge_proof_fits(&p, &device, NULL, NULL), -1);
    cr_expect_eq(edge_proof_fits(&p, NULL, &module, NULL), -1);
    device.enabled = false;
    cr_expect_eq(edge_proof_fits(&p, &device, &module, NULL), -1);
}

Test(edge_proof, refuses_at_once_what_is_good_for_nobody)
{
    auto_secret struct secret old = {0};
    struct edge_proof p;
    struct err err = {0};

    (void)sas_make("hub.azure-devices.net/devices/d", KEY, clock_wall_ms() / 1000 - SAS_SKEW_S - 2,
                   NULL, &old, NULL);
    cr_expect_eq(show(old.data, "", &p, &err), -1);
    cr_expect_str_eq(err.msg, "the token has expired");
    cr_expect_eq(show("", "", &p, &err), -1);
    cr_expect_eq(err.kind, ERR_AUTH);
}
