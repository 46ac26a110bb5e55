/* See twins.h. A twin is read, changed as JSON and written back within one turn of the loop;
 * nothing is cached. */
#include "vm/guest/hub/twins.h"

#include "core/base/clock.h"
#include "core/base/str.h"
#include "core/io/base64.h"
#include "vm/guest/hub/clients.h"
#include "vm/guest/hub/configuration.h"
#include "vm/guest/hub/registry.h"
#include "vm/guest/hub/store_config.h"
#include "vm/guest/hub/twin_json.h"

#include <string.h>

void twins_etag(uint64_t version, char *to, size_t size)
{
    unsigned char bytes[8];
    auto_buf struct buf text = {0};

    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(version >> (56 - 8 * i));
    base64_encode(bytes, sizeof(bytes), &text);
    (void)str_copy(to, size, text.data);
}

/* Text that this program wrote itself. */
static cJSON *parse_own(const char *text, struct err *err)
{
    cJSON *value = json_parse(text, strlen(text), err);

    if (!value)
        (void)err_wrap(err, "stored twin");
    return value;
}

static void replace_text(char **text, const cJSON *value)
{
    struct buf out = {0};

    json_print(&out, value);
    free(*text);
    *text = buf_steal(&out);
}

/* ------------------------------------------------------------------------------------------
 * reading */

int twins_read(struct hub *hub, const char *device, const char *module, struct buf *out,
               struct err *err)
{
    auto_twin_row struct twin_row t = {0};

    if (store_twin_get(hub->store, device, module, &t, err) < 0)
        return -1;

    auto_json cJSON *desired = parse_own(t.desired, err);
    auto_json cJSON *reported = parse_own(t.reported, err);
    auto_json cJSON *both = cJSON_CreateObject();

    if (!desired || !reported)
        return -1;
    json_add_u64(desired, "$version", t.desired_version);
    json_add_u64(reported, "$version", t.reported_version);
    json_add(both, "desired", steal(desired));
    json_add(both, "reported", steal(reported));
    json_print(out, both);
    return 0;
}

/* Of a section of which nothing was said yet, SINCE_MS is the time. */
static int show_metadata(const char *text, uint64_t since_ms, cJSON *to, struct err *err)
{
    auto_json cJSON *meta = parse_own(text, err);
    char when[CLOCK_TEXT_MAX];

    if (!meta)
        return -1;
    if (!json_get(meta, "$lastUpdated")) {
        clock_format(when, sizeof(when), since_ms);
        json_add_str(meta, "$lastUpdated", when);
    }
    json_add(to, "$metadata", steal(meta));
    return 0;
}

/* A section with its version and, where META is not NULL, its metadata, as the service sees it. */
static int show_section(const char *text, const char *meta, uint64_t version, uint64_t since_ms,
                        cJSON *to, const char *name, struct err *err)
{
    auto_json cJSON *section = parse_own(text, err);

    if (!section || (meta && show_metadata(meta, since_ms, section, err) < 0))
        return -1;
    json_add_u64(section, "$version", version);
    json_add(to, name, steal(section));
    return 0;
}

static void show_identity(struct hub *hub, const struct identity *id, uint64_t version, cJSON *to)
{
    struct client_state state;
    char etag[16];

    clients_state(hub->clients, id->device, id->module, &state);
    json_add_str(to, "deviceId", id->device);
    if (id->module[0])
        json_add_str(to, "moduleId", id->module);
    twins_etag(version, etag, sizeof(etag));
    json_add_str(to, "etag", etag);
    twins_etag(id->version, etag, sizeof(etag));
    json_add_str(to, "deviceEtag", etag);
    json_add_str(to, "status", id->disabled ? "disabled" : "enabled");
    json_add_str_or_null(to, "statusReason", id->status_reason);
    registry_add_time(to, "statusUpdateTime", id->status_ms);
    registry_add_activity(&state, to);
    json_add_str(to, "authenticationType", registry_auth_word(id->auth));
    registry_add_thumbprints(id, to);
    json_add_str(to, "modelId", state.model_id);
    json_add_u64(to, "version", version);
    if (id->module[0])
        return;
    json_add_bool(json_add_obj(to, "capabilities"), "iotEdge", id->iot_edge);
    registry_add_scopes(id, to);
}

static void add_target(void *arg, const char *id, bool applied)
{
    json_add_str(json_add_obj(arg, id), "status", applied ? "Applied" : "Targeted");
}

static int show_configurations(struct hub *hub, const struct identity *id, cJSON *to,
                               struct err *err)
{
    auto_json cJSON *list = cJSON_CreateObject();

    if (store_target_each(hub->store, id->device, id->module, add_target, list, err) < 0)
        return -1;
    if (list->child)
        json_add(to, "configurations", steal(list));
    return 0;
}

int twins_document(struct hub *hub, const struct identity *id, const struct twin_row *t,
                   unsigned parts, cJSON **ret, struct err *err)
{
    auto_json cJSON *out = cJSON_CreateObject();

    show_identity(hub, id, t->version, out);
    if (parts & TWIN_CONFIGURATIONS && show_configurations(hub, id, out, err) < 0)
        return -1;
    if (parts & TWIN_TAGS) {
        cJSON *tags = parse_own(t->tags, err);

        if (!tags)
            return -1;
        json_add(out, "tags", tags);
    }

    cJSON *properties = json_add_obj(out, "properties");
    bool meta = parts & TWIN_METADATA;

    if ((parts & TWIN_DESIRED &&
         show_section(t->desired, meta ? t->desired_meta : NULL, t->desired_version, id->created_ms,
                      properties, "desired", err) < 0) ||
        (parts & TWIN_REPORTED &&
         show_section(t->reported, meta ? t->reported_meta : NULL, t->reported_version,
                      id->created_ms, properties, "reported", err) < 0))
        return -1;
    *ret = steal(out);
    return 0;
}

int twins_show(struct hub *hub, const char *device, const char *module, cJSON **ret,
               struct err *err)
{
    auto_identity struct identity id = {0};
    auto_twin_row struct twin_row t = {0};

    if (store_identity_get(hub->store, device, module, &id, err) < 0 ||
        store_twin_get(hub->store, device, module, &t, err) < 0)
        return -1;
    return twins_document(hub, &id, &t, TWIN_ALL, ret, err);
}

int twins_desired(struct hub *hub, const char *device, const char *module, cJSON **ret,
                  struct err *err)
{
    auto_twin_row struct twin_row t = {0};

    if (store_twin_get(hub->store, device, module, &t, err) < 0)
        return -1;
    *ret = parse_own(t.desired, err);
    return *ret ? 0 : -1;
}

/* ------------------------------------------------------------------------------------------
 * changing */

/* Brings the texts of a section up to date with PATCH already merged into NOW. */
static int store_section(const cJSON *now, const cJSON *patch, char **text, char **meta_text,
                         uint64_t stamp_version, const char *name, struct err *err)
{
    auto_json cJSON *meta = parse_own(*meta_text, err);
    char when[CLOCK_TEXT_MAX];

    if (!meta)
        return -1;
    if (twin_json_check_size(now, TWIN_SECTION_MAX, name, err) < 0)
        return -1;
    replace_text(text, now);
    clock_format(when, sizeof(when), clock_wall_ms());
    twin_json_stamp(meta, patch, when, stamp_version);
    replace_text(meta_text, meta);
    return 0;
}

int twins_report(struct hub *hub, const char *device, const char *module, const char *patch_text,
                 size_t len, const uint64_t *base, uint64_t *ret_version, struct err *err)
{
    auto_twin_row struct twin_row t = {0};
    auto_json cJSON *patch = json_parse(patch_text, len, err);

    if (!patch)
        return err_set(err, ERR_INVALID, "reported: not valid JSON");
    if (twin_json_check_patch(patch, TWIN_SECTION_MAX, "reported", err) < 0 ||
        store_twin_get(hub->store, device, module, &t, err) < 0)
        return -1;
    if (base && *base != t.reported_version)
        return err_set(err, ERR_BUSY, "the reported properties are at another version");

    auto_json cJSON *reported = parse_own(t.reported, err);

    if (!reported)
        return -1;
    twin_json_merge(reported, patch);
    if (store_section(reported, patch, &t.reported, &t.reported_meta, 0, "reported", err) < 0)
        return -1;
    t.reported_version++;
    t.version++;
    if (store_twin_put(hub->store, device, module, &t, err) < 0)
        return -1;
    *ret_version = t.reported_version;
    return configuration_follow_report(hub, device, module, err);
}

/* Changes the desired section of T. RET_PATCH: what the client is to be told. */
static int change_desired(struct twin_row *t, const cJSON *body, bool replace, cJSON **ret_patch,
                          struct err *err)
{
    auto_json cJSON *desired = parse_own(t->desired, err);
    auto_json cJSON *patch = NULL;

    if (!desired || twin_json_check_patch(body, TWIN_SECTION_MAX, "properties.desired", err) < 0)
        return -1;
    if (replace) {
        auto_json cJSON *wanted = cJSON_CreateObject();

        twin_json_merge(wanted, body);
        patch = twin_json_diff(desired, wanted);
    } else {
        patch = cJSON_Duplicate(body, true);
        cJSON_DeleteItemFromObjectCaseSensitive(patch, "$version");
        cJSON_DeleteItemFromObjectCaseSensitive(patch, "$metadata");
        cJSON_DeleteItemFromObjectCaseSensitive(patch, "$etag");
    }
    twin_json_merge(desired, patch);
    t->desired_version++;
    if (store_section(desired, patch, &t->desired, &t->desired_meta, t->desired_version,
                      "properties.desired", err) < 0)
        return -1;
    json_add_u64(patch, "$version", t->desired_version);
    *ret_patch = steal(patch);
    return 0;
}

static int change_tags(struct twin_row *t, const cJSON *body, bool replace, struct err *err)
{
    auto_json cJSON *tags = replace ? cJSON_CreateObject() : parse_own(t->tags, err);

    if (!tags || twin_json_check_patch(body, TWIN_TAGS_MAX, "tags", err) < 0)
        return -1;
    twin_json_merge(tags, body);
    if (twin_json_check_size(tags, TWIN_TAGS_MAX, "tags", err) < 0)
        return -1;
    replace_text(&t->tags, tags);
    return 0;
}

/* Writes T and tells the client. PATCH may be NULL: desired did not change. */
static int finish_change(struct hub *hub, const char *device, const char *module,
                         struct twin_row *t, const cJSON *patch, struct err *err)
{
    auto_buf struct buf text = {0};

    t->version++;
    if (store_twin_put(hub->store, device, module, t, err) < 0)
        return -1;
    if (patch) {
        json_print(&text, patch);
        clients_push_desired(hub->clients, device, module, t->desired_version, text.data, text.len);
    }
    return 0;
}

/* NULL also where it is null, as clients write what they do not want to change. */
static const cJSON *part(const cJSON *of, const char *name)
{
    const cJSON *item = of ? json_get(of, name) : NULL;

    return item && !cJSON_IsNull(item) ? item : NULL;
}

int twins_change(struct hub *hub, const char *device, const char *module, const cJSON *body,
                 bool replace, const char *etag, struct err *err)
{
    auto_twin_row struct twin_row t = {0};
    auto_json cJSON *patch = NULL;
    const cJSON *tags = part(body, "tags");
    const cJSON *desired = part(part(body, "properties"), "desired");
    char now[16];
    int status;

    if (!cJSON_IsObject(body))
        return err_set(err, ERR_INVALID, "the body must be an object");
    if (store_twin_get(hub->store, device, module, &t, err) < 0)
        return -1;
    twins_etag(t.version, now, sizeof(now));
    if (etag && !str_eq(etag, now))
        return err_set(err, ERR_BUSY, "the twin was changed meanwhile");
    if (tags && change_tags(&t, tags, replace, err) < 0)
        return -1;
    if (desired && change_desired(&t, desired, replace, &patch, err) < 0)
        return -1;
    if (store_begin(hub->store, err) < 0)
        return -1;
    status = finish_change(hub, device, module, &t, patch, err);
    if (status == 0 && tags)
        status = configuration_follow(hub, device, module, err);
    return store_end(hub->store, status, err);
}

int twins_deploy(struct hub *hub, const char *device, const char *module, const cJSON *desired,
                 struct err *err)
{
    auto_twin_row struct twin_row t = {0};
    auto_json cJSON *patch = NULL;

    if (store_twin_get(hub->store, device, module, &t, err) < 0 ||
        change_desired(&t, desired, true, &patch, err) < 0)
        return -1;
    return finish_change(hub, device, module, &t, patch, err);
}
