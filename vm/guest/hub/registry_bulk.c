/* See registry.h: many devices in one request. Each entry is done as a whole or not at all, and
 * none waits for another. */
#include "core/base/str.h"
#include "vm/guest/hub/registry_private.h"
#include "vm/guest/hub/twins.h"

#include <string.h>
#include <strings.h>

#define ENTRIES_MAX 100

struct entry {
    const cJSON *json;
    const char *device, *module;
    const char *etag; /* NULL: any */
    char etag_text[40];
};

struct bulk {
    struct hub *hub;
    const char *hub_name;
};

/* ---- what an entry can ask for ---- */

/* tags and properties.desired beside the identity. */
static int write_twin(struct bulk *b, const struct entry *e, const char *etag, struct err *err)
{
    if (!json_get(e->json, "tags") && !json_get(e->json, "properties"))
        return 0;
    return twins_change(b->hub, e->device, e->module, e->json, false, etag, err);
}

static int write_identity(struct bulk *b, const struct entry *e, const char *if_match,
                          struct err *err)
{
    auto_identity struct identity id = {0};
    struct registry_write w = {.hub_name = b->hub_name,
                               .device = e->device,
                               .module = e->module,
                               .body = e->json,
                               .if_match = if_match};

    return registry_write(b->hub, &w, &id, err);
}

static int do_create(struct bulk *b, const struct entry *e, struct err *err)
{
    return write_identity(b, e, NULL, err) < 0 ? -1 : write_twin(b, e, NULL, err);
}

static int do_update(struct bulk *b, const struct entry *e, struct err *err)
{
    return write_identity(b, e, e->etag ? e->etag : "*", err) < 0 ? -1
                                                                  : write_twin(b, e, NULL, err);
}

static int do_create_or_update(struct bulk *b, const struct entry *e, struct err *err)
{
    auto_identity struct identity id = {0};

    return store_identity_get(b->hub->store, e->device, e->module, &id, NULL) < 0
               ? do_create(b, e, err)
               : do_update(b, e, err);
}

static int do_delete(struct bulk *b, const struct entry *e, struct err *err)
{
    return registry_delete(b->hub, e->device, e->module, e->etag, err);
}

static int do_update_twin(struct bulk *b, const struct entry *e, struct err *err)
{
    return twins_change(b->hub, e->device, e->module, e->json, false, e->etag, err);
}

static const struct {
    const char *name;
    int (*run)(struct bulk *b, const struct entry *e, struct err *err);
    bool creates;        /* the device need not be there */
    const char *etag[2]; /* members that hold the etag that must match; none: any does */
} modes[] = {
    {"create", do_create, true, {NULL, NULL}},
    {"update", do_update, false, {NULL, NULL}},
    {"createOrUpdate", do_create_or_update, true, {NULL, NULL}},
    {"updateIfMatchETag", do_update, false, {"eTag", "etag"}},
    {"delete", do_delete, false, {NULL, NULL}},
    {"deleteIfMatchETag", do_delete, false, {"eTag", "etag"}},
    {"updateTwin", do_update_twin, false, {NULL, NULL}},
    {"updateTwinIfMatchETag", do_update_twin, false, {"twinETag", "twinEtag"}},
};

/* ---- entries ---- */

/* An etag as a client may have it: with or without quotes. */
static void read_etag(struct entry *e, const char *const names[2])
{
    const char *text = json_str(e->json, names[0], NULL);

    if (!text)
        text = json_str(e->json, names[1], "");
    text += strspn(text, "\"");
    (void)str_format(e->etag_text, sizeof(e->etag_text), "%.*s", (int)strcspn(text, "\""), text);
    e->etag = e->etag_text[0] ? e->etag_text : "?"; /* no etag of ours */
}

static int run_mode(struct bulk *b, struct entry *e, struct err *err)
{
    const char *word = json_str(e->json, "importMode", "create");
    auto_identity struct identity device = {0};

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (strcasecmp(word, modes[i].name) != 0)
            continue;
        if (modes[i].etag[0])
            read_etag(e, modes[i].etag);
        if ((!modes[i].creates || e->module[0]) &&
            registry_device(b->hub, b->hub_name, e->device, &device, err) < 0)
            return -1;
        return modes[i].run(b, e, err);
    }
    return err_set(err, ERR_INVALID, "importMode: is not known");
}

static int run_entry(struct bulk *b, struct entry *e, struct err *err)
{
    int status;

    if (!e->device[0])
        return err_set(err, ERR_INVALID, "id: is missing");
    if (store_begin(b->hub->store, err) < 0)
        return -1;
    status = run_mode(b, e, err);
    return store_end(b->hub->store, status, err);
}

static struct entry entry_of(const cJSON *json)
{
    return (struct entry){
        .json = json,
        .device = json_str(json, "id", json_str(json, "deviceId", "")),
        .module = json_str(json, "moduleId", ""),
    };
}

/* An entry before it names the same identity: which of them was meant first cannot be known. */
static bool is_repeated(const cJSON *array, const struct entry *e)
{
    for (const cJSON *json = array->child; json != e->json; json = json->next) {
        struct entry other = entry_of(json);

        if (str_eq(other.device, e->device) && str_eq(other.module, e->module))
            return true;
    }
    return false;
}

static const char *error_word(const struct entry *e, const struct err *err)
{
    static const struct {
        enum err_kind kind;
        const char *device, *module;
    } words[] = {
        {ERR_EXISTS, "DeviceAlreadyExists", "ModuleAlreadyExistsOnDevice"},
        {ERR_NOT_FOUND, "DeviceNotFound", "ModuleNotFound"},
        {ERR_BUSY, "PreconditionFailed", "PreconditionFailed"},
        {ERR_AUTH, "SystemModuleModifyUnauthorizedAccess", "SystemModuleModifyUnauthorizedAccess"},
        {ERR_NO_SPACE, "TooManyDevices", "TooManyModulesOnDevice"},
        {ERR_INVALID, "ArgumentInvalid", "ArgumentInvalid"},
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (words[i].kind == err->kind)
            return e->module[0] ? words[i].module : words[i].device;
    return "ServerError";
}

static void add_error(cJSON *errors, const struct entry *e, const char *word, const char *why)
{
    cJSON *error = cJSON_CreateObject();

    json_add_str(error, "deviceId", e->device);
    if (e->module[0])
        json_add_str(error, "moduleId", e->module);
    json_add_str(error, "errorCode", word);
    json_add_str(error, "errorStatus", why);
    json_push(errors, error);
}

int registry_bulk(struct hub *hub, const char *hub_name, const cJSON *array, cJSON **ret,
                  struct err *err)
{
    struct bulk b = {.hub = hub, .hub_name = hub_name};
    int n = cJSON_IsArray(array) ? cJSON_GetArraySize(array) : 0;
    cJSON *errors;

    if (n < 1 || n > ENTRIES_MAX)
        return err_set(err, ERR_INVALID, "the body must be a list of 1 to %d devices", ENTRIES_MAX);
    errors = cJSON_CreateArray();
    for (const cJSON *json = array->child; json; json = json->next) {
        struct entry e = entry_of(json);
        struct err why = {0};

        if (is_repeated(array, &e))
            add_error(errors, &e, "DeviceDefinedMultipleTimes",
                      "an entry before it names the same identity");
        else if (run_entry(&b, &e, &why) < 0)
            add_error(errors, &e, error_word(&e, &why), why.msg);
    }
    *ret = cJSON_CreateObject();
    json_add_bool(*ret, "isSuccessful", !errors->child);
    json_add(*ret, "errors", errors);
    (void)json_add_array(*ret, "warnings");
    return 0;
}
