/* See configuration.h. */
#include "vm/guest/hub/configuration.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/configuration_private.h"
#include "vm/guest/hub/query_run.h"
#include "vm/guest/hub/twins.h"

#include <string.h>

/* ---- who is concerned ---- */

struct twin_name {
    char device[IDENTITY_ID_MAX], module[IDENTITY_ID_MAX];
};

struct twin_names {
    struct twin_name *list;
    size_t n, cap;
};

static void names_done(struct twin_names *names)
{
    free(names->list);
}
#define auto_names ATTR_CLEANUP(names_done)

static void add_name(struct twin_names *names, const char *device, const char *module)
{
    if (names->n == names->cap) {
        names->cap = names->cap ? names->cap * 2 : 64;
        names->list = xreallocarray(names->list, names->cap, sizeof(*names->list));
    }
    STR_SET(names->list[names->n].device, device);
    STR_SET(names->list[names->n].module, module);
    names->n++;
}

static void on_match(void *arg, const struct identity *id)
{
    add_name(arg, id->device, id->module);
}

static void on_targeted(void *arg, const char *device, const char *module, bool applied)
{
    (void)applied;
    if (!str_eq(module, "$edgeAgent")) /* goes with its device */
        add_name(arg, device, module);
}

static int by_name(const void *a, const void *b)
{
    const struct twin_name *x = a, *y = b;
    int order = strcmp(x->device, y->device);

    return order ? order : strcmp(x->module, y->module);
}

static bool same_name(const struct twin_name *a, const struct twin_name *b)
{
    return by_name(a, b) == 0;
}

/* Evaluates each of NAMES once. */
static int apply_to(struct hub *hub, const char *hub_key, struct twin_names *names, struct err *err)
{
    auto_rules struct rules r = {0};

    if (names->n == 0)
        return 0;
    if (rules_load(hub, hub_key, &r, err) < 0)
        return -1;
    qsort(names->list, names->n, sizeof(*names->list), by_name);
    for (size_t i = 0; i < names->n; i++)
        if ((i == 0 || !same_name(&names->list[i], &names->list[i - 1])) &&
            rules_apply(hub, &r, names->list[i].device, names->list[i].module, err) < 0)
            return -1;
    return 0;
}

/* ---- changing ---- */

static int check_etag(const struct configuration *c, const char *if_match, struct err *err)
{
    char etag[16];

    twins_etag(c->version, etag, sizeof(etag));
    if (if_match && !str_eq(if_match, "*") && !str_eq(if_match, etag))
        return err_set(err, ERR_BUSY, "configuration %s was changed meanwhile", c->id);
    return 0;
}

/* RET: what there is, RET_EXISTS. */
static int find_configuration(struct hub *hub, const char *hub_key, const char *id,
                              const char *if_match, struct configuration *ret, bool *ret_exists,
                              struct err *err)
{
    struct err why = {0};
    uint64_t n = 0;

    *ret_exists = store_configuration_get(hub->store, hub_key, id, ret, &why) == 0;
    if (!*ret_exists && why.kind != ERR_NOT_FOUND)
        return err_set(err, why.kind, "%s", why.msg);
    if (*ret_exists && !if_match)
        return err_set(err, ERR_EXISTS, "configuration %s is there already", id);
    if (*ret_exists)
        return check_etag(ret, if_match, err);
    if (if_match)
        return err_set(err, ERR_NOT_FOUND, "%s", why.msg);
    if (store_configuration_count(hub->store, hub_key, false, &n, err) < 0)
        return -1;
    return n < CONFIGURATIONS_MAX
               ? 0
               : err_set(err, ERR_NO_SPACE, "no more than %d configurations", CONFIGURATIONS_MAX);
}

/* Whom C concerned before and whom it does now. */
static int put_and_apply(struct hub *hub, const char *hub_key, const struct configuration *c,
                         struct err *err)
{
    auto_names struct twin_names names = {0};
    auto_query struct query *condition = NULL;

    if (query_parse_condition(c->condition, c->kind == CONFIGURATION_MODULE, &condition, err) < 0 ||
        store_targeted_each(hub->store, hub_key, c->id, on_targeted, &names, err) < 0 ||
        store_configuration_put(hub->store, hub_key, c, err) < 0 ||
        query_each(hub, hub_key, condition, on_match, &names, err) < 0)
        return -1;
    return apply_to(hub, hub_key, &names, err);
}

int configuration_put(struct hub *hub, const char *hub_key, const char *id, const cJSON *body,
                      const char *if_match, struct err *err)
{
    auto_configuration struct configuration before = {0};
    auto_configuration struct configuration now = {0};
    bool exists = false;
    int status;

    if (find_configuration(hub, hub_key, id, if_match, &before, &exists, err) < 0)
        return -1;
    STR_SET(now.id, id);
    if (configuration_read(body, exists ? &before : NULL, &now, err) < 0 ||
        store_begin(hub->store, err) < 0)
        return -1;
    status = put_and_apply(hub, hub_key, &now, err);
    if (store_end(hub->store, status, err) < 0)
        return -1;
    log_info("configuration", "%s %s", exists ? "changed" : "created", id);
    return 0;
}

static int delete_and_apply(struct hub *hub, const char *hub_key, const char *id, struct err *err)
{
    auto_names struct twin_names names = {0};

    if (store_targeted_each(hub->store, hub_key, id, on_targeted, &names, err) < 0 ||
        store_configuration_delete(hub->store, hub_key, id, err) < 0)
        return -1;
    return apply_to(hub, hub_key, &names, err);
}

int configuration_delete(struct hub *hub, const char *hub_key, const char *id, const char *if_match,
                         struct err *err)
{
    auto_configuration struct configuration c = {0};
    int status;

    if (store_configuration_get(hub->store, hub_key, id, &c, err) < 0 ||
        check_etag(&c, if_match, err) < 0 || store_begin(hub->store, err) < 0)
        return -1;
    status = delete_and_apply(hub, hub_key, id, err);
    if (store_end(hub->store, status, err) < 0)
        return -1;
    log_info("configuration", "deleted %s", id);
    return 0;
}

/* ---- showing ---- */

static cJSON *show(struct hub *hub, const char *hub_key, const struct configuration *c,
                   struct err *err)
{
    auto_json cJSON *out = configuration_to_json(c);

    return configuration_add_results(hub, hub_key, c, out, err) < 0 ? NULL : steal(out);
}

int configuration_show(struct hub *hub, const char *hub_key, const char *id, cJSON **ret,
                       struct err *err)
{
    auto_configuration struct configuration c = {0};

    if (store_configuration_get(hub->store, hub_key, id, &c, err) < 0)
        return -1;
    *ret = show(hub, hub_key, &c, err);
    return *ret ? 0 : -1;
}

int configuration_list(struct hub *hub, const char *hub_key, size_t max, cJSON **ret,
                       struct err *err)
{
    auto_rules struct rules r = {0};
    auto_json cJSON *array = cJSON_CreateArray();

    if (rules_load(hub, hub_key, &r, err) < 0)
        return -1;
    for (size_t i = 0; i < r.n && i < max; i++) {
        cJSON *one = show(hub, hub_key, &r.list[i].c, err);

        if (!one)
            return -1;
        json_push(array, one);
    }
    *ret = steal(array);
    return 0;
}

cJSON *configuration_test(const cJSON *body)
{
    const char *condition = json_str(body, "targetCondition", "");
    const cJSON *queries = json_get(body, "customMetricQueries");
    auto_query struct query *on_devices = NULL;
    auto_query struct query *on_modules = NULL;
    cJSON *out = cJSON_CreateObject();
    cJSON *errors;
    struct err err = {0};

    if (query_parse_condition(condition, false, &on_devices, &err) == 0 ||
        query_parse_condition(condition, true, &on_modules, NULL) == 0)
        json_add(out, "targetConditionError", cJSON_CreateNull());
    else
        json_add_str(out, "targetConditionError", err.msg);
    errors = json_add_obj(out, "customMetricQueryErrors");
    for (const cJSON *item = cJSON_IsObject(queries) ? queries->child : NULL; item;
         item = item->next) {
        auto_query struct query *q = NULL;

        if (query_parse(cJSON_IsString(item) ? item->valuestring : "", &q, &err) < 0)
            json_add_str(errors, item->string, err.msg);
    }
    return out;
}

/* ---- following ---- */

static int follow(struct hub *hub, const char *device, const char *module, struct err *err)
{
    auto_identity struct identity id = {0};
    auto_rules struct rules r = {0};

    if (store_identity_get(hub->store, device, "", &id, err) < 0 ||
        rules_load(hub, id.hub, &r, err) < 0)
        return -1;
    return rules_apply(hub, &r, device, module, err);
}

int configuration_follow(struct hub *hub, const char *device, const char *module, struct err *err)
{
    uint64_t n = 0;

    if (store_configuration_count(hub->store, NULL, false, &n, err) < 0)
        return -1;
    return n > 0 ? follow(hub, device, module, err) : 0;
}

int configuration_follow_report(struct hub *hub, const char *device, const char *module,
                                struct err *err)
{
    uint64_t n = 0;

    if (store_configuration_count(hub->store, NULL, true, &n, err) < 0)
        return -1;
    return n > 0 ? follow(hub, device, module, err) : 0;
}
