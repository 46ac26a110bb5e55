/* See edge_scope_json.h. An identity in the file looks as it does in an answer, so that there is
 * one way to read both; a line each, so that no more than one is in memory as JSON. */
#include "vm/guest/hub/edge_scope_json.h"

#include "core/base/json.h"
#include "core/base/str.h"
#include "vm/guest/hub/topic.h"

#include <string.h>

#define LINK_MAX       4096
#define KEY_MAX        128 /* base64 of 64 bytes is 88 */
#define GENERATION_MAX 128
#define THUMBPRINT_MAX 64

static const char *const auth_words[] = {
    [SCOPE_AUTH_SAS] = "sas",
    [SCOPE_AUTH_SELF_SIGNED] = "selfSigned",
    [SCOPE_AUTH_CA] = "certificateAuthority",
    [SCOPE_AUTH_NONE] = "none",
};

/* ---- requests ---- */

void edge_scope_json_ask_page(const char *device, const char *link, struct buf *out)
{
    auto_json cJSON *body = cJSON_CreateObject();

    json_add_u64(body, "pageSize", EDGE_SCOPE_PAGE);
    json_add_str_or_null(body, "continuationLink", link);
    json_add_str(body, "authChain", device);
    json_print(out, body);
}

void edge_scope_json_ask_one(const char *edge, const char *device, const char *module,
                             struct buf *out)
{
    auto_json cJSON *body = cJSON_CreateObject();

    json_add_str(body, "targetDeviceId", device);
    if (module[0])
        json_add_str(body, "targetModuleId", module);
    json_add_str(body, "authChain", edge);
    json_print(out, body);
}

/* ---- identities ---- */

/* A text that is not there, or longer than any that is right, is "". */
static const char *text_of(const cJSON *obj, const char *name, size_t max)
{
    const char *text = json_str(obj, name, "");

    return strlen(text) <= max ? text : "";
}

static struct secret key_of(const cJSON *keys, const char *name)
{
    const cJSON *key = json_get(keys, name);
    bool good = cJSON_IsString(key) && strlen(key->valuestring) <= KEY_MAX;
    static char none[1];

    return good ? (struct secret){.data = key->valuestring, .len = strlen(key->valuestring)}
                : (struct secret){.data = none};
}

/* A way that is not known is none. A word that is missing stands for keys. */
static enum edge_scope_auth auth_of(const cJSON *authentication)
{
    const char *word = json_str(authentication, "type", auth_words[SCOPE_AUTH_SAS]);
    size_t i = 0;

    while (i < SCOPE_AUTH_NONE && !str_eq(word, auth_words[i]))
        i++;
    return (enum edge_scope_auth)i;
}

/* RET points into JSON. False where it is none that a client could have. */
static bool read_identity(const cJSON *json, struct edge_identity *ret)
{
    const cJSON *authentication = json_get(json, "authentication");
    const cJSON *keys = json_get(authentication, "symmetricKey");
    const cJSON *thumbprints = json_get(authentication, "x509Thumbprint");

    *ret = (struct edge_identity){
        .device = json_str(json, "deviceId", ""),
        .module = json_str(json, "moduleId", ""),
        .generation = text_of(json, "generationId", GENERATION_MAX),
        .auth = auth_of(authentication),
        .enabled = str_eq(json_str(json, "status", "enabled"), "enabled"),
        .edge = json_bool(json_get(json, "capabilities"), "iotEdge", false),
        .primary = key_of(keys, "primaryKey"),
        .secondary = key_of(keys, "secondaryKey"),
        .thumbprints = {text_of(thumbprints, "primaryThumbprint", THUMBPRINT_MAX),
                        text_of(thumbprints, "secondaryThumbprint", THUMBPRINT_MAX)},
    };
    return identity_id_valid(ret->device) && (!ret->module[0] || identity_id_valid(ret->module));
}

static void print_identity(const struct edge_identity *id, struct buf *out)
{
    auto_json cJSON *json = cJSON_CreateObject();

    json_add_str(json, "deviceId", id->device);
    if (id->module[0])
        json_add_str(json, "moduleId", id->module);
    json_add_str(json, "generationId", id->generation);
    if (!id->enabled)
        json_add_str(json, "status", "disabled");
    if (id->edge)
        json_add_bool(json_add_obj(json, "capabilities"), "iotEdge", true);

    cJSON *authentication = json_add_obj(json, "authentication");

    json_add_str(authentication, "type", auth_words[id->auth]);
    if (id->primary.len || id->secondary.len) {
        cJSON *keys = json_add_obj(authentication, "symmetricKey");

        json_add_str(keys, "primaryKey", id->primary.data);
        json_add_str(keys, "secondaryKey", id->secondary.data);
    }
    if (id->thumbprints[0][0] || id->thumbprints[1][0]) {
        cJSON *thumbprints = json_add_obj(authentication, "x509Thumbprint");

        json_add_str(thumbprints, "primaryThumbprint", id->thumbprints[0]);
        json_add_str(thumbprints, "secondaryThumbprint", id->thumbprints[1]);
    }
    json_print(out, json);
}

/* ---- answers ---- */

static void each(const cJSON *list, bool modules,
                 void (*fn)(void *arg, const struct edge_identity *id), void *arg)
{
    const cJSON *item = NULL;
    struct edge_identity id;

    cJSON_ArrayForEach(item, list)
    {
        if (read_identity(item, &id) && (id.module[0] != '\0') == modules)
            fn(arg, &id);
    }
}

int edge_scope_json_answer(const char *text, size_t len,
                           void (*fn)(void *arg, const struct edge_identity *id), void *arg,
                           struct buf *link, struct err *err)
{
    auto_json cJSON *json = json_parse(text, len, err);
    const cJSON *devices = json_get(json, "devices");
    const cJSON *modules = json_get(json, "modules");
    const char *next = json_str(json, "continuationLink", "");

    if (!json)
        return -1;
    /* Whatever else answers with JSON must not pass for an empty scope. */
    if (!cJSON_IsArray(devices) || !(cJSON_IsArray(modules) || cJSON_IsNull(modules)))
        return err_set(err, ERR_PROTOCOL, "devices or modules: is missing");
    if (strlen(next) > LINK_MAX)
        return err_set(err, ERR_PROTOCOL, "continuationLink: is too long");
    each(devices, false, fn, arg);
    each(modules, true, fn, arg);
    buf_clear(link);
    buf_puts(link, next);
    return 0;
}

/* ---- the file ---- */

static void append_line(void *arg, const struct edge_identity *id)
{
    print_identity(id, arg);
    buf_putc(arg, '\n');
}

void edge_scope_json_save(const char *hub, const char *device, const struct edge_scope_table *from,
                          struct buf *out)
{
    auto_json cJSON *head = cJSON_CreateObject();

    json_add_str(head, "hub", hub);
    json_add_str(head, "device", device);
    json_add_u64(head, "identities", edge_scope_table_count(from));
    json_print(out, head);
    buf_putc(out, '\n');
    edge_scope_table_each(from, append_line, out);
}

/* Takes the next line off TEXT. NULL where there is none that is JSON. */
static cJSON *next_line(const char **text, const char *end, struct err *err)
{
    const char *at = *text;
    const char *stop = memchr(at, '\n', (size_t)(end - at));

    if (!stop) {
        (void)err_set(err, ERR_INVALID, "it ends in the middle");
        return NULL;
    }
    *text = stop + 1;
    return json_parse(at, (size_t)(stop - at), err);
}

static int read_head(const cJSON *head, const char *hub, const char *device, uint64_t *ret_n,
                     struct err *err)
{
    if (!str_eq(json_str(head, "hub", ""), hub) || !str_eq(json_str(head, "device", ""), device))
        return err_set(err, ERR_INVALID, "it is of another device");
    return json_need_u64(head, "identities", EDGE_SCOPE_MAX, ret_n, err);
}

int edge_scope_json_load(const char *text, size_t len, const char *hub, const char *device,
                         struct edge_scope_table *to, struct err *err)
{
    const char *end = text + len;
    auto_json cJSON *head = next_line(&text, end, err);
    uint64_t n = 0;

    if (!head || read_head(head, hub, device, &n, err) < 0)
        return -1;
    for (uint64_t i = 0; i < n; i++) {
        auto_json cJSON *line = next_line(&text, end, err);
        struct edge_identity id;

        if (!line)
            return -1;
        if (!read_identity(line, &id))
            return err_set(err, ERR_INVALID, "line %u is no identity", (unsigned)i + 2);
        (void)edge_scope_table_put(to, &id, 0);
    }
    return text == end ? 0 : err_set(err, ERR_INVALID, "it goes on behind its end");
}
