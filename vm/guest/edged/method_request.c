/* See method_request.h. */
#include "vm/guest/edged/method_request.h"

#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/base/str.h"

#include <string.h>
#include <strings.h>

static const cJSON *member(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(object, key);
    return item && !cJSON_IsNull(item) ? item : NULL;
}

int method_check_schema(const cJSON *payload, struct err *err)
{
    if (!cJSON_IsObject(payload))
        return err_set(err, ERR_INVALID, "the payload must be a JSON object");
    const cJSON *item = member(payload, "schemaVersion");
    const char *version = cJSON_IsString(item) ? item->valuestring : "";
    if (version[0] == '1' && (!version[1] || version[1] == '.'))
        return 0;
    char shown[40];
    str_sanitise_to(shown, sizeof(shown), version);
    return err_set(err, ERR_INVALID, "schemaVersion \"%s\" is not known: 1.0 is", shown);
}

int method_need_text(const cJSON *payload, const char *key, const char **ret, struct err *err)
{
    const cJSON *item = member(payload, key);
    if (cJSON_IsString(item) && item->valuestring[0]) {
        *ret = item->valuestring;
        return 0;
    }
    err_set(err, ERR_INVALID, "%s is missing", key);
    return -1;
}

int method_need_url(const cJSON *payload, const char **ret, struct err *err)
{
    if (method_need_text(payload, "sasUrl", ret, err) < 0)
        return -1;
    bool good = strlen(*ret) <= METHOD_URL_MAX && str_starts(*ret, "https://") && strchr(*ret, '?');
    for (const char *c = *ret; *c; c++)
        good = good && *c > ' ' && *c < 0x7f && *c != '#';
    if (good)
        return 0;
    return err_set(err, ERR_INVALID,
                   "sasUrl must be a container's address with a signature, such as "
                   "\"" METHOD_SAS_EXAMPLE "\"");
}

/* ------------------------------------------------------------------------------- items */

static int make_filter(const char *pattern, bool match_case, struct filter **ret, struct err *err)
{
    const struct filter_options options = {.show = pattern, .match_case = match_case};
    *ret = filter_new(&options, err);
    return *ret ? 0 : -1;
}

static int parse_when(const cJSON *filter, const char *key, uint64_t now_s, struct log_query *q,
                      struct err *err)
{
    char text[64] = "";
    const cJSON *item = member(filter, key);
    if (!item)
        return 0;
    bool fits = cJSON_IsNumber(item)
                    ? str_format(text, sizeof(text), "%.0f", item->valuedouble)
                    : cJSON_IsString(item) && str_copy(text, sizeof(text), item->valuestring);
    if (fits && log_query_set(q, key, text, now_s, err) == 0)
        return 0;
    return err_set(err, ERR_INVALID,
                   "filter.%s must be a time such as \"2026-11-21T14:00:00Z\", seconds since 1970, "
                   "or a duration such as \"2 hours\"",
                   key);
}

/* Absent: *RET stays. */
static int parse_number(const cJSON *filter, const char *key, uint64_t max, uint64_t *ret,
                        struct err *err)
{
    const cJSON *item = member(filter, key);
    if (!item)
        return 0;
    if (cJSON_IsString(item) && str_to_u64(item->valuestring, max, ret))
        return 0;
    if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > (double)max)
        return err_set(err, ERR_INVALID, "filter.%s must be a number from 0 to %llu", key,
                       (unsigned long long)max);
    *ret = (uint64_t)item->valuedouble;
    return 0;
}

static int parse_filter(const cJSON *filter, uint64_t now_s, struct method_item *item,
                        struct err *err)
{
    const uint64_t absent = 8;
    uint64_t level = absent;
    const cJSON *pattern = member(filter, "regex");
    if (!filter)
        return 0;
    if (!cJSON_IsObject(filter))
        return err_set(err, ERR_INVALID, "filter must be an object");
    if (parse_when(filter, "since", now_s, &item->query, err) < 0 ||
        parse_when(filter, "until", now_s, &item->query, err) < 0 ||
        parse_number(filter, "tail", INT32_MAX, &item->query.tail, err) < 0 ||
        parse_number(filter, "loglevel", absent - 1, &level, err) < 0)
        return -1;
    item->level = level == absent ? METHOD_LEVEL_ANY : (int)level;
    if (!pattern)
        return 0;
    if (!cJSON_IsString(pattern))
        return err_set(err, ERR_INVALID, "filter.regex must be a string");
    if (make_filter(pattern->valuestring, true, &item->pattern, err) < 0)
        return err_wrap(err, "filter.regex");
    return 0;
}

static int parse_item(const cJSON *json, uint64_t now_s, struct method_item *item, struct err *err)
{
    const char *id = NULL;
    *item = (struct method_item){.level = METHOD_LEVEL_ANY, .query = {.tail = LOG_QUERY_ALL}};
    if (!cJSON_IsObject(json))
        return err_set(err, ERR_INVALID, "must be an object with id and filter");
    if (method_need_text(json, "id", &id, err) < 0)
        return -1;
    if (!str_eq(id, "all") && make_filter(id, false, &item->id, err) < 0)
        return err_wrap(err, "id");
    return parse_filter(member(json, "filter"), now_s, item, err);
}

static int parse_items(const cJSON *payload, uint64_t now_s, struct method_request *r,
                       struct err *err)
{
    const cJSON *items = member(payload, "items");
    bool list = cJSON_IsArray(items);
    if (!items || (list && !items->child))
        return err_set(err, ERR_INVALID, "items is missing");
    for (const cJSON *item = list ? items->child : items; item; item = list ? item->next : NULL) {
        if (r->n == METHOD_ITEMS_MAX)
            return err_set(err, ERR_INVALID, "items: more than %d", METHOD_ITEMS_MAX);
        size_t at = r->n++; /* freed with the rest, whole or not */
        if (parse_item(item, now_s, &r->items[at], err) < 0)
            return err_wrap(err, "items[%zu]", at);
    }
    return 0;
}

/* ------------------------------------------------------------------------------- all of it */

static int parse_word(const cJSON *payload, const char *key, const char *off, const char *on,
                      bool *ret, struct err *err)
{
    const cJSON *item = member(payload, key);
    if (!item)
        return 0;
    const char *word = cJSON_IsString(item) ? item->valuestring : "";
    *ret = strcasecmp(word, on) == 0;
    if (*ret || strcasecmp(word, off) == 0)
        return 0;
    return err_set(err, ERR_INVALID, "%s must be %s or %s", key, off, on);
}

static int parse_all(const cJSON *payload, bool upload, uint64_t now_s, struct method_request *r,
                     struct err *err)
{
    const char *url = NULL;
    if (method_check_schema(payload, err) < 0 || parse_items(payload, now_s, r, err) < 0 ||
        parse_word(payload, "encoding", "none", "gzip", &r->gzip, err) < 0 ||
        parse_word(payload, "contentType", "text", "json", &r->json, err) < 0)
        return -1;
    if (upload && method_need_url(payload, &url, err) < 0)
        return -1;
    r->url = url ? xstrdup(url) : NULL;
    return 0;
}

int method_request_parse(const cJSON *payload, bool upload, uint64_t now_s,
                         struct method_request *ret, struct err *err)
{
    *ret = (struct method_request){0};
    if (parse_all(payload, upload, now_s, ret, err) == 0)
        return 0;
    method_request_done(ret);
    return -1;
}

void method_request_done(struct method_request *r)
{
    for (size_t i = 0; i < r->n; i++) {
        filter_free(r->items[i].id);
        filter_free(r->items[i].pattern);
    }
    secret_free(r->url);
    *r = (struct method_request){0};
}

const struct method_item *method_request_find(const struct method_request *r, const char *module)
{
    for (size_t i = 0; i < r->n; i++)
        if (!r->items[i].id || filter_passes(r->items[i].id, module, strlen(module)))
            return &r->items[i];
    return NULL;
}
