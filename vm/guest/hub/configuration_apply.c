/* See configuration.h: what the configurations of a hub make of one device or module. */
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/configuration_merge.h"
#include "vm/guest/hub/configuration_private.h"
#include "vm/guest/hub/manifest.h"
#include "vm/guest/hub/registry.h"
#include "vm/guest/hub/twin_json.h"
#include "vm/guest/hub/twins.h"

#include <string.h>

/* ---- the rules ---- */

static void on_configuration(void *arg, struct configuration *c)
{
    struct rules *r = arg;
    struct rule *rule = &r->list[r->n];

    *rule = (struct rule){.c = *c};
    *c = (struct configuration){0};
    /* It was checked when it came; one that is wrong nevertheless selects nothing. */
    if (query_parse_condition(rule->c.condition, rule->c.kind == CONFIGURATION_MODULE,
                              &rule->condition, NULL) < 0)
        (void)query_parse_condition("", false, &rule->condition, NULL);
    r->n++;
}

/* Who wins comes first: the higher priority, of equals a base, then the later one. */
static int by_rank(const void *a, const void *b)
{
    const struct configuration *x = &((const struct rule *)a)->c;
    const struct configuration *y = &((const struct rule *)b)->c;

    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if ((x->kind == CONFIGURATION_BASE) != (y->kind == CONFIGURATION_BASE))
        return x->kind == CONFIGURATION_BASE ? -1 : 1;
    if (x->created_ms != y->created_ms)
        return x->created_ms > y->created_ms ? -1 : 1;
    return strcmp(x->id, y->id);
}

int rules_load(struct hub *hub, const char *hub_key, struct rules *ret, struct err *err)
{
    struct rules r = {.hub_key = hub_key};

    r.list = xcalloc(CONFIGURATIONS_MAX, sizeof(*r.list));
    if (store_configuration_each(hub->store, hub_key, CONFIGURATIONS_MAX, on_configuration, &r,
                                 err) < 0) {
        rules_done(&r);
        return -1;
    }
    qsort(r.list, r.n, sizeof(*r.list), by_rank);
    *ret = r;
    return 0;
}

void rules_done(struct rules *r)
{
    for (size_t i = 0; i < r->n; i++) {
        configuration_done(&r->list[i].c);
        query_free(r->list[i].condition);
        cJSON_Delete(r->list[i].content);
    }
    free(r->list);
    *r = (struct rules){0};
}

/* What a rule sets, by module. */
static const cJSON *content_of(struct rule *rule)
{
    if (!rule->content) {
        auto_json cJSON *stored = json_parse(rule->c.content, strlen(rule->c.content), NULL);
        const cJSON *settings = stored ? configuration_settings(rule->c.kind, stored) : NULL;
        bool edge = rule->c.kind == CONFIGURATION_BASE || rule->c.kind == CONFIGURATION_LAYERED;
        cJSON *copy = settings ? cJSON_Duplicate(settings, true) : cJSON_CreateObject();

        if (edge) {
            rule->content = copy;
        } else {
            rule->content = cJSON_CreateObject();
            json_add(rule->content, "", copy);
        }
    }
    return rule->content;
}

/* ---- one twin ---- */

enum group { GROUP_EDGE, GROUP_DEVICE, GROUP_MODULE };

static bool in_group(const struct rule *rule, enum group group)
{
    switch (rule->c.kind) {
    case CONFIGURATION_BASE:
    case CONFIGURATION_LAYERED:
        return group == GROUP_EDGE;
    case CONFIGURATION_DEVICE:
        return group == GROUP_DEVICE;
    case CONFIGURATION_MODULE:
        return group == GROUP_MODULE;
    }
    return false;
}

/* The rules of one group that target a twin, in the order of their rank. */
struct targeting {
    struct layer layers[CONFIGURATIONS_MAX];
    const struct configuration *configurations[CONFIGURATIONS_MAX];
    size_t n;
};

static void select_rules(struct rules *r, enum group group, const cJSON *twin, struct targeting *t)
{
    t->n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (in_group(&r->list[i], group) && query_matches(r->list[i].condition, twin)) {
            t->configurations[t->n] = &r->list[i].c;
            t->layers[t->n++] = (struct layer){
                .content = content_of(&r->list[i]),
                .whole = r->list[i].c.kind == CONFIGURATION_BASE,
            };
        }
}

/* What was set in the twins of a device before: {module id: {path: true}}. */
struct settings {
    cJSON *by_edge, *by_twin;
};

static void on_settings(void *arg, const char *module, bool edge, const char *paths)
{
    struct settings *s = arg;
    cJSON *value = json_parse(paths, strlen(paths), NULL);

    json_add(edge ? s->by_edge : s->by_twin, module, value ? value : cJSON_CreateObject());
}

static void settings_done(struct settings *s)
{
    cJSON_Delete(s->by_edge);
    cJSON_Delete(s->by_twin);
}

static int read_settings(struct hub *hub, const char *device, struct settings *ret, struct err *err)
{
    ret->by_edge = cJSON_CreateObject();
    ret->by_twin = cJSON_CreateObject();
    return store_settings_each(hub->store, device, on_settings, ret, err);
}

static int check_wanted(const char *module, const cJSON *wanted, bool edge, struct err *err)
{
    if (edge)
        return manifest_check_desired(module, wanted, err);
    if (twin_json_check(wanted, "properties.desired", err) < 0)
        return -1;
    return twin_json_size(wanted) <= TWIN_SECTION_MAX
               ? 0
               : err_set(err, ERR_INVALID, "properties.desired: more than %zu KB",
                         TWIN_SECTION_MAX / 1024);
}

/* RET: the desired section that SETTINGS make of the twin, NULL where it has that already. */
static int wanted_of(struct hub *hub, const char *device, const char *module, const cJSON *settings,
                     const cJSON *before, bool edge, cJSON **ret, struct err *err)
{
    auto_json cJSON *now = NULL;
    auto_json cJSON *wanted = NULL;

    if (twins_desired(hub, device, module, &now, err) < 0)
        return -1;
    wanted = layers_desired(now, settings, before);
    if (check_wanted(module, wanted, edge, err) < 0)
        return -1;
    *ret = cJSON_Compare(now, wanted, true) ? NULL : steal(wanted);
    return 0;
}

static int keep_settings(struct hub *hub, const char *device, const char *module,
                         const cJSON *settings, bool edge, struct err *err)
{
    auto_json cJSON *paths = cJSON_CreateObject();
    auto_buf struct buf text = {0};

    for (const cJSON *item = settings->child; item; item = item->next)
        json_add_bool(paths, item->string, true);
    json_print(&text, paths);
    return store_settings_put(hub->store, device, module, edge, settings->child ? text.data : NULL,
                              err);
}

/* Identities for the modules of ALL. */
static int need_modules(struct hub *hub, const char *device, const cJSON *all, struct err *err)
{
    auto_identity struct identity id = {0};
    uint64_t n = 0;

    if (store_identity_count(hub->store, device, false, &n, err) < 0)
        return -1;
    for (const cJSON *module = all->child; module; module = module->next) {
        if (!module->string[0] ||
            store_identity_get(hub->store, device, module->string, &id, NULL) == 0)
            continue;
        if (++n > HUB_MODULES_MAX)
            return err_set(err, ERR_INVALID, "more than %d modules", HUB_MODULES_MAX);
        if (registry_need_module(hub, device, module->string, err) < 0)
            return -1;
    }
    return 0;
}

/* ALL: {module id: {path: value}}. Everything is checked before anything is written, so that nobody
 * is told of what does not happen. */
static int write_settings(struct hub *hub, const char *device, const cJSON *all,
                          const cJSON *before, bool edge, struct err *err)
{
    auto_json cJSON *changes = cJSON_CreateObject();

    if (need_modules(hub, device, all, err) < 0)
        return -1;
    for (const cJSON *module = all->child; module; module = module->next) {
        const cJSON *old = json_get(before, module->string);
        cJSON *wanted = NULL;

        if (wanted_of(hub, device, module->string, module, old, edge, &wanted, err) < 0)
            return -1;
        if (wanted)
            json_add(changes, module->string, wanted);
    }
    for (const cJSON *wanted = changes->child; wanted; wanted = wanted->next)
        if (twins_deploy(hub, device, wanted->string, wanted, err) < 0)
            return -1;
    for (const cJSON *module = all->child; module; module = module->next)
        if (keep_settings(hub, device, module->string, module, edge, err) < 0)
            return -1;
    return 0;
}

/* As a whole or not at all. What cannot be done to a device (its twin would be too large, its
 * deployment wrong) is logged, and the others go on: RET_DONE false. */
static int write_whole(struct hub *hub, const char *device, const cJSON *all, const cJSON *before,
                       bool edge, bool *ret_done, struct err *err)
{
    struct err why = {0};

    *ret_done = false;
    if (store_begin(hub->store, err) < 0)
        return -1;
    if (write_settings(hub, device, all, before, edge, &why) < 0) {
        (void)store_end(hub->store, -1, NULL);
        if (why.kind != ERR_INVALID)
            return err_set(err, why.kind, "%s", why.msg);
        log_warn("configuration", "%s: not applied: %s", device, why.msg);
        return 0;
    }
    *ret_done = true;
    return store_end(hub->store, 0, err);
}

/* ---- groups ---- */

static int put_targets(struct hub *hub, const char *hub_key, const char *device, const char *module,
                       const struct targeting *t, bool done, struct err *err)
{
    for (size_t i = 0; i < t->n; i++)
        if (store_target_put(hub->store, hub_key, device, module, t->configurations[i]->id,
                             done && t->layers[i].applied, err) < 0)
            return -1;
    return 0;
}

/* Modules that a deployment set and that none sets any more lose those settings; SETTINGS gets them
 * with nothing to set. */
static void add_left_behind(cJSON *settings, const cJSON *before)
{
    for (const cJSON *module = before->child; module; module = module->next)
        if (!json_get(settings, module->string))
            (void)json_add_obj(settings, module->string);
}

static int apply_edge(struct hub *hub, struct rules *r, const char *device, const cJSON *twin,
                      const struct settings *before, struct err *err)
{
    struct targeting t;
    auto_json cJSON *all = NULL;
    bool done = false;

    select_rules(r, GROUP_EDGE, twin, &t);
    all = layers_merge(t.layers, t.n, true);
    if (all) { /* else the device keeps what it runs */
        add_left_behind(all, before->by_edge);
        if (write_whole(hub, device, all, before->by_edge, true, &done, err) < 0)
            return -1;
    }
    if (store_target_clear(hub->store, device, "$edgeAgent", err) < 0 ||
        put_targets(hub, r->hub_key, device, "", &t, done, err) < 0)
        return -1;
    return put_targets(hub, r->hub_key, device, "$edgeAgent", &t, done, err);
}

/* Desired properties of one twin. BLOCKED: a deployment sets this one. */
static int apply_own(struct hub *hub, struct rules *r, enum group group, const struct identity *id,
                     const cJSON *twin, const struct settings *before, bool blocked,
                     struct err *err)
{
    struct targeting t;
    auto_json cJSON *merged = NULL;
    auto_json cJSON *all = cJSON_CreateObject();
    const cJSON *old = json_get(before->by_twin, id->module);
    bool done = false;

    select_rules(r, group, twin, &t);
    merged = layers_merge(t.layers, t.n, false);
    if ((merged || old) && !blocked) {
        cJSON *settings = merged ? cJSON_DetachItemFromObjectCaseSensitive(merged, "") : NULL;

        json_add(all, id->module, settings ? settings : cJSON_CreateObject());
        if (write_whole(hub, id->device, all, before->by_twin, false, &done, err) < 0)
            return -1;
    }
    return put_targets(hub, r->hub_key, id->device, id->module, &t, done, err);
}

static int apply_device(struct hub *hub, struct rules *r, const struct identity *id,
                        const cJSON *twin, const struct settings *before, struct err *err)
{
    if (store_target_clear(hub->store, id->device, "", err) < 0)
        return -1;
    if (id->iot_edge && apply_edge(hub, r, id->device, twin, before, err) < 0)
        return -1;
    return apply_own(hub, r, GROUP_DEVICE, id, twin, before, false, err);
}

/* System modules are only told what deployments say. */
static int apply_module(struct hub *hub, struct rules *r, const struct identity *id,
                        const cJSON *twin, const struct settings *before, struct err *err)
{
    if (id->module[0] == '$')
        return 0;
    if (store_target_clear(hub->store, id->device, id->module, err) < 0)
        return -1;
    return apply_own(hub, r, GROUP_MODULE, id, twin, before,
                     json_get(before->by_edge, id->module) != NULL, err);
}

int rules_apply(struct hub *hub, struct rules *r, const char *device, const char *module,
                struct err *err)
{
    auto_identity struct identity id = {0};
    auto_twin_row struct twin_row row = {0};
    auto_json cJSON *twin = NULL;
    struct settings before;
    int status;

    if (store_identity_get(hub->store, device, module, &id, err) < 0 ||
        store_twin_get(hub->store, device, module, &row, err) < 0 ||
        twins_document(hub, &id, &row, TWIN_TAGS | TWIN_REPORTED, &twin, err) < 0)
        return -1;
    status = read_settings(hub, device, &before, err);
    if (status == 0)
        status = module[0] ? apply_module(hub, r, &id, twin, &before, err)
                           : apply_device(hub, r, &id, twin, &before, err);
    settings_done(&before);
    return status;
}
