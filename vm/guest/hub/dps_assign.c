/* See dps_assign.h. All of it happens in one turn of the loop, so that it is durable as a whole. */
#include "vm/guest/hub/dps_assign.h"

#include "core/base/log.h"
#include "core/base/str.h"
#include "core/io/digest.h"
#include "vm/guest/hub/registry.h"
#include "vm/guest/hub/twins.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* ------------------------------------------------------------------------------------------
 * which hub */

/* The one with the highest digest of itself and ID. Unlike a remainder, this moves hardly any
 * device when a hub is added. */
static const char *pick_hashed(const char *id, const char *const *hubs, size_t n)
{
    char highest[DIGEST_HEX_SIZE] = "";
    const char *picked = NULL;

    for (size_t i = 0; i < n; i++) {
        char text[2 * IDENTITY_ID_MAX], hex[DIGEST_HEX_SIZE];

        (void)str_format(text, sizeof(text), "%s/%s", id, hubs[i]);
        for (char *c = text; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        digest_sha256(text, strlen(text), hex);
        if (strcmp(hex, highest) > 0) {
            STR_SET(highest, hex);
            picked = hubs[i];
        }
    }
    return picked;
}

static const char *find_hub(const char *name, const char *const *hubs)
{
    for (; *hubs; hubs++)
        if (strcasecmp(*hubs, name) == 0)
            return *hubs;
    return NULL;
}

const char *dps_assign_pick(const struct dps_enrolment *e, const char *id, const char *const *hubs)
{
    const char *may[DPS_HUBS_MAX];
    size_t n = 0;

    if (e->hub[0])
        return find_hub(e->hub, hubs);
    for (size_t i = 0; i < e->n_hubs; i++)
        if ((may[n] = find_hub(e->hubs[i], hubs)))
            n++;
    for (size_t i = 0; e->n_hubs == 0 && hubs[i] && n < DPS_HUBS_MAX; i++)
        may[n++] = hubs[i];
    if (n == 0)
        return NULL;
    /* The nearest one, too, is the first: all hubs of a sandbox are in one place. */
    return e->allocation == DPS_HASHED ? pick_hashed(id, may, n) : may[0];
}

/* ------------------------------------------------------------------------------------------
 * its device */

static void add_authentication(const struct dps_grant *grant, cJSON *to)
{
    cJSON *auth = json_add_obj(to, "authentication"), *inner;

    switch (grant->enrolment.attestation.proof) {
    case DPS_PROOF_X509:
        json_add_str(auth, "type", "selfSigned");
        inner = json_add_obj(auth, "x509Thumbprint");
        json_add_str_or_null(inner, "primaryThumbprint", grant->thumbprints[DPS_PRIMARY]);
        json_add_str_or_null(inner, "secondaryThumbprint", grant->thumbprints[DPS_SECONDARY]);
        return;
    case DPS_PROOF_KEY:
        json_add_str(auth, "type", "sas");
        inner = json_add_obj(auth, "symmetricKey");
        json_add_str(inner, "primaryKey", grant->keys[DPS_PRIMARY]);
        json_add_str(inner, "secondaryKey", grant->keys[DPS_SECONDARY]);
        return;
    case DPS_PROOF_TPM:
    default:
        json_add_str(auth, "type", "sas"); /* with a key of the hub's, which only the TPM learns */
    }
}

static int make_device(struct dps *d, const struct dps_grant *grant, const char *device,
                       const char *hub_name, struct err *err)
{
    auto_json cJSON *body = cJSON_CreateObject();
    auto_json cJSON *twin = NULL;
    auto_identity struct identity made = {0};
    const char *text = grant->enrolment.twin;

    add_authentication(grant, body);
    json_add_bool(json_add_obj(body, "capabilities"), "iotEdge", grant->enrolment.iot_edge);
    if (registry_put(d->hub, device, "", body, NULL, &made, err) < 0 ||
        registry_move(d->hub, device, hub_name, err) < 0)
        return -1;
    if (!text)
        return 0;
    if (!(twin = json_parse(text, strlen(text), err)))
        return err_wrap(err, "stored initial twin");
    return twins_change(d->hub, device, "", twin, false, NULL, err);
}

/* Its data stays as it is; what it proves itself with is what the enrolment says now. */
static int keep_device(struct dps *d, const struct dps_grant *grant, const char *device,
                       const char *hub_name, struct err *err)
{
    auto_json cJSON *body = cJSON_CreateObject();
    auto_identity struct identity changed = {0};

    add_authentication(grant, body);
    if (registry_put(d->hub, device, "", body, "*", &changed, err) < 0)
        return -1;
    return registry_move(d->hub, device, hub_name, err);
}

/* ------------------------------------------------------------------------------------------
 * both */

/* "" is the first one, also in the database. */
static const char *full_name(const struct dps *d, const char *hub_name)
{
    return hub_name[0] ? hub_name : d->hub->hubs[0];
}

static int settle(struct dps *d, const struct dps_grant *grant, const char *name,
                  const char *hub_name, bool reset, struct err *err)
{
    auto_identity struct identity device = {0};
    struct err why = {0};

    if (store_identity_get(d->hub->store, name, "", &device, &why) < 0)
        return why.kind == ERR_NOT_FOUND ? make_device(d, grant, name, hub_name, err)
                                         : err_set(err, why.kind, "%s", why.msg);
    if (!reset)
        return keep_device(d, grant, name, hub_name, err);
    if (registry_delete(d->hub, name, "", NULL, err) < 0)
        return -1;
    return make_device(d, grant, name, hub_name, err);
}

int dps_assign(struct dps *d, const struct dps_grant *grant, struct registration_row *reg,
               struct err *err)
{
    const struct dps_enrolment *e = &grant->enrolment;
    bool again = reg->device[0] != '\0';
    const char *own = again ? reg->device : e->device[0] ? e->device : reg->id;
    const char *hub_name =
        again && !e->update_hub ? find_hub(full_name(d, reg->hub), d->hub->hubs) : NULL;
    enum registration_substatus how = SUBSTATUS_INITIAL;

    if (!hub_name && !(hub_name = dps_assign_pick(e, reg->id, d->hub->hubs)))
        return err_set(err, ERR_NOT_FOUND,
                       "the sandbox has none of the hubs that enrolment %s names", e->id);
    if (again && strcasecmp(full_name(d, reg->hub), hub_name) == 0)
        how = SUBSTATUS_AGAIN;
    else if (again)
        how = e->migrate ? SUBSTATUS_MIGRATED : SUBSTATUS_RESET;
    /* A device that cannot be made as a whole is not made, and one that cannot be made anew stays.
     */
    if (store_begin(d->hub->store, err) < 0)
        return -1;

    int status = settle(d, grant, own, hub_name, how == SUBSTATUS_RESET, err);

    if (store_end(d->hub->store, status, err) < 0)
        return -1;
    if (!again)
        STR_SET(reg->device, own);
    STR_SET(reg->hub, hub_name == d->hub->hubs[0] ? "" : hub_name);
    reg->substatus = how;
    log_info("dps", "%s is device %s on %s", reg->id, reg->device, hub_name);
    return 0;
}
