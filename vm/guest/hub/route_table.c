/* See route_table.h. */
#include "vm/guest/hub/route_table.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void route_table_done(struct route_table *t)
{
    for (size_t i = 0; i < t->n_rules; i++) {
        free(t->rules[i].name);
        free(t->rules[i].text);
        route_free(t->rules[i].route);
    }
    free(t->rules);
    free(t->endpoints);
    *t = (struct route_table){0};
}

static unsigned endpoint_index(struct route_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_endpoints; i++)
        if (str_eq(t->endpoints[i], name))
            return (unsigned)i;
    t->endpoints = xreallocarray(t->endpoints, t->n_endpoints + 1, sizeof(*t->endpoints));
    t->endpoints[t->n_endpoints] = name;
    return (unsigned)t->n_endpoints++;
}

int route_table_add(struct route_table *t, const char *name, const char *text, unsigned priority,
                    uint32_t ttl_s, struct err *err)
{
    struct route *route;

    assert(priority <= ROUTE_PRIORITY_LAST);
    if (t->n_rules == ROUTE_TABLE_MAX)
        return err_set(err, ERR_INVALID, "there are more than %d routes", ROUTE_TABLE_MAX);
    if (route_compile(text, strlen(text), &route, err) < 0)
        return -1;
    t->rules = xreallocarray(t->rules, t->n_rules + 1, sizeof(*t->rules));
    t->rules[t->n_rules++] = (struct route_rule){
        .name = xstrdup(name),
        .text = xstrdup(text),
        .route = route,
        .priority = priority,
        .ttl_s = ttl_s,
        .endpoint = endpoint_index(t, route_endpoint(route)),
    };
    return 0;
}

/* Those that were found already for an endpoint, or NULL. */
static struct route_target *find(struct route_target *targets, size_t n, unsigned endpoint)
{
    for (size_t i = 0; i < n; i++)
        if (targets[i].endpoint == endpoint)
            return &targets[i];
    return NULL;
}

size_t route_table_match(const struct route_table *t, struct route_input *in,
                         struct route_target *targets)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n_rules; i++) {
        const struct route_rule *rule = &t->rules[i];
        struct route_target *known = find(targets, n, rule->endpoint);

        if ((known && known->priority <= rule->priority) || !route_matches(rule->route, in))
            continue;
        if (!known)
            known = &targets[n++];
        *known = (struct route_target){rule->endpoint, rule->priority, rule->ttl_s};
    }
    return n;
}
