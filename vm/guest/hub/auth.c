/* See auth.h. A token's host may be any name of this sandbox, with or without a port, since clients
 * sign what stands in their connection string; the rest of the resource must cover the target by
 * whole segments. */
#include "vm/guest/hub/auth.h"

#include "core/azure/base64.h"
#include "core/azure/sas.h"
#include "core/base/clock.h"
#include "core/base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#define KEY_BYTES 32

static const struct {
    const char *name;
    unsigned rights;
} policies[] = {
    {"iothubowner", RIGHT_REGISTRY_READ | RIGHT_REGISTRY_WRITE | RIGHT_SERVICE | RIGHT_DEVICE},
    {"service", RIGHT_SERVICE},
    {"device", RIGHT_DEVICE},
    {"registryRead", RIGHT_REGISTRY_READ},
    {"registryReadWrite", RIGHT_REGISTRY_READ | RIGHT_REGISTRY_WRITE},
    /* of the provisioning service */
    {"provisioningserviceowner", RIGHT_ENROLMENT_READ | RIGHT_ENROLMENT_WRITE |
                                     RIGHT_REGISTRATION_READ | RIGHT_REGISTRATION_WRITE},
    {"enrollmentread", RIGHT_ENROLMENT_READ},
    {"enrollmentwrite", RIGHT_ENROLMENT_READ | RIGHT_ENROLMENT_WRITE},
    {"registrationstatusread", RIGHT_REGISTRATION_READ},
    {"registrationstatuswrite", RIGHT_REGISTRATION_READ | RIGHT_REGISTRATION_WRITE},
};

void auth_make_key(char *to, size_t size)
{
    unsigned char bytes[KEY_BYTES];
    auto_wiped_buf struct buf text = {0};

    while (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        if (errno != EINTR)
            abort();
    base64_encode(bytes, sizeof(bytes), &text);
    (void)str_copy(to, size, text.data);
    explicit_bzero(bytes, sizeof(bytes));
}

static void policy_entry(const char *name, char *to, size_t size)
{
    (void)str_format(to, size, "policy:%s", name);
}

int auth_prepare(struct store *store, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        auto_secret struct secret key = {0};
        struct err why = {0};
        char entry[160], text[STORE_KEY_MAX];

        policy_entry(policies[i].name, entry, sizeof(entry));
        if (store_secret_get(store, entry, &key, &why) == 0)
            continue;
        if (why.kind != ERR_NOT_FOUND) {
            if (err)
                *err = why;
            return -1;
        }
        auth_make_key(text, sizeof(text));

        int status = store_secret_put(store, entry, text, err);

        explicit_bzero(text, sizeof(text));
        if (status < 0)
            return -1;
    }
    return store_commit(store, err);
}

int auth_policy_key(struct store *store, const char *name, struct secret *ret, struct err *err)
{
    char entry[160];

    policy_entry(name, entry, sizeof(entry));
    return store_secret_get(store, entry, ret, err);
}

/* "HOST" or "HOST:PORT" at the front of a resource is one of our names. */
static bool our_host(const struct auth *a, const char *resource)
{
    size_t len = strcspn(resource, "/:");

    for (const char *const *name = a->names; *name; name++)
        if (strlen(*name) == len && strncasecmp(*name, resource, len) == 0)
            return true;
    return false;
}

/* Whether the token is for TARGET, which begins with a slash. */
static bool covers(const struct auth *a, const struct sas *s, const char *target)
{
    char whole[900];
    size_t host = strcspn(s->resource, "/");

    /* The token's own spelling of the host, so that a port in it does not matter. */
    return our_host(a, s->resource) &&
           str_format(whole, sizeof(whole), "%.*s%s", (int)host, s->resource, target) &&
           sas_covers(s, whole);
}

static int parse_token(const char *token, size_t len, struct sas *ret, struct err *err)
{
    if (sas_parse(token, len, ret, err) < 0)
        return err_set(err, ERR_AUTH, "the token is malformed");
    if (sas_expired(ret, clock_wall_ms() / 1000))
        return err_set(err, ERR_AUTH, "the token has expired");
    return 0;
}

static bool signed_by(const struct sas *s, const struct identity *id)
{
    return id->auth == IDENTITY_SAS &&
           (sas_signed_by(s, id->primary_key) || sas_signed_by(s, id->secondary_key));
}

/* The device, when it exists and is enabled; a module's rights end with its device's. */
static int enabled_device(const struct auth *a, const char *device, struct identity *ret,
                          struct err *err)
{
    if (store_identity_get(a->store, device, "", ret, err) < 0)
        return -1;
    if (ret->disabled)
        return err_set(err, ERR_AUTH, "device %s is disabled", device);
    return 0;
}

static int policy_rights(const struct auth *a, const struct sas *s, unsigned *ret_rights,
                         struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        auto_secret struct secret key = {0};

        if (!str_eq(s->policy, policies[i].name))
            continue;
        if (auth_policy_key(a->store, policies[i].name, &key, err) < 0)
            return -1;
        if (!sas_signed_by(s, key.data))
            return err_set(err, ERR_AUTH, "the token is not signed with the key of policy %s",
                           policies[i].name);
        *ret_rights = policies[i].rights;
        return 0;
    }
    return err_set(err, ERR_AUTH, "the token names an unknown policy");
}

int auth_client(const struct auth *a, const struct auth_proof *proof, const char *hub,
                const char *device, const char *module, uint64_t *ret_expiry_s, struct err *err)
{
    auto_identity struct identity owner = {0};
    auto_identity struct identity part = {0};
    struct sas s;
    char target[320];

    (void)hub;
    if (!proof->token)
        return err_set(err, ERR_AUTH, "no token");
    if (enabled_device(a, device, &owner, err) < 0 ||
        (module[0] && store_identity_get(a->store, device, module, &part, err) < 0) ||
        parse_token(proof->token, proof->len, &s, err) < 0)
        return -1;
    (void)str_format(target, sizeof(target), module[0] ? "/devices/%s/modules/%s" : "/devices/%s",
                     device, module);
    if (!covers(a, &s, target))
        return err_set(err, ERR_AUTH, "the token is for another resource");
    *ret_expiry_s = s.expiry_s;
    if (s.policy[0]) {
        unsigned rights;

        if (policy_rights(a, &s, &rights, err) < 0)
            return -1;
        return rights & RIGHT_DEVICE
                   ? 0
                   : err_set(err, ERR_AUTH, "policy %s may not connect devices", s.policy);
    }
    /* A module may sign with its device's key, as IoT Edge's own modules do. */
    if (!(module[0] && signed_by(&s, &part)) && !signed_by(&s, &owner))
        return err_set(err, ERR_AUTH, "the token is not signed with a key of this identity");
    return 0;
}

int auth_service(const struct auth *a, const char *token, const char *target, unsigned *ret_rights,
                 struct err *err)
{
    struct sas s;

    if (!token)
        return err_set(err, ERR_AUTH, "the request has no Authorization header");
    if (parse_token(token, strlen(token), &s, err) < 0)
        return -1;
    if (!covers(a, &s, target))
        return err_set(err, ERR_AUTH, "the token is for another resource");
    if (s.policy[0])
        return policy_rights(a, &s, ret_rights, err);

    /* A device's own token, for what is below its name. The path says which device; the token
     * covers it. */
    auto_identity struct identity owner = {0};
    char device[IDENTITY_ID_MAX] = "";
    const char *at = str_starts(target, "/devices/") ? target + strlen("/devices/") : "";
    size_t len = strcspn(at, "/");
    const char *in_token = strchr(s.resource, '/');

    if (len == 0 || len >= sizeof(device) || !in_token || !str_starts(in_token, "/devices/"))
        return err_set(err, ERR_AUTH, "the token names no policy");
    memcpy(device, at, len);
    if (enabled_device(a, device, &owner, err) < 0)
        return err_set(err, ERR_AUTH, "the token's device is unknown or disabled");
    if (!signed_by(&s, &owner))
        return err_set(err, ERR_AUTH, "the token is not signed with a key of its device");
    *ret_rights = RIGHT_OWN;
    return 0;
}
