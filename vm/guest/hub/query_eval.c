/* See query.h: what a query says about a twin. A condition is true, false or undefined, where it
 * compares with what is not there; only true selects. */
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/query_private.h"

#include <string.h>

/* ---- values ---- */

static struct query_value undefined(void)
{
    return (struct query_value){.type = QUERY_UNDEFINED};
}

static struct query_value truth(bool is)
{
    return (struct query_value){.type = QUERY_BOOL, .truth = is};
}

static struct query_value value_of(const cJSON *json)
{
    if (!json)
        return undefined();
    if (cJSON_IsBool(json))
        return truth(cJSON_IsTrue(json));
    if (cJSON_IsNumber(json))
        return (struct query_value){.type = QUERY_NUMBER, .number = json->valuedouble};
    if (cJSON_IsString(json))
        return (struct query_value){.type = QUERY_TEXT, .text = json->valuestring};
    if (cJSON_IsNull(json))
        return (struct query_value){.type = QUERY_NULL};
    return (struct query_value){.type = QUERY_TREE, .tree = json};
}

static const cJSON *find(const struct query_path *path, const cJSON *twin)
{
    const char *name = path->names;

    for (unsigned i = 0; i < path->n && twin; i++) {
        twin = cJSON_IsObject(twin) ? json_get(twin, name) : NULL;
        name += strlen(name) + 1;
    }
    return twin;
}

bool query_path_equal(const struct query_path *a, const struct query_path *b)
{
    const char *x = a->names, *y = b->names;

    if (a->n != b->n)
        return false;
    for (unsigned i = 0; i < a->n; i++) {
        if (!str_eq(x, y))
            return false;
        x += strlen(x) + 1;
        y += strlen(y) + 1;
    }
    return true;
}

/* ---- conditions ---- */

static bool ordered(enum query_op op, int order)
{
    switch (op) {
    case OP_EQUAL:
        return order == 0;
    case OP_NOT_EQUAL:
        return order != 0;
    case OP_LESS:
        return order < 0;
    case OP_LESS_EQUAL:
        return order <= 0;
    case OP_GREATER:
        return order > 0;
    case OP_GREATER_EQUAL:
        return order >= 0;
    }
    return false;
}

/* Values of two types differ, and none is the greater one. */
static struct query_value compare(enum query_op op, const struct query_value *a,
                                  const struct query_value *b)
{
    bool equality = op == OP_EQUAL || op == OP_NOT_EQUAL;

    if (a->type == QUERY_UNDEFINED || b->type == QUERY_UNDEFINED)
        return undefined();
    if (a->type != b->type)
        return equality ? truth(op == OP_NOT_EQUAL) : undefined();
    switch (a->type) {
    case QUERY_NUMBER:
        return truth(ordered(op, (a->number > b->number) - (a->number < b->number)));
    case QUERY_TEXT:
        return truth(ordered(op, strcmp(a->text, b->text)));
    case QUERY_BOOL:
        return equality ? truth(ordered(op, a->truth - b->truth)) : undefined();
    case QUERY_NULL:
        return equality ? truth(op == OP_EQUAL) : undefined();
    case QUERY_UNDEFINED:
    case QUERY_TREE: /* as on IoT Hub, only simple values compare */
        break;
    }
    return undefined();
}

static struct query_value eval(const struct query_node *node, const cJSON *twin);

static struct query_value eval_compare(const struct query_node *node, const cJSON *twin)
{
    struct query_value a = eval(node->child, twin);
    struct query_value b = eval(node->child->next, twin);

    return compare(node->op, &a, &b);
}

static struct query_value eval_in(const struct query_node *node, const cJSON *twin)
{
    struct query_value what = eval(node->child, twin);

    if (what.type == QUERY_UNDEFINED)
        return undefined();
    for (const struct query_node *c = node->child->next; c; c = c->next) {
        struct query_value one = eval(c, twin);

        if (compare(OP_EQUAL, &what, &one).truth)
            return truth(true);
    }
    return truth(false);
}

static bool array_has(const cJSON *array, const struct query_value *what)
{
    for (const cJSON *item = array->child; item; item = item->next) {
        struct query_value one = value_of(item);

        if (compare(OP_EQUAL, &one, what).truth)
            return true;
    }
    return false;
}

static struct query_value eval_text_call(enum query_function f, const struct query_value *a,
                                         const struct query_value *b)
{
    if (a->type != QUERY_TEXT || b->type != QUERY_TEXT)
        return undefined();
    if (f == FN_STARTS_WITH)
        return truth(str_starts(a->text, b->text));
    return truth(f == FN_ENDS_WITH ? str_ends(a->text, b->text) : strstr(a->text, b->text) != NULL);
}

static struct query_value eval_call(const struct query_node *node, const cJSON *twin)
{
    struct query_value a = eval(node->child, twin);
    struct query_value b = node->child->next ? eval(node->child->next, twin) : undefined();

    switch (node->function) {
    case FN_IS_DEFINED:
        return truth(a.type != QUERY_UNDEFINED);
    case FN_IS_NULL:
        return truth(a.type == QUERY_NULL);
    case FN_IS_BOOL:
        return truth(a.type == QUERY_BOOL);
    case FN_IS_NUMBER:
        return truth(a.type == QUERY_NUMBER);
    case FN_IS_STRING:
        return truth(a.type == QUERY_TEXT);
    case FN_IS_OBJECT:
        return truth(a.type == QUERY_TREE && cJSON_IsObject(a.tree));
    case FN_IS_ARRAY:
        return truth(a.type == QUERY_TREE && cJSON_IsArray(a.tree));
    case FN_IS_PRIMITIVE:
        return truth(a.type != QUERY_TREE && a.type != QUERY_UNDEFINED);
    case FN_STARTS_WITH:
    case FN_ENDS_WITH:
    case FN_CONTAINS:
        return eval_text_call(node->function, &a, &b);
    case FN_ARRAY_CONTAINS:
        return a.type == QUERY_TREE && cJSON_IsArray(a.tree) ? truth(array_has(a.tree, &b))
                                                             : undefined();
    }
    return undefined();
}

/* STOP decides at once (false for AND, true for OR); else undefined wins over the other. */
static struct query_value eval_chain(const struct query_node *node, const cJSON *twin, bool stop)
{
    struct query_value result = truth(!stop);

    for (const struct query_node *c = node->child; c; c = c->next) {
        struct query_value v = eval(c, twin);

        if (v.type != QUERY_BOOL)
            result = undefined();
        else if (v.truth == stop)
            return v;
    }
    return result;
}

static struct query_value eval(const struct query_node *node, const cJSON *twin)
{
    struct query_value v;

    switch (node->kind) {
    case NODE_OR:
        return eval_chain(node, twin, true);
    case NODE_AND:
        return eval_chain(node, twin, false);
    case NODE_NOT:
        v = eval(node->child, twin);
        return v.type == QUERY_BOOL ? truth(!v.truth) : undefined();
    case NODE_COMPARE:
        return eval_compare(node, twin);
    case NODE_IN:
        return eval_in(node, twin);
    case NODE_CALL:
        return eval_call(node, twin);
    case NODE_PATH:
        return value_of(find(&node->path, twin));
    case NODE_VALUE:
        return node->value;
    }
    return undefined();
}

bool query_matches(const struct query *q, const cJSON *twin)
{
    struct query_value v;

    if (q->nothing || !q->where)
        return !q->nothing;
    v = eval(q->where, twin);
    return v.type == QUERY_BOOL && v.truth;
}

/* ---- rows ---- */

cJSON *query_row(const struct query *q, const cJSON *twin)
{
    cJSON *row;

    if (q->n_items == 0)
        return cJSON_Duplicate(twin, true);
    row = cJSON_CreateObject();
    for (size_t i = 0; i < q->n_items; i++) {
        const cJSON *value = q->items[i].counts ? NULL : find(&q->items[i].path, twin);

        if (value && !json_get(row, q->items[i].name))
            json_add(row, q->items[i].name, cJSON_Duplicate(value, true));
    }
    return row;
}

struct group {
    uint32_t hash;
    char *key;    /* the values as JSON text */
    cJSON *first; /* a row of them, without the count */
    uint64_t n;
};

struct query_groups {
    const struct query *q;
    struct group *groups;
    size_t n, cap;
    size_t bytes; /* of all keys and rows, as text */
};

struct query_groups *query_groups_new(const struct query *q)
{
    struct query_groups *g = xcalloc(1, sizeof(*g));

    g->q = q;
    if (q->n_groups == 0) { /* one row, also where nothing matches */
        g->groups = xcalloc(1, sizeof(*g->groups));
        g->groups[0].key = xstrdup("");
        g->groups[0].hash = str_hash(STR_HASH, "");
        g->groups[0].first = cJSON_CreateObject();
        g->n = g->cap = 1;
    }
    return g;
}

void query_groups_free(struct query_groups *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n; i++) {
        free(g->groups[i].key);
        cJSON_Delete(g->groups[i].first);
    }
    free(g->groups);
    free(g);
}

static struct group *find_group(struct query_groups *g, const char *key, uint32_t hash)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->groups[i].hash == hash && str_eq(g->groups[i].key, key))
            return &g->groups[i];
    return NULL;
}

/* Takes KEY's text. */
static int add_group(struct query_groups *g, struct buf *key, uint32_t hash, const cJSON *twin,
                     struct err *err)
{
    auto_json cJSON *first = query_row(g->q, twin);
    auto_buf struct buf text = {0};

    json_print(&text, first);
    g->bytes += key->len + text.len;
    if (g->n == QUERY_GROUPS_MAX || g->bytes > QUERY_GROUPS_BYTES_MAX)
        return err_set(err, ERR_INVALID, "GROUP BY makes more than %d groups or %u MB",
                       QUERY_GROUPS_MAX, QUERY_GROUPS_BYTES_MAX >> 20);
    if (g->n == g->cap) {
        g->cap = g->cap ? g->cap * 2 : 16;
        g->groups = xreallocarray(g->groups, g->cap, sizeof(*g->groups));
    }
    g->groups[g->n++] =
        (struct group){.hash = hash, .key = buf_steal(key), .first = steal(first), .n = 1};
    return 0;
}

int query_groups_add(struct query_groups *g, const cJSON *twin, struct err *err)
{
    auto_buf struct buf key = {0};
    struct group *group;
    uint32_t hash;

    for (size_t i = 0; i < g->q->n_groups; i++) {
        const cJSON *value = find(&g->q->groups[i], twin);

        if (value)
            json_print(&key, value);
        buf_putc(&key, '\n'); /* never in compact JSON */
    }
    hash = str_hash(STR_HASH, buf_str(&key));
    group = find_group(g, buf_str(&key), hash);
    if (!group)
        return add_group(g, &key, hash, twin, err);
    group->n++;
    return 0;
}

cJSON *query_groups_rows(const struct query_groups *g, size_t at, size_t max)
{
    cJSON *rows = cJSON_CreateArray();

    for (size_t i = at; i < g->n && i - at < max; i++) {
        cJSON *row = cJSON_Duplicate(g->groups[i].first, true);

        for (size_t k = 0; k < g->q->n_items; k++)
            if (g->q->items[k].counts)
                json_add_u64(row, g->q->items[k].name, g->groups[i].n);
        json_push(rows, row);
    }
    return rows;
}

size_t query_groups_count(const struct query_groups *g)
{
    return g->n;
}
