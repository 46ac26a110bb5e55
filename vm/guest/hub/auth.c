/* See auth.h. A token's host may be any name of this sandbox, with or without a port, since clients
 * sign what stands in their connection string; the rest of the resource must cover the target by
 * whole segments. A device that is on one of several hubs is not let in under another's name. */
#include "vm/guest/hub/auth.h"

#include "core/azure/derive.h"
#include "core/azure/sas.h"
#include "core/base/clock.h"
#include "core/base/str.h"
#include "vm/guest/hub/registry.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
    auto_secret struct secret key = {0};

    derive_random(&key);
    (void)str_copy(to, size, key.data);
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

/* ---- hubs ---- */

static bool same_host(const char *name, const char *text, size_t len)
{
    return strlen(name) == len && strncasecmp(name, text, len) == 0;
}

/* The hub that "HOST", "HOST:PORT" or "HOST/..." names, as it is spelled here; "" for a name that
 * stands for any of them; NULL for somebody else's. */
static const char *find_hub(const struct auth *a, const char *text)
{
    size_t len = strcspn(text, "/:");

    for (const char *const *hub = a->hubs; *hub; hub++)
        if (same_host(*hub, text, len))
            return *hub;
    for (const char *const *name = a->names; *name; name++)
        if (same_host(*name, text, len))
            return "";
    return NULL;
}

static const char *own_hub(const struct auth *a, const struct identity *device)
{
    return device->hub[0] ? device->hub : a->hubs[0];
}

/* Whether TEXT names the hub that DEVICE is on. WHO: "the token", "the user name". */
static int check_hub(const struct auth *a, const char *text, const struct identity *device,
                     const char *who, struct err *err)
{
    const char *hub = find_hub(a, text);
    const char *own = own_hub(a, device);

    if (!hub)
        return err_set(err, ERR_AUTH, "%s names a hub that is not here", who);
    if (hub[0] && strcasecmp(hub, own) != 0)
        return err_set(err, ERR_AUTH, "%s names hub %s, but device %s is on %s", who, hub,
                       device->device, own);
    return 0;
}

/* ---- tokens ---- */

/* Whether the token's resource is TARGET, which begins with a slash, or what it is below. */
static bool covers(const struct sas *s, const char *target)
{
    char whole[900];
    size_t host = strcspn(s->resource, "/");

    /* The token's own spelling of the host, so that a port in it does not matter. */
    return str_format(whole, sizeof(whole), "%.*s%s", (int)host, s->resource, target) &&
           sas_covers(s, whole);
}

static int read_token(const struct auth_proof *proof, const char *target, struct sas *ret,
                      struct err *err)
{
    if (sas_parse(proof->token, proof->len, ret, err) < 0)
        return err_set(err, ERR_AUTH, "the token is malformed");
    if (sas_expired(ret, clock_wall_ms() / 1000))
        return err_set(err, ERR_AUTH, "the token has expired");
    if (!covers(ret, target))
        return err_set(err, ERR_AUTH, "the token is for another resource");
    return 0;
}

static bool signed_by(const struct sas *s, const struct identity *id)
{
    return id->auth == IDENTITY_SAS &&
           (sas_signed_by(s, id->primary_key) || sas_signed_by(s, id->secondary_key));
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

/* ---- certificates ---- */

static bool has_thumbprint(const struct tls_cert_info *cert, const char *thumbprint)
{
    return thumbprint[0] &&
           (strcasecmp(thumbprint, cert->sha1) == 0 || strcasecmp(thumbprint, cert->sha256) == 0);
}

static int check_chain(const struct auth *a, const struct identity *id,
                       const struct tls_cert_info *cert, const struct tls *tls, struct err *err)
{
    char name[2 * IDENTITY_ID_MAX];
    auto_buf struct buf authorities = {0};

    (void)str_format(name, sizeof(name), "%s%s%s", id->device, id->module[0] ? "/" : "",
                     id->module);
    if (!str_eq(cert->common_name, name))
        return err_set(err, ERR_AUTH, "its certificate is for another common name than %s", name);
    if (auth_authorities(a->store, &authorities, err) < 0)
        return -1;
    if (authorities.len == 0)
        return err_set(err, ERR_AUTH, "no authority for device certificates is registered");
    return tls_peer_signed_by(tls, authorities.data, err);
}

static int check_certificate(const struct auth *a, const struct identity *id, const struct tls *tls,
                             struct err *err)
{
    struct tls_cert_info cert;

    if (!tls || !tls_peer(tls, &cert))
        return err_set(err, ERR_AUTH, "it showed no certificate");
    if (tls_cert_check_time(&cert, clock_wall_ms(), SAS_SKEW_S * UINT64_C(1000), err) < 0)
        return -1;
    if (id->auth == IDENTITY_CA)
        return check_chain(a, id, &cert, tls, err);
    if (!has_thumbprint(&cert, id->primary_thumbprint) &&
        !has_thumbprint(&cert, id->secondary_thumbprint))
        return err_set(err, ERR_AUTH, "its certificate has another thumbprint (SHA-1 %s)",
                       cert.sha1);
    return 0;
}

/* ---- clients ---- */

/* How a client proved who it is, in IoT Hub's words. */
#define METHOD(scope, type, issuer)                                             \
    "{\"scope\":\"" scope "\",\"type\":\"" type "\",\"issuer\":\"" issuer "\"," \
    "\"acceptingIpFilterRule\":null}"

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

static int check_token(const struct auth *a, const struct auth_proof *proof,
                       const struct identity *owner, const struct identity *self,
                       struct auth_grant *grant, struct err *err)
{
    struct sas s;
    char target[320];
    unsigned rights;

    if (!proof->token)
        return err_set(err, ERR_AUTH, "it sent no token");
    (void)str_format(target, sizeof(target),
                     self->module[0] ? "/devices/%s/modules/%s" : "/devices/%s", self->device,
                     self->module);
    if (read_token(proof, target, &s, err) < 0 ||
        check_hub(a, s.resource, owner, "the token", err) < 0)
        return -1;
    grant->expiry_s = s.expiry_s + SAS_SKEW_S;
    if (s.policy[0]) {
        grant->method = METHOD("hub", "sas", "iothub");
        if (policy_rights(a, &s, &rights, err) < 0)
            return -1;
        return rights & RIGHT_DEVICE
                   ? 0
                   : err_set(err, ERR_AUTH, "policy %s may not connect devices", s.policy);
    }
    grant->method =
        self->module[0] ? METHOD("module", "sas", "iothub") : METHOD("device", "sas", "iothub");
    /* A module may sign with its device's key, as IoT Edge's own modules do. */
    if (!signed_by(&s, self) && !signed_by(&s, owner))
        return err_set(err, ERR_AUTH, "the token is not signed with a key of this identity");
    return 0;
}

static int refuse_none(struct err *err)
{
    return err_set(err, ERR_AUTH, "its authentication type is none");
}

/* The IoT Edge device at the end of the chain, which must lead from SELF straight to it: one above
 * the other is not supported. */
static int chain_actor(const struct auth *a, const char *chain, const struct identity *self,
                       struct identity *ret, struct err *err)
{
    const char *actor = strrchr(chain, ';');
    char whole[TOPIC_CHAIN_MAX];
    bool module = self->module[0] != '\0';

    actor = actor ? actor + 1 : "";

    bool own = str_eq(actor, self->device);

    (void)str_format(whole, sizeof(whole), "%s%s%s%s%s%s%s", self->device, module ? "/" : "",
                     self->module, module && !own ? ";" : "", module && !own ? self->device : "",
                     ";", actor);
    if (!str_eq(chain, whole) || (own && !module))
        return err_set(err, ERR_AUTH, "its authentication chain does not lead to an edge hub");
    if (enabled_device(a, actor, ret, err) < 0)
        return -1;
    return ret->iot_edge ? 0 : err_set(err, ERR_AUTH, "%s is no IoT Edge device", actor);
}

/* An edge hub connects for its device's child, or for one of their modules, with a token of its
 * own: so it does for those who prove themselves by certificates, whose keys it has not. */
static int check_behalf(const struct auth *a, const struct auth_proof *proof,
                        const struct identity *owner, const struct identity *self,
                        struct auth_grant *grant, struct err *err)
{
    auto_identity struct identity edge = {0};
    auto_identity struct identity hub = {0};
    char target[320];
    struct sas s;

    if (self->auth == IDENTITY_NONE)
        return refuse_none(err);
    if (chain_actor(a, proof->chain, self, &edge, err) < 0)
        return -1;
    if (!str_eq(edge.device, owner->device) && !registry_is_child(owner, &edge))
        return err_set(err, ERR_AUTH, "%s is no child of %s", owner->device, edge.device);
    (void)str_format(target, sizeof(target), "/devices/%s/modules/$edgeHub", edge.device);
    if (!proof->token || read_token(proof, target, &s, err) < 0 ||
        check_hub(a, s.resource, &edge, "the token", err) < 0)
        return proof->token ? -1 : err_set(err, ERR_AUTH, "its edge hub sent no token");
    if (!signed_by(&s, &edge) &&
        (store_identity_get(a->store, edge.device, "$edgeHub", &hub, NULL) < 0 ||
         !signed_by(&s, &hub)))
        return err_set(err, ERR_AUTH, "the token is not signed with a key of its edge hub");
    grant->expiry_s = s.expiry_s + SAS_SKEW_S;
    grant->method =
        self->module[0] ? METHOD("module", "sas", "iothub") : METHOD("device", "sas", "iothub");
    STR_SET(grant->via, edge.device);
    return 0;
}

/* By the identity's own way of authentication. */
static int check_own(const struct auth *a, const struct auth_proof *proof,
                     const struct identity *owner, const struct identity *self,
                     struct auth_grant *grant, struct err *err)
{
    switch (self->auth) {
    case IDENTITY_SAS:
        return check_token(a, proof, owner, self, grant, err);
    case IDENTITY_SELF_SIGNED:
    case IDENTITY_CA:
        grant->method = self->module[0] ? METHOD("module", "x509Certificate", "external")
                                        : METHOD("device", "x509Certificate", "external");
        return check_certificate(a, self, proof->tls, err);
    case IDENTITY_NONE:
    default:
        return refuse_none(err);
    }
}

int auth_client(const struct auth *a, const struct auth_proof *proof, const char *hub,
                const char *device, const char *module, struct auth_grant *ret, struct err *err)
{
    auto_identity struct identity owner = {0};
    auto_identity struct identity part = {0};
    const struct identity *self = module[0] ? &part : &owner;
    struct auth_grant grant = {.expiry_s = UINT64_MAX};

    if (enabled_device(a, device, &owner, err) < 0 ||
        (module[0] && store_identity_get(a->store, device, module, &part, err) < 0) ||
        check_hub(a, hub, &owner, "the user name", err) < 0)
        return -1;
    if ((proof->chain && proof->chain[0] ? check_behalf : check_own)(a, proof, &owner, self, &grant,
                                                                     err) < 0)
        return -1;
    STR_SET(grant.generation, self->generation);
    *ret = grant;
    return 0;
}

/* ---- services ---- */

/* The device that TARGET ("/devices/d1/...") is about. RET_REST: what follows its name. */
static int target_device(const struct auth *a, const char *target, struct identity *ret,
                         const char **ret_rest, struct err *err)
{
    const char *at = str_starts(target, "/devices/") ? target + strlen("/devices/") : "";
    size_t len = strcspn(at, "/");
    char device[IDENTITY_ID_MAX];

    if (!str_format(device, sizeof(device), "%.*s", (int)len, at) ||
        enabled_device(a, device, ret, NULL) < 0)
        return err_set(err, ERR_AUTH, "the caller's device is unknown or disabled");
    *ret_rest = at + len;
    return 0;
}

/* A module's own key is good for what is below the module ("/modules/m1/..."), which is how an edge
 * hub asks for its device's children, and not for the module itself. */
static bool signed_by_module(const struct auth *a, const struct sas *s, const char *device,
                             const char *rest)
{
    auto_identity struct identity id = {0};
    const char *at = str_starts(rest, "/modules/") ? rest + strlen("/modules/") : "";
    size_t len = strcspn(at, "/");
    char module[IDENTITY_ID_MAX];

    return len > 0 && at[len] == '/' && str_format(module, sizeof(module), "%.*s", (int)len, at) &&
           store_identity_get(a->store, device, module, &id, NULL) == 0 && signed_by(s, &id);
}

static int device_token(const struct auth *a, const struct sas *s, const char *target,
                        struct auth_caller *caller, struct err *err)
{
    auto_identity struct identity device = {0};
    const char *path = strchr(s->resource, '/');
    const char *rest = "";

    if (!path || !str_starts(path, "/devices/"))
        return err_set(err, ERR_AUTH, "the token names no policy");
    if (target_device(a, target, &device, &rest, err) < 0 ||
        check_hub(a, s->resource, &device, "the token", err) < 0)
        return -1;
    if (!signed_by(s, &device) && !signed_by_module(a, s, device.device, rest))
        return err_set(err, ERR_AUTH, "the token is not signed with a key of its device");
    STR_SET(caller->hub, own_hub(a, &device));
    return 0;
}

static int device_certificate(const struct auth *a, const struct tls *tls, const char *target,
                              struct auth_caller *caller, struct err *err)
{
    auto_identity struct identity device = {0};
    struct tls_cert_info cert;
    const char *rest;

    if (!tls || !tls_peer(tls, &cert))
        return err_set(err, ERR_AUTH, "the request has no Authorization header");
    if (target_device(a, target, &device, &rest, err) < 0)
        return -1;
    if (device.auth != IDENTITY_SELF_SIGNED && device.auth != IDENTITY_CA)
        return err_set(err, ERR_AUTH, "device %s does not use a certificate", device.device);
    STR_SET(caller->hub, own_hub(a, &device));
    return check_certificate(a, &device, tls, err);
}

int auth_service(const struct auth *a, const struct auth_proof *proof, const char *target,
                 struct auth_caller *ret, struct err *err)
{
    struct auth_caller caller = {.rights = RIGHT_OWN};
    struct sas s;

    if (!proof->token) {
        if (device_certificate(a, proof->tls, target, &caller, err) < 0)
            return -1;
    } else if (read_token(proof, target, &s, err) < 0) {
        return -1;
    } else if (!s.policy[0]) {
        if (device_token(a, &s, target, &caller, err) < 0)
            return -1;
    } else {
        const char *hub = find_hub(a, s.resource);

        if (!hub)
            return err_set(err, ERR_AUTH, "the token names a hub that is not here");
        STR_SET(caller.hub, hub);
        if (policy_rights(a, &s, &caller.rights, err) < 0)
            return -1;
    }
    *ret = caller;
    return 0;
}
