/* See configuration.h: configurations as JSON. */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/configuration_merge.h"
#include "vm/guest/hub/configuration_private.h"
#include "vm/guest/hub/manifest.h"
#include "vm/guest/hub/registry.h"
#include "vm/guest/hub/twin_json.h"
#include "vm/guest/hub/twins.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define PRIORITY_MAX 2147483647
#define METRICS_MAX  5
#define LABEL_MAX    128
#define ID_MAX       128

static char *print_json(const cJSON *value)
{
    struct buf text = {0};

    json_print(&text, value);
    return buf_steal(&text);
}

/* A member that is there and not null. */
static const cJSON *member(const cJSON *of, const char *name)
{
    const cJSON *item = json_get(of, name);

    return item && !cJSON_IsNull(item) ? item : NULL;
}

/* ---- content ---- */

static const struct {
    const char *name;
    enum configuration_kind kind; /* BASE: whole or layered, which the content decides */
} contents[] = {
    {"modulesContent", CONFIGURATION_BASE},
    {"deviceContent", CONFIGURATION_DEVICE},
    {"moduleContent", CONFIGURATION_MODULE},
};

static const char *content_name(enum configuration_kind kind)
{
    return kind == CONFIGURATION_DEVICE   ? "deviceContent"
           : kind == CONFIGURATION_MODULE ? "moduleContent"
                                          : "modulesContent";
}

const cJSON *configuration_settings(enum configuration_kind kind, const cJSON *content)
{
    return json_get(content, content_name(kind));
}

/* Desired properties of one twin, by path. */
static int check_settings(const char *name, const cJSON *settings, struct err *err)
{
    auto_json cJSON *nothing = cJSON_CreateObject();
    auto_json cJSON *result = NULL;
    char path[80];

    (void)str_format(path, sizeof(path), "content.%s", name);
    for (const cJSON *item = settings->child; item; item = item->next) {
        if (!layers_path_valid(item->string))
            return err_set(err, ERR_INVALID,
                           "%s: a path is properties.desired or properties.desired.NAME...", path);
        if (str_eq(item->string, "properties.desired") && !cJSON_IsObject(item))
            return err_set(err, ERR_INVALID, "%s.properties.desired: must be an object", path);
    }
    result = layers_desired(nothing, settings, NULL);
    if (twin_json_check(result, path, err) < 0)
        return -1;
    if (twin_json_size(result) > TWIN_SECTION_MAX)
        return err_set(err, ERR_INVALID, "%s: is more than the %zu KB that a twin may have", path,
                       TWIN_SECTION_MAX / 1024);
    return 0;
}

static int check_content(const char *name, const cJSON *what, enum configuration_kind *kind,
                         struct err *err)
{
    bool layered = false;

    if (!cJSON_IsObject(what))
        return err_set(err, ERR_INVALID, "content.%s: must be an object", name);
    if (*kind != CONFIGURATION_BASE)
        return check_settings(name, what, err);
    if (manifest_check_automatic(what, &layered, err) < 0)
        return -1;
    *kind = layered ? CONFIGURATION_LAYERED : CONFIGURATION_BASE;
    return 0;
}

/* Exactly one of the three. What is there cannot be changed, as on IoT Hub: devices would be told
 * of a deployment that nobody can name any more. */
static int read_content(const cJSON *body, const struct configuration *old, struct configuration *c,
                        struct err *err)
{
    const cJSON *content = member(body, "content");
    auto_json cJSON *kept = cJSON_CreateObject();
    auto_json cJSON *before = NULL;
    size_t found = 0;

    for (size_t i = 0; content && i < ARRAY_LEN(contents); i++) {
        const cJSON *what = member(content, contents[i].name);

        if (!what || (cJSON_IsObject(what) && !what->child))
            continue;
        c->kind = contents[i].kind;
        found++;
        if (check_content(contents[i].name, what, &c->kind, err) < 0)
            return -1;
        json_add(kept, contents[i].name, cJSON_Duplicate(what, true));
    }
    if (old && found == 0) {
        c->kind = old->kind;
        c->content = xstrdup(old->content);
        return 0;
    }
    if (found != 1)
        return err_set(err, ERR_INVALID,
                       "content: must have one of modulesContent, deviceContent and moduleContent");
    if (old && !((before = json_parse(old->content, strlen(old->content), NULL)) &&
                 cJSON_Compare(before, kept, true)))
        return err_set(err, ERR_INVALID,
                       "content: cannot be changed; create another configuration");
    c->content = print_json(kept);
    return 0;
}

/* ---- the rest ---- */

static int check_id(const cJSON *body, const char *id, struct err *err)
{
    if (!id[0] || strlen(id) > ID_MAX)
        return err_set(err, ERR_INVALID, "id: must have 1 to %d characters", ID_MAX);
    for (const char *c = id; *c; c++)
        if (!(islower((unsigned char)*c) || isdigit((unsigned char)*c) ||
              strchr("-:.+%_#*?!(),=@;'", *c)))
            return err_set(err, ERR_INVALID,
                           "id: has lower-case letters, digits and -:.+%%_#*?!(),=@;'");
    if (!str_eq(json_str(body, "id", id), id))
        return err_set(err, ERR_INVALID, "id: is not the one of the path");
    return 0;
}

static int read_priority(const cJSON *body, const struct configuration *old,
                         struct configuration *c, struct err *err)
{
    c->priority = old ? old->priority : 0;
    if (member(body, "priority") &&
        json_need_u64(body, "priority", PRIORITY_MAX, &c->priority, NULL) < 0)
        return err_set(err, ERR_INVALID, "priority: must be a whole number of 0 to %d",
                       PRIORITY_MAX);
    return 0;
}

/* {name: text}. */
static int check_texts(const cJSON *texts, const char *name, size_t max, struct err *err)
{
    if (!cJSON_IsObject(texts))
        return err_set(err, ERR_INVALID, "%s: must be an object", name);
    for (const cJSON *item = texts->child; item; item = item->next)
        if (!cJSON_IsString(item) || strlen(item->valuestring) > max)
            return err_set(err, ERR_INVALID, "%s: all values must be text of at most %zu bytes",
                           name, max);
    return 0;
}

static int read_labels(const cJSON *body, const struct configuration *old, struct configuration *c,
                       struct err *err)
{
    const cJSON *labels = member(body, "labels");

    if (labels && check_texts(labels, "labels", LABEL_MAX, err) < 0)
        return -1;
    c->labels = labels ? print_json(labels) : xstrdup(old ? old->labels : "{}");
    return 0;
}

static int read_metrics(const cJSON *body, const struct configuration *old, struct configuration *c,
                        struct err *err)
{
    const cJSON *metrics = member(body, "metrics");
    const cJSON *queries = metrics ? member(metrics, "queries") : NULL;

    if (!queries) {
        c->metrics = xstrdup(old ? old->metrics : "{}");
        return 0;
    }
    if (check_texts(queries, "metrics.queries", QUERY_TEXT_MAX, err) < 0)
        return -1;
    if (cJSON_GetArraySize(queries) > METRICS_MAX)
        return err_set(err, ERR_INVALID, "metrics.queries: no more than %d", METRICS_MAX);
    for (const cJSON *item = queries->child; item; item = item->next) {
        auto_query struct query *q = NULL;

        if (query_parse(item->valuestring, &q, err) < 0)
            return err_wrap(err, "metrics.queries.%s", item->string);
    }
    c->metrics = print_json(queries);
    return 0;
}

static int read_condition(const cJSON *body, const struct configuration *old,
                          struct configuration *c, struct err *err)
{
    const cJSON *item = member(body, "targetCondition");
    auto_query struct query *q = NULL;

    if (item && !cJSON_IsString(item))
        return err_set(err, ERR_INVALID, "targetCondition: must be text");
    c->condition = xstrdup(item ? item->valuestring : old ? old->condition : "");
    if (query_parse_condition(c->condition, c->kind == CONFIGURATION_MODULE, &q, err) < 0)
        return err_wrap(err, "targetCondition");
    c->follows_reports = query_condition_parts(q) & TWIN_REPORTED;
    return 0;
}

int configuration_read(const cJSON *body, const struct configuration *old,
                       struct configuration *ret, struct err *err)
{
    if (check_id(body, ret->id, err) < 0 || read_content(body, old, ret, err) < 0 ||
        read_condition(body, old, ret, err) < 0 || read_priority(body, old, ret, err) < 0 ||
        read_labels(body, old, ret, err) < 0 || read_metrics(body, old, ret, err) < 0)
        return -1;
    if (!str_copy(ret->schema, sizeof(ret->schema),
                  json_str(body, "schemaVersion", old ? old->schema : "1.0")))
        return err_set(err, ERR_INVALID, "schemaVersion: is too long");
    ret->created_ms = old ? old->created_ms : clock_wall_ms();
    ret->updated_ms = clock_wall_ms();
    ret->version = old ? old->version + 1 : 1;
    return 0;
}

/* ---- showing ---- */

/* A target condition as a whole query; "" where it selects nothing. */
static void targeted_query(const struct configuration *c, struct buf *out)
{
    bool edge = c->kind == CONFIGURATION_BASE || c->kind == CONFIGURATION_LAYERED;
    const char *condition = c->condition + strspn(c->condition, " \t\r\n");
    bool all = str_eq(condition, "*");

    if (!condition[0])
        return;
    buf_puts(out,
             c->kind == CONFIGURATION_MODULE ? "select deviceId, moduleId " : "select deviceId ");
    if (strncasecmp(condition, "from", 4) == 0) {
        buf_puts(out, condition);
        return;
    }
    buf_puts(out, c->kind == CONFIGURATION_MODULE ? "from devices.modules" : "from devices");
    if (edge || !all)
        buf_puts(out, " where ");
    if (edge)
        buf_printf(out, "capabilities.iotEdge = true%s", all ? "" : " and ");
    if (!all)
        buf_printf(out, edge ? "(%s)" : "%s", condition);
}

static void add_queries(const struct configuration *c, cJSON *to)
{
    static const char reported[] =
        "select deviceId from devices.modules where moduleId = '$edgeAgent' and"
        " configurations.[[%s]].status = 'Applied' and properties.desired.$version ="
        " properties.reported.lastDesiredVersion and properties.reported.lastDesiredStatus.code %s"
        " 200";
    auto_buf struct buf text = {0};

    targeted_query(c, &text);
    json_add_str(to, "targetedCount", buf_str(&text));
    buf_clear(&text);
    if (c->kind == CONFIGURATION_DEVICE || c->kind == CONFIGURATION_MODULE) {
        buf_printf(&text, "select %s where configurations.[[%s]].status = 'Applied'",
                   c->kind == CONFIGURATION_DEVICE ? "deviceId from devices"
                                                   : "deviceId, moduleId from devices.modules",
                   c->id);
        json_add_str(to, "appliedCount", buf_str(&text));
        return;
    }
    buf_printf(&text,
               "select deviceId from devices.modules where moduleId = '$edgeAgent' and"
               " configurations.[[%s]].status = 'Applied'",
               c->id);
    json_add_str(to, "appliedCount", buf_str(&text));
    buf_clear(&text);
    buf_printf(&text, reported, c->id, "=");
    json_add_str(to, "reportedSuccessfulCount", buf_str(&text));
    buf_clear(&text);
    buf_printf(&text, reported, c->id, "!=");
    json_add_str(to, "reportedFailedCount", buf_str(&text));
}

/* Text that this program wrote itself. */
static void add_own(cJSON *to, const char *name, const char *text)
{
    cJSON *value = json_parse(text, strlen(text), NULL);

    json_add(to, name, value ? value : cJSON_CreateObject());
}

cJSON *configuration_to_json(const struct configuration *c)
{
    cJSON *out = cJSON_CreateObject();
    cJSON *metrics;
    char etag[16];

    json_add_str(out, "id", c->id);
    json_add_str_or_null(out, "schemaVersion", c->schema);
    add_own(out, "labels", c->labels);
    add_own(out, "content", c->content);
    json_add_str(out, "contentType", "assignment");
    json_add_str(out, "targetCondition", c->condition);
    registry_add_time(out, "createdTimeUtc", c->created_ms);
    registry_add_time(out, "lastUpdatedTimeUtc", c->updated_ms);
    json_add_u64(out, "priority", c->priority);
    add_queries(c, json_add_obj(json_add_obj(out, "systemMetrics"), "queries"));
    metrics = json_add_obj(out, "metrics");
    add_own(metrics, "queries", c->metrics);
    twins_etag(c->version, etag, sizeof(etag));
    json_add_str(out, "etag", etag);
    return out;
}
