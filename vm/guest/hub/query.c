/* See query.h: the clauses around the condition, and a query as a whole. */
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/query_parser.h"
#include "vm/guest/hub/twin_json.h"

#include <math.h>
#include <string.h>
#include <strings.h>

static const char *last_name(const struct query_path *path)
{
    const char *name = path->names;

    for (unsigned i = 1; i < path->n; i++)
        name += strlen(name) + 1;
    return name;
}

static int parse_item(struct query_parser *p)
{
    struct query_item *item = &p->q->items[p->q->n_items];

    if (p->q->n_items == QUERY_ITEMS_MAX)
        return query_wrong(p, "too many names");
    if (p->token.kind != TOKEN_WORD)
        return query_wrong(p, "a name is missing");
    if (query_before(p, '(')) {
        if (!query_is_keyword(p, "COUNT"))
            return query_wrong(p, "the only function that can be selected is COUNT()");
        item->counts = p->q->counts = true;
        item->name = "$1";
        if (query_advance(p) < 0 || query_need_symbol(p, "(") < 0 ||
            (query_is_symbol(p, "*") && query_advance(p) < 0) || query_need_symbol(p, ")") < 0)
            return -1;
    } else {
        if (query_read_path(p, &item->path) < 0)
            return -1;
        item->name = last_name(&item->path);
    }
    p->q->n_items++;
    if (!query_is_keyword(p, "AS"))
        return 0;
    if (query_advance(p) < 0)
        return -1;
    if (p->token.kind != TOKEN_WORD)
        return query_wrong(p, "a name is missing behind AS");
    item->name = p->token.text;
    return query_advance(p);
}

static int parse_select(struct query_parser *p)
{
    p->q->top = UINT64_MAX;
    if (query_need_keyword(p, "SELECT") < 0)
        return -1;
    if (query_is_keyword(p, "TOP")) {
        if (query_advance(p) < 0)
            return -1;
        if (p->token.kind != TOKEN_NUMBER || p->token.number < 1 || p->token.number > 1e9 ||
            floor(p->token.number) != p->token.number)
            return query_wrong(p, "TOP needs a whole number");
        p->q->top = (uint64_t)p->token.number;
        if (query_advance(p) < 0)
            return -1;
    }
    if (query_is_symbol(p, "*")) {
        p->q->parts = TWIN_ALL;
        return query_advance(p);
    }
    for (;;) {
        if (parse_item(p) < 0)
            return -1;
        if (!query_is_symbol(p, ","))
            return 0;
        if (query_advance(p) < 0)
            return -1;
    }
}

static int parse_from(struct query_parser *p)
{
    if (query_need_keyword(p, "FROM") < 0)
        return -1;
    if (!query_is_keyword(p, "devices"))
        return query_wrong(p, "twins are in devices or devices.modules");
    if (p->text[p->at] == '.') {
        if (query_read_member(p) < 0)
            return -1;
        const char *name = p->token.text + strlen(p->token.text) + 1;

        if (strcasecmp(name, "jobs") == 0)
            return query_wrong(p,
                               "the sandbox has no jobs; twins are in devices or devices.modules");
        if (strcasecmp(name, "modules") != 0)
            return query_wrong(p, "twins are in devices or devices.modules");
        p->q->modules = true;
    }
    return query_advance(p);
}

/* The condition itself. */
static int parse_where_text(struct query_parser *p)
{
    unsigned selected = p->q->parts;

    p->q->parts = 0;
    p->q->where = query_parse_or(p);
    p->q->condition_parts = p->q->parts;
    p->q->parts = selected;
    return p->q->where ? 0 : -1;
}

static int parse_where(struct query_parser *p)
{
    if (!query_is_keyword(p, "WHERE"))
        return 0;
    return query_advance(p) < 0 ? -1 : parse_where_text(p);
}

static int parse_group(struct query_parser *p)
{
    if (!query_is_keyword(p, "GROUP"))
        return 0;
    if (query_advance(p) < 0 || query_need_keyword(p, "BY") < 0)
        return -1;
    for (;;) {
        if (p->token.kind != TOKEN_WORD)
            return query_wrong(p, "a name is missing");
        if (p->q->n_groups == QUERY_ITEMS_MAX)
            return query_wrong(p, "too many names");
        if (query_read_path(p, &p->q->groups[p->q->n_groups++]) < 0)
            return -1;
        if (!query_is_symbol(p, ","))
            return 0;
        if (query_advance(p) < 0)
            return -1;
    }
}

/* Each name that is selected beside a COUNT() has one value in a group only where it makes the
 * group. */
static int check_groups(struct query_parser *p)
{
    const struct query *q = p->q;

    if (!query_is_grouped(q))
        return 0;
    if (q->n_items == 0)
        return query_wrong(p,
                           "SELECT * cannot be grouped: select the names of GROUP BY and COUNT()");
    for (size_t i = 0; i < q->n_items; i++) {
        bool known = q->items[i].counts;

        for (size_t g = 0; g < q->n_groups && !known; g++)
            known = query_path_equal(&q->items[i].path, &q->groups[g]);
        if (!known)
            return query_wrong(p, "every selected name must be in GROUP BY");
    }
    return 0;
}

static int parse_end(struct query_parser *p)
{
    if (query_is_keyword(p, "ORDER"))
        return query_wrong(p, "ORDER BY is not possible; twins come in the order of their names");
    return p->token.kind == TOKEN_END ? 0 : query_wrong(p, "nothing can follow here");
}

static int parse_query(struct query_parser *p)
{
    if (query_advance(p) < 0 || parse_select(p) < 0 || parse_from(p) < 0 || parse_where(p) < 0 ||
        parse_group(p) < 0 || parse_end(p) < 0)
        return -1;
    return check_groups(p);
}

static int parse_condition(struct query_parser *p, bool modules)
{
    if (query_advance(p) < 0)
        return -1;
    if (query_is_keyword(p, "FROM")) {
        if (parse_from(p) < 0)
            return -1;
        if (p->q->modules != modules)
            return query_wrong(p, modules ? "the modules of a configuration are in devices.modules"
                                          : "the devices of a configuration are in devices");
        return parse_where(p) < 0 ? -1 : parse_end(p);
    }
    p->q->modules = modules;
    p->q->nothing = p->token.kind == TOKEN_END;
    if (p->q->nothing)
        return 0;
    if (query_is_symbol(p, "*"))
        return query_advance(p) < 0 ? -1 : parse_end(p);
    return parse_where_text(p) < 0 ? -1 : parse_end(p);
}

/* ---- whole ---- */

static int start(struct query_parser *p, const char *text, struct err *err)
{
    size_t len = strlen(text);

    if (len > QUERY_TEXT_MAX)
        return err_set(err, ERR_INVALID, "%s is longer than %d characters",
                       p->condition ? "the target condition" : "the query", QUERY_TEXT_MAX);
    p->text = text;
    p->err = err;
    p->q = xcalloc(1, sizeof(*p->q));
    p->q->texts = p->room = xmalloc(len + 2);
    return 0;
}

static int finish(struct query_parser *p, int status, struct query **ret)
{
    if (status < 0)
        query_free(p->q);
    else
        *ret = p->q;
    return status;
}

int query_parse(const char *text, struct query **ret, struct err *err)
{
    struct query_parser p = {0};

    return start(&p, text, err) < 0 ? -1 : finish(&p, parse_query(&p), ret);
}

int query_parse_condition(const char *text, bool modules, struct query **ret, struct err *err)
{
    struct query_parser p = {.condition = true};

    return start(&p, text, err) < 0 ? -1 : finish(&p, parse_condition(&p, modules), ret);
}

void query_free(struct query *q)
{
    if (!q)
        return;
    for (struct query_node *node = q->made, *next; node; node = next) {
        next = node->made;
        free(node);
    }
    free(q->texts);
    free(q);
}

bool query_over_modules(const struct query *q)
{
    return q->modules;
}

bool query_is_raw(const struct query *q)
{
    return q->n_items > 0;
}

bool query_is_grouped(const struct query *q)
{
    return q->counts || q->n_groups > 0;
}

uint64_t query_top(const struct query *q)
{
    return q->top;
}

unsigned query_condition_parts(const struct query *q)
{
    return q->condition_parts;
}

unsigned query_row_parts(const struct query *q)
{
    return q->parts;
}
