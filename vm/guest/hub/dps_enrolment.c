/* See dps_enrolment.h. The database holds the same JSON as the API shows, with the secrets in it,
 * so that there is one reader and one writer. */
#include "vm/guest/hub/dps_enrolment.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/twin_json.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define ID_MAX          128
#define INFORMATION_MAX (8U << 10)

static const char *const allocation_words[] = {
    [DPS_HASHED] = "hashed",
    [DPS_GEO_LATENCY] = "geoLatency",
    [DPS_STATIC] = "static",
};

void dps_enrolment_done(struct dps_enrolment *e)
{
    dps_attestation_done(&e->attestation);
    free(e->twin);
    free(e->information);
    *e = (struct dps_enrolment){0};
}

bool dps_id_valid(const char *id)
{
    size_t len = strlen(id);

    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)id[i]) && !strchr("-._:", id[i]))
            return false;
    return len > 0 && len <= ID_MAX && (isalnum((unsigned char)id[len - 1]) || id[len - 1] == '-');
}

/* ------------------------------------------------------------------------------------------
 * reading */

/* A member that repeats what the path says must agree with it. */
static int check_id(const cJSON *body, const char *key, const char *id, struct err *err)
{
    const char *text = id;

    if (dps_json_text(body, "", key, &text, err) < 0)
        return -1;
    if (strcasecmp(text, id) != 0)
        return err_set(err, ERR_INVALID, "%s: is not the one of the path", key);
    return 0;
}

static int read_device(const cJSON *body, struct dps_enrolment *e, struct err *err)
{
    const char *text = "";

    if (e->group)
        return 0;
    if (dps_json_text(body, "", "deviceId", &text, err) < 0)
        return -1;
    if (text[0] && !identity_id_valid(text))
        return err_set(err, ERR_INVALID,
                       "deviceId: has a character that ids do not allow, or is too long");
    STR_SET(e->device, text);
    return 0;
}

static int read_status(const cJSON *body, struct dps_enrolment *e, struct err *err)
{
    const char *word = "enabled";
    const cJSON *capabilities = NULL;

    if (dps_json_text(body, "", "provisioningStatus", &word, err) < 0 ||
        dps_json_object(body, "", "capabilities", &capabilities, err) < 0 ||
        dps_json_bool(capabilities, "capabilities", "iotEdge", &e->iot_edge, err) < 0)
        return -1;
    e->disabled = str_eq(word, "disabled");
    if (!e->disabled && !str_eq(word, "enabled"))
        return err_set(err, ERR_INVALID, "provisioningStatus: must be enabled or disabled");
    return 0;
}

static int read_policy(const cJSON *body, struct dps_enrolment *e, struct err *err)
{
    const char *root = "reprovisionPolicy";
    const cJSON *policy = NULL;

    e->update_hub = e->migrate = true;
    if (dps_json_object(body, "", root, &policy, err) < 0 ||
        dps_json_bool(policy, root, "updateHubAssignment", &e->update_hub, err) < 0 ||
        dps_json_bool(policy, root, "migrateDeviceData", &e->migrate, err) < 0)
        return -1;
    return 0;
}

/* HUBS NULL: what comes from the database was checked when it was written. */
static int check_hub(const char *path, const char *text, const char *const *hubs, char *to,
                     size_t size, struct err *err)
{
    bool known = !hubs;

    for (const char *const *hub = hubs; !known && *hub; hub++)
        known = strcasecmp(*hub, text) == 0;
    if (!known || !text[0] || !str_copy(to, size, text)) {
        (void)err_set(err, ERR_INVALID, "%s: is none of the sandbox's hubs", path);
        return hubs && hubs[0] ? err_hint(err, "The first one is called %s", hubs[0]) : -1;
    }
    return 0;
}

static int read_hubs(const cJSON *body, const char *const *hubs, struct dps_enrolment *e,
                     struct err *err)
{
    const char *text = "";
    const cJSON *list = NULL, *item;

    if (dps_json_text(body, "", "iotHubHostName", &text, err) < 0 ||
        (text[0] && check_hub("iotHubHostName", text, hubs, e->hub, sizeof(e->hub), err) < 0) ||
        dps_json_array(body, "", "iotHubs", &list, err) < 0)
        return -1;
    cJSON_ArrayForEach(item, list)
    {
        char path[32];

        (void)str_format(path, sizeof(path), "iotHubs[%zu]", e->n_hubs);
        if (e->n_hubs == DPS_HUBS_MAX)
            return err_set(err, ERR_INVALID, "iotHubs: no more than %d", DPS_HUBS_MAX);
        if (!cJSON_IsString(item))
            return err_set(err, ERR_INVALID, "%s: must be a text", path);
        if (check_hub(path, item->valuestring, hubs, e->hubs[e->n_hubs], sizeof(e->hubs[e->n_hubs]),
                      err) < 0)
            return -1;
        e->n_hubs++;
    }
    return 0;
}

static int read_allocation(const cJSON *body, struct dps_enrolment *e, struct err *err)
{
    const char *word = allocation_words[DPS_HASHED];
    const cJSON *definition = NULL;

    if (dps_json_text(body, "", "allocationPolicy", &word, err) < 0 ||
        dps_json_object(body, "", "customAllocationDefinition", &definition, err) < 0)
        return -1;
    if (definition || str_eq(word, "custom"))
        return err_set(err, ERR_INVALID,
                       "%s: the sandbox calls no function that could allocate devices; use hashed, "
                       "geoLatency or static",
                       definition ? "customAllocationDefinition" : "allocationPolicy");
    for (size_t i = 0; i < ARRAY_LEN(allocation_words); i++)
        if (str_eq(word, allocation_words[i])) {
            e->allocation = (enum dps_allocation)i;
            return 0;
        }
    return err_set(err, ERR_INVALID, "allocationPolicy: must be hashed, geoLatency or static");
}

/* A part of the initial twin, within the limits of twins. RET: a copy, or NULL. */
static int read_section(const cJSON *from, const char *root, const char *key, size_t max,
                        cJSON **ret, struct err *err)
{
    const cJSON *section = NULL;
    auto_buf struct buf text = {0};
    char path[DPS_PATH_MAX];

    dps_path(path, sizeof(path), root, key);
    if (dps_json_object(from, root, key, &section, err) < 0 ||
        (section && twin_json_check(section, path, err) < 0))
        return -1;
    if (!section)
        return 0;
    json_print(&text, section);
    if (text.len > max)
        return err_set(err, ERR_INVALID, "%s: %zu bytes are more than the %zu KB that it may have",
                       path, text.len, max / 1024);
    *ret = cJSON_Duplicate(section, true);
    return 0;
}

static int read_twin(const cJSON *body, struct dps_enrolment *e, struct err *err)
{
    const cJSON *twin = NULL, *properties = NULL;
    auto_json cJSON *tags = NULL;
    auto_json cJSON *desired = NULL;
    auto_json cJSON *out = cJSON_CreateObject();
    struct buf text = {0};

    if (dps_json_object(body, "", "initialTwin", &twin, err) < 0 ||
        dps_json_object(twin, "initialTwin", "properties", &properties, err) < 0 ||
        read_section(twin, "initialTwin", "tags", TWIN_TAGS_MAX, &tags, err) < 0 ||
        read_section(properties, "initialTwin.properties", "desired", TWIN_SECTION_MAX, &desired,
                     err) < 0)
        return -1;
    if (!tags && !desired)
        return 0;
    if (tags)
        json_add(out, "tags", steal(tags));
    if (desired)
        json_add(json_add_obj(out, "properties"), "desired", steal(desired));
    json_print(&text, out);
    e->twin = buf_steal(&text);
    return 0;
}

static int read_information(const cJSON *body, struct dps_enrolment *e, struct err *err)
{
    auto_json cJSON *information = NULL;
    struct buf text = {0};

    if (e->group)
        return 0;
    if (read_section(body, "", "optionalDeviceInformation", INFORMATION_MAX, &information, err) < 0)
        return -1;
    if (information) {
        json_print(&text, information);
        e->information = buf_steal(&text);
    }
    return 0;
}

int dps_enrolment_read(const cJSON *body, bool group, const char *id, const char *const *hubs,
                       const struct dps_enrolment *old, struct dps_enrolment *ret, struct err *err)
{
    ret->group = group;
    STR_SET(ret->id, id);
    if (check_id(body, group ? "enrollmentGroupId" : "registrationId", id, err) < 0 ||
        dps_attestation_read(body, group, old ? &old->attestation : NULL, &ret->attestation, err) <
            0 ||
        read_device(body, ret, err) < 0 || read_status(body, ret, err) < 0 ||
        read_policy(body, ret, err) < 0 || read_hubs(body, hubs, ret, err) < 0 ||
        read_allocation(body, ret, err) < 0 || read_twin(body, ret, err) < 0 ||
        read_information(body, ret, err) < 0)
        return -1;
    return 0;
}

/* ------------------------------------------------------------------------------------------
 * showing */

/* Text that this program wrote itself, as a member. */
static void show_text(cJSON *to, const char *key, const char *text)
{
    cJSON *value = text ? json_parse(text, strlen(text), NULL) : NULL;

    if (value)
        json_add(to, key, value);
}

static void show_hubs(const struct dps_enrolment *e, cJSON *to)
{
    json_add_str(to, "allocationPolicy", allocation_words[e->allocation]);
    if (e->hub[0])
        json_add_str(to, "iotHubHostName", e->hub);
    if (e->n_hubs == 0)
        return;

    cJSON *list = json_add_array(to, "iotHubs");

    for (size_t i = 0; i < e->n_hubs; i++)
        json_push(list, cJSON_CreateString(e->hubs[i]));
}

cJSON *dps_enrolment_show(const struct dps_enrolment *e, enum dps_show what)
{
    cJSON *out = cJSON_CreateObject(), *policy;
    char when[CLOCK_TEXT_MAX];

    json_add_str(out, e->group ? "enrollmentGroupId" : "registrationId", e->id);
    if (e->device[0])
        json_add_str(out, "deviceId", e->device);
    show_text(out, "optionalDeviceInformation", e->information);
    json_add(out, "attestation", dps_attestation_show(&e->attestation, what));
    json_add_bool(json_add_obj(out, "capabilities"), "iotEdge", e->iot_edge);
    show_text(out, "initialTwin", e->twin);
    json_add_str(out, "etag", e->etag);
    json_add_str(out, "provisioningStatus", e->disabled ? "disabled" : "enabled");
    policy = json_add_obj(out, "reprovisionPolicy");
    json_add_bool(policy, "updateHubAssignment", e->update_hub);
    json_add_bool(policy, "migrateDeviceData", e->migrate);
    clock_format(when, sizeof(when), e->created_ms);
    json_add_str(out, "createdDateTimeUtc", when);
    clock_format(when, sizeof(when), e->updated_ms);
    json_add_str(out, "lastUpdatedDateTimeUtc", when);
    show_hubs(e, out);
    return out;
}

/* ------------------------------------------------------------------------------------------
 * the database */

void dps_enrolment_pack(const struct dps_enrolment *e, struct enrolment_row *ret_row)
{
    auto_json cJSON *out = dps_enrolment_show(e, DPS_SHOW_STORED);
    struct buf text = {0};

    json_print(&text, out);
    *ret_row = (struct enrolment_row){
        .group = e->group,
        .created_ms = e->created_ms,
        .updated_ms = e->updated_ms,
        .json = buf_steal(&text),
    };
    STR_SET(ret_row->id, e->id);
    STR_SET(ret_row->type, dps_proof_word(e->attestation.proof));
    STR_SET(ret_row->etag, e->etag);
}

int dps_enrolment_unpack(const struct enrolment_row *row, struct dps_enrolment *ret,
                         struct err *err)
{
    auto_json cJSON *body = json_parse(row->json, strlen(row->json), err);

    if (!body || dps_enrolment_read(body, row->group, row->id, NULL, NULL, ret, err) < 0)
        return err_wrap(err, "stored enrolment %s", row->id);
    STR_SET(ret->etag, row->etag);
    ret->created_ms = row->created_ms;
    ret->updated_ms = row->updated_ms;
    return 0;
}
