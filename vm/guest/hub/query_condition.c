/* See query.h: paths and conditions. A recursive descent, which recurses only where parentheses
 * open: AND and OR are nodes with any number of children, NOT is counted. */
#include "vm/guest/hub/query_parser.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/twin_json.h"

#include <string.h>
#include <strings.h>

#define IN_MAX 200

/* ---- paths ---- */

/* Clients write these in any case; behind some of them comes another such name. */
static const char *const members[] = {
    "deviceId",
    "moduleId",
    "etag",
    "deviceEtag",
    "status",
    "statusReason",
    "statusUpdateTime",
    "connectionState",
    "lastActivityTime",
    "cloudToDeviceMessageCount",
    "authenticationType",
    "x509Thumbprint",
    "modelId",
    "version",
    "tags",
    "properties",
    "capabilities",
    "configurations",
    "deviceScope",
    "parentScopes",
};
static const char *const inner_members[] = {"desired", "reported", "iotEdge", "primaryThumbprint",
                                            "secondaryThumbprint"};

static void spell(char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(name, names[i]) == 0)
            memcpy(name, names[i], strlen(names[i]));
}

/* What a hub re-evaluates conditions for; desired properties are not among it, since configurations
 * change them. */
static int check_condition_path(struct query_parser *p, const char *first, const char *second)
{
    static const char *const watched[] = {
        "deviceId",    "moduleId",           "tags",        "status", "capabilities",
        "deviceScope", "authenticationType", "parentScopes"};

    for (size_t i = 0; i < ARRAY_LEN(watched); i++)
        if (str_eq(first, watched[i]))
            return 0;
    if (str_eq(first, "properties") && str_eq(second, "reported"))
        return 0;
    return query_wrong(p,
                       "a target condition looks at deviceId, moduleId, tags, properties.reported, "
                       "status, capabilities or scopes");
}

/* SECOND and THIRD are "" where the path is shorter. */
static unsigned parts_of(const char *first, const char *second, const char *third)
{
    unsigned meta = third[0] && !str_eq(third, "$metadata") ? 0 : TWIN_METADATA;

    if (str_eq(first, "tags"))
        return TWIN_TAGS;
    if (str_eq(first, "configurations"))
        return TWIN_CONFIGURATIONS;
    if (!str_eq(first, "properties"))
        return 0;
    return str_eq(second, "desired")    ? TWIN_DESIRED | meta
           : str_eq(second, "reported") ? TWIN_REPORTED | meta
                                        : TWIN_DESIRED | TWIN_REPORTED | TWIN_METADATA;
}

int query_read_member(struct query_parser *p)
{
    const char *from = p->text + ++p->at;
    const char *end;
    size_t len = 0;

    if (str_starts(from, "[[")) {
        end = strstr(from, "]]");
        if (!end || end == from + 2)
            return query_wrong_at(p, p->at, "[[ needs a name and ]]");
        (void)query_keep(p, from + 2, (size_t)(end - from) - 2);
        p->at += (size_t)(end - from) + 2;
        return 0;
    }
    while (query_name_char(from[len]))
        len++;
    if (len == 0)
        return query_wrong_at(p, p->at, "a name is missing behind the dot");
    (void)query_keep(p, from, len);
    p->at += len;
    return 0;
}

/* The token is its first word; nothing was read behind it yet, so that its names stay together. */
int query_read_path(struct query_parser *p, struct query_path *ret)
{
    const char *first = p->token.text, *second = "", *third = "";
    char *own = p->room - strlen(first) - 1;

    *ret = (struct query_path){.names = first, .n = 1};
    while (p->text[p->at] == '.') {
        if (query_read_member(p) < 0)
            return -1;
        ret->n++;
    }
    spell(own, members, ARRAY_LEN(members));
    if (ret->n > 1) {
        second = first + strlen(first) + 1;
        if (str_eq(first, "properties") || str_eq(first, "capabilities") ||
            str_eq(first, "x509Thumbprint"))
            spell(own + strlen(first) + 1, inner_members, ARRAY_LEN(inner_members));
    }
    if (ret->n > 2)
        third = second + strlen(second) + 1;
    if (p->condition && check_condition_path(p, first, second) < 0)
        return -1;
    p->q->parts |= parts_of(first, second, third);
    return query_advance(p);
}

/* ---- conditions ---- */

static const struct {
    const char *name;
    enum query_function function;
    unsigned arguments;
} functions[] = {
    {"is_defined", FN_IS_DEFINED, 1},   {"is_null", FN_IS_NULL, 1},
    {"is_bool", FN_IS_BOOL, 1},         {"is_number", FN_IS_NUMBER, 1},
    {"is_string", FN_IS_STRING, 1},     {"is_object", FN_IS_OBJECT, 1},
    {"is_array", FN_IS_ARRAY, 1},       {"is_primitive", FN_IS_PRIMITIVE, 1},
    {"starts_with", FN_STARTS_WITH, 2}, {"startswith", FN_STARTS_WITH, 2},
    {"ends_with", FN_ENDS_WITH, 2},     {"endswith", FN_ENDS_WITH, 2},
    {"contains", FN_CONTAINS, 2},       {"array_contains", FN_ARRAY_CONTAINS, 2},
};

static const struct {
    const char *symbol;
    enum query_op op;
} operators[] = {
    {"=", OP_EQUAL},       {"!=", OP_NOT_EQUAL}, {"<>", OP_NOT_EQUAL},     {"<", OP_LESS},
    {"<=", OP_LESS_EQUAL}, {">", OP_GREATER},    {">=", OP_GREATER_EQUAL},
};

static struct query_node *node_new(struct query_parser *p, enum query_node_kind kind)
{
    struct query_node *node = xcalloc(1, sizeof(*node));

    node->kind = kind;
    node->made = p->q->made;
    p->q->made = node;
    return node;
}

static struct query_node *parse_operand(struct query_parser *p);

/* At what opens a parenthesis, or is a function before one. */
static int enter(struct query_parser *p)
{
    return ++p->depth > QUERY_DEPTH_MAX ? query_wrong(p, "nested too deep") : 0;
}

/* The token is the function's name. */
static struct query_node *parse_call(struct query_parser *p, size_t f)
{
    struct query_node *node = node_new(p, NODE_CALL);
    struct query_node **end = &node->child;
    unsigned n = 0;

    node->function = functions[f].function;
    if (enter(p) < 0 || query_advance(p) < 0 || query_need_symbol(p, "(") < 0)
        return NULL;
    while (!query_is_symbol(p, ")")) {
        if ((n > 0 && query_need_symbol(p, ",") < 0) || !(*end = parse_operand(p)))
            return NULL;
        end = &(*end)->next;
        n++;
    }
    if (n != functions[f].arguments) {
        (void)query_wrong(p, functions[f].arguments == 1 ? "the function takes one value"
                                                         : "the function takes two values");
        return NULL;
    }
    p->depth--;
    return query_advance(p) < 0 ? NULL : node;
}

/* A word: a constant, a function or the beginning of a path. */
static struct query_node *parse_word(struct query_parser *p)
{
    static const struct {
        const char *word;
        enum query_type type;
        bool truth;
    } constants[] = {{"true", QUERY_BOOL, true},
                     {"false", QUERY_BOOL, false},
                     {"null", QUERY_NULL, false},
                     {"undefined", QUERY_UNDEFINED, false}};
    struct query_node *node = NULL;

    if (query_before(p, '(')) {
        for (size_t f = 0; f < ARRAY_LEN(functions); f++)
            if (query_is_keyword(p, functions[f].name))
                return parse_call(p, f);
        (void)query_wrong(p, "there is no such function");
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(constants); i++)
        if (query_is_keyword(p, constants[i].word) && p->text[p->at] != '.') {
            node = node_new(p, NODE_VALUE);
            node->value.type = constants[i].type;
            node->value.truth = constants[i].truth;
            return query_advance(p) < 0 ? NULL : node;
        }
    node = node_new(p, NODE_PATH);
    return query_read_path(p, &node->path) < 0 ? NULL : node;
}

static struct query_node *parse_operand(struct query_parser *p)
{
    struct query_node *node = NULL;

    if (p->token.kind == TOKEN_WORD)
        return parse_word(p);
    if (query_is_symbol(p, "(")) {
        if (enter(p) < 0 || query_advance(p) < 0 || !(node = query_parse_or(p)) ||
            query_need_symbol(p, ")") < 0)
            return NULL;
        p->depth--;
        return node;
    }
    if (p->token.kind != TOKEN_TEXT && p->token.kind != TOKEN_NUMBER) {
        (void)query_wrong(p, "a name or a value is missing");
        return NULL;
    }
    node = node_new(p, NODE_VALUE);
    node->value.type = p->token.kind == TOKEN_TEXT ? QUERY_TEXT : QUERY_NUMBER;
    node->value.text = p->token.text;
    node->value.number = p->token.number;
    return query_advance(p) < 0 ? NULL : node;
}

/* "['a', 'b']"; the token is the bracket. */
static struct query_node *parse_in(struct query_parser *p, struct query_node *what)
{
    struct query_node *node = node_new(p, NODE_IN);
    struct query_node **end = &what->next;
    size_t n = 0;

    node->child = what;
    if (query_need_symbol(p, "[") < 0)
        return NULL;
    while (!query_is_symbol(p, "]")) {
        if (n++ == IN_MAX) {
            (void)query_wrong(p, "the list is too long");
            return NULL;
        }
        if ((n > 1 && query_need_symbol(p, ",") < 0) || !(*end = parse_operand(p)))
            return NULL;
        end = &(*end)->next;
    }
    return query_advance(p) < 0 ? NULL : node;
}

static struct query_node *negate(struct query_parser *p, struct query_node *what)
{
    struct query_node *node = what ? node_new(p, NODE_NOT) : NULL;

    if (node)
        node->child = what;
    return node;
}

/* "NOT" is the token, and "IN" follows. */
static bool is_not_in(const struct query_parser *p)
{
    const char *behind = p->text + p->at + strspn(p->text + p->at, " \t\r\n");

    return query_is_keyword(p, "NOT") && strncasecmp(behind, "IN", 2) == 0 &&
           !query_name_char(behind[2]);
}

static struct query_node *parse_comparison(struct query_parser *p)
{
    struct query_node *left = parse_operand(p);
    struct query_node *node;

    if (!left)
        return NULL;
    if (query_is_keyword(p, "IN"))
        return query_advance(p) < 0 ? NULL : parse_in(p, left);
    if (query_is_keyword(p, "NIN"))
        return query_advance(p) < 0 ? NULL : negate(p, parse_in(p, left));
    if (is_not_in(p))
        return query_advance(p) < 0 || query_need_keyword(p, "IN") < 0
                   ? NULL
                   : negate(p, parse_in(p, left));
    for (size_t i = 0; i < ARRAY_LEN(operators); i++)
        if (query_is_symbol(p, operators[i].symbol)) {
            node = node_new(p, NODE_COMPARE);
            node->op = operators[i].op;
            node->child = left;
            if (query_advance(p) < 0 || !(left->next = parse_operand(p)))
                return NULL;
            return node;
        }
    return left;
}

static struct query_node *parse_not(struct query_parser *p)
{
    bool odd = false;

    while (query_is_keyword(p, "NOT")) {
        odd = !odd;
        if (query_advance(p) < 0)
            return NULL;
    }

    struct query_node *node = parse_comparison(p);

    return odd ? negate(p, node) : node;
}

/* Also "a = 1 NOT b = 2": Microsoft's examples of target conditions leave out the AND. */
static struct query_node *parse_and(struct query_parser *p)
{
    struct query_node *first = parse_not(p);
    struct query_node *node, **end;

    if (!first || !(query_is_keyword(p, "AND") || query_is_keyword(p, "NOT")))
        return first;
    node = node_new(p, NODE_AND);
    node->child = first;
    end = &first->next;
    while (query_is_keyword(p, "AND") || query_is_keyword(p, "NOT")) {
        if ((query_is_keyword(p, "AND") && query_advance(p) < 0) || !(*end = parse_not(p)))
            return NULL;
        end = &(*end)->next;
    }
    return node;
}

struct query_node *query_parse_or(struct query_parser *p)
{
    struct query_node *first = parse_and(p);
    struct query_node *node, **end;

    if (!first || !query_is_keyword(p, "OR"))
        return first;
    node = node_new(p, NODE_OR);
    node->child = first;
    end = &first->next;
    while (query_is_keyword(p, "OR")) {
        if (query_advance(p) < 0 || !(*end = parse_and(p)))
            return NULL;
        end = &(*end)->next;
    }
    return node;
}
