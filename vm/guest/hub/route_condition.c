/* From the text of a condition to its program; see route_private.h. It becomes a list of
 * instructions for a stack, so that evaluating needs no recursion; each expression's type is known
 * when it is compiled, and what cannot work is refused here, in words. */
#include "vm/guest/hub/route_parser.h"

#include "core/base/mem.h"
#include "vm/guest/hub/route_json.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BODY_PREFIX "$body."

static int parse_expr(struct parser *p, unsigned lowest, enum route_type *ret);

/* ---- program ---- */

/* Adds an instruction that takes POPS values and leaves one. */
static int emit(struct parser *p, unsigned pops, const struct route_instr *instr)
{
    struct route *r = p->route;

    p->stack = p->stack - pops + 1;
    if (p->stack > ROUTE_STACK_MAX)
        return parser_fail(p, &p->token, "the condition is too complex");
    r->code = xreallocarray(r->code, r->n_code + 1, sizeof(*r->code));
    r->code[r->n_code++] = *instr;
    return 0;
}

static const char *keep(struct parser *p, const char *text, size_t len)
{
    struct route *r = p->route;

    r->texts = xreallocarray(r->texts, r->n_texts + 1, sizeof(*r->texts));
    return r->texts[r->n_texts++] = xstrndup(text, len);
}

static int emit_text(struct parser *p, enum route_op op, unsigned n, const char *text, size_t len)
{
    const struct route_instr instr = {
        .op = op,
        .n = n,
        .text = {.at = keep(p, text, len), .len = len, .hash = route_hash(text, len)},
    };

    return emit(p, 0, &instr);
}

/* ---- types ---- */

static const char *const type_words[] = {
    [ROUTE_TYPE_UNDEFINED] = "undefined", [ROUTE_TYPE_NULL] = "null",
    [ROUTE_TYPE_BOOL] = "true or false",  [ROUTE_TYPE_NUMBER] = "a number",
    [ROUTE_TYPE_TEXT] = "a text",         [ROUTE_TYPE_VALUE] = "a value of the body",
};
_Static_assert(ARRAY_LEN(type_words) == ROUTE_TYPE_COUNT, "words for each type");

/* What to do about a text where something else is needed: properties are texts. */
static const char *advice(enum route_type given, enum route_type wanted)
{
    if (given == ROUTE_TYPE_TEXT && wanted == ROUTE_TYPE_NUMBER)
        return " (properties are texts: as_number() makes a number of one)";
    if (given == ROUTE_TYPE_TEXT && wanted == ROUTE_TYPE_BOOL)
        return " (properties are texts: compare with = 'true', in brackets behind NOT)";
    return "";
}

static bool fits(enum route_type wanted, enum route_type given)
{
    if (wanted == ROUTE_TYPE_VALUE)
        return given != ROUTE_TYPE_UNDEFINED;
    return given == wanted || (given == ROUTE_TYPE_VALUE && wanted != ROUTE_TYPE_UNDEFINED);
}

static int fail_operand(struct parser *p, const struct token *op, enum route_type wanted,
                        enum route_type given)
{
    return parser_fail(p, op, "needs %s, and has %s%s", type_words[wanted], type_words[given],
                       advice(given, wanted));
}

/* Both operands must be WANTED. */
static int check_both(struct parser *p, const struct token *op, enum route_type wanted,
                      const enum route_type given[2])
{
    for (int i = 0; i < 2; i++)
        if (!fits(wanted, given[i]))
            return fail_operand(p, op, wanted, given[i]);
    return 0;
}

static int check_same(struct parser *p, const struct token *op, const enum route_type given[2])
{
    if (fits(given[0], given[1]))
        return 0;
    return parser_fail(
        p, op, "%s and %s do not go together%s", type_words[given[0]], type_words[given[1]],
        given[0] == ROUTE_TYPE_TEXT ? advice(given[0], given[1]) : advice(given[1], given[0]));
}

static bool is_logical(enum route_type t)
{
    return t != ROUTE_TYPE_NUMBER && t != ROUTE_TYPE_TEXT;
}

/* AND, OR: the type of the result, which with null is Microsoft's own. */
static enum route_type logical_type(enum token_kind op, const enum route_type given[2])
{
    bool left = given[0] == ROUTE_TYPE_NULL, right = given[1] == ROUTE_TYPE_NULL;

    return (op == TOKEN_AND ? left || right : left && right) ? ROUTE_TYPE_NULL : ROUTE_TYPE_BOOL;
}

/* ---- operators ---- */

enum check { CHECK_NUMBERS, CHECK_TEXTS, CHECK_SAME, CHECK_LOGICAL, CHECK_COALESCE };

static const struct {
    enum token_kind token;
    unsigned precedence; /* higher binds closer */
    enum route_op op;
    enum check check;
} operators[] = {
    {TOKEN_COALESCE, 1, ROUTE_OP_COALESCE, CHECK_COALESCE},
    {TOKEN_OR, 2, ROUTE_OP_OR, CHECK_LOGICAL},
    {TOKEN_AND, 3, ROUTE_OP_AND, CHECK_LOGICAL},
    {TOKEN_EQ, 4, ROUTE_OP_EQ, CHECK_SAME},
    {TOKEN_NE, 4, ROUTE_OP_NE, CHECK_SAME},
    {TOKEN_LT, 5, ROUTE_OP_LT, CHECK_SAME},
    {TOKEN_LE, 5, ROUTE_OP_LE, CHECK_SAME},
    {TOKEN_GT, 5, ROUTE_OP_GT, CHECK_SAME},
    {TOKEN_GE, 5, ROUTE_OP_GE, CHECK_SAME},
    {TOKEN_PLUS, 6, ROUTE_OP_ADD, CHECK_NUMBERS},
    {TOKEN_MINUS, 6, ROUTE_OP_SUBTRACT, CHECK_NUMBERS},
    {TOKEN_CONCAT, 6, ROUTE_OP_CALL, CHECK_TEXTS},
    {TOKEN_STAR, 7, ROUTE_OP_MULTIPLY, CHECK_NUMBERS},
    {TOKEN_SLASH, 7, ROUTE_OP_DIVIDE, CHECK_NUMBERS},
    {TOKEN_PERCENT, 7, ROUTE_OP_MODULO, CHECK_NUMBERS},
};

/* The row of an operator, or -1. */
static int operator_row(enum token_kind kind)
{
    for (size_t i = 0; i < ARRAY_LEN(operators); i++)
        if (operators[i].token == kind)
            return (int)i;
    return -1;
}

static int emit_binary(struct parser *p, int row, const struct token *op,
                       const enum route_type given[2], enum route_type *ret)
{
    bool from_body = given[0] == ROUTE_TYPE_VALUE || given[1] == ROUTE_TYPE_VALUE;
    struct route_instr instr = {.op = operators[row].op};
    int status = 0;

    switch (operators[row].check) {
    case CHECK_NUMBERS:
        status = check_both(p, op, ROUTE_TYPE_NUMBER, given);
        *ret = from_body ? ROUTE_TYPE_VALUE : ROUTE_TYPE_NUMBER;
        break;
    case CHECK_TEXTS:
        status = check_both(p, op, ROUTE_TYPE_TEXT, given);
        instr.fn = route_function_find("concat", strlen("concat"));
        instr.n = 2;
        *ret = ROUTE_TYPE_TEXT;
        break;
    case CHECK_SAME:
        status = check_same(p, op, given);
        *ret = ROUTE_TYPE_BOOL;
        break;
    case CHECK_LOGICAL:
        for (int i = 0; i < 2 && status == 0; i++)
            if (!is_logical(given[i]))
                status = fail_operand(p, op, ROUTE_TYPE_BOOL, given[i]);
        instr.n = from_body;
        *ret = logical_type(op->kind, given);
        break;
    case CHECK_COALESCE:
        status = check_same(p, op, given);
        *ret = from_body ? ROUTE_TYPE_VALUE : given[0];
        break;
    }
    return status < 0 ? -1 : emit(p, 2, &instr);
}

static int emit_negate(struct parser *p, const struct token *op, enum route_type type)
{
    if (!fits(ROUTE_TYPE_NUMBER, type))
        return fail_operand(p, op, ROUTE_TYPE_NUMBER, type);
    return emit(p, 1, &(struct route_instr){.op = ROUTE_OP_NEGATE});
}

static int emit_not(struct parser *p, const struct token *op, enum route_type *type)
{
    if (*type != ROUTE_TYPE_NULL && !fits(ROUTE_TYPE_BOOL, *type))
        return fail_operand(p, op, ROUTE_TYPE_BOOL, *type);
    *type = ROUTE_TYPE_BOOL;
    return emit(p, 1, &(struct route_instr){.op = ROUTE_OP_NOT});
}

/* ---- names ---- */

/* A '$' name: the body, a system property, or first of all an application property that is named so
 * to the letter. ALONE: in braces, where application properties do not count. */
static int parse_system(struct parser *p, bool alone, enum route_type *ret)
{
    const struct token t = p->token;
    size_t prefix = strlen(BODY_PREFIX);
    bool indexed = memchr(t.at, '[', t.len) || memchr(t.at, ']', t.len);

    parser_next(p);
    if (t.len > prefix && strncasecmp(t.at, BODY_PREFIX, prefix) == 0) {
        auto_free char *path = xstrndup(t.at + prefix, t.len - prefix);
        const char *why = route_json_path_error(path, true);

        if (why)
            return parser_fail(p, &t, "%s", why);
        *ret = ROUTE_TYPE_VALUE;
        return emit_text(p, alone || indexed ? ROUTE_OP_BODY : ROUTE_OP_PROPERTY_OR_BODY, 0, t.at,
                         t.len);
    }
    if (indexed)
        return parser_fail(p, &t, "an index needs a name of the body in front: $body.name[0]");

    *ret = ROUTE_TYPE_TEXT;
    return emit_text(p, alone ? ROUTE_OP_SYSTEM : ROUTE_OP_PROPERTY_OR_SYSTEM,
                     (unsigned)edge_system_named(t.at + 1, t.len - 1), t.at, t.len);
}

/* twin_change_includes(properties.reported.name); behind its opening bracket. */
static int parse_twin_includes(struct parser *p, const struct token *name)
{
    static const char *const prefixes[] = {"properties.reported.", "properties.desired.", "tags."};
    const struct token t = p->token;
    auto_free char *path = xstrndup(t.at, t.len);
    const char *why = "must name a part of the twin: properties.reported.NAME,"
                      " properties.desired.NAME or tags.NAME";

    if (!p->twin_source)
        return parser_fail(p, name, "works only in a route FROM /twinChangeNotifications");
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (t.kind == TOKEN_WORD && strncasecmp(path, prefixes[i], strlen(prefixes[i])) == 0)
            why = route_json_path_error(path, false);
    if (why)
        return parser_fail(p, &t, "%s", why);
    parser_next(p);
    if (!parser_take(p, TOKEN_CLOSE))
        return parser_fail_expected(p, "a closing bracket");
    return emit_text(p, ROUTE_OP_TWIN_INCLUDES, 0, t.at, t.len);
}

static bool argument_fits(char wanted, enum route_type given)
{
    switch (wanted) {
    case 'n':
        return fits(ROUTE_TYPE_NUMBER, given);
    case 't':
        return fits(ROUTE_TYPE_TEXT, given);
    case 'a':
        return fits(ROUTE_TYPE_NUMBER, given) || fits(ROUTE_TYPE_TEXT, given);
    default:
        return true;
    }
}

static int check_argument(struct parser *p, const struct token *name,
                          const struct route_function *fn, unsigned i, enum route_type given)
{
    size_t last = strlen(fn->args) - 1;
    char wanted = fn->args[i < last ? i : last];
    enum route_type type = wanted == 'n' ? ROUTE_TYPE_NUMBER : ROUTE_TYPE_TEXT;

    if (argument_fits(wanted, given))
        return 0;
    return parser_fail(p, name, "argument %u must be %s, and is %s%s", i + 1, type_words[type],
                       type_words[given], advice(given, type));
}

/* Behind the opening bracket. */
static int parse_call(struct parser *p, const struct token *name, enum route_type *ret)
{
    const struct route_function *fn = route_function_find(name->at, name->len);
    unsigned n = 0;

    if (!fn)
        return parser_fail(p, name, "there is no such function");
    if (!parser_take(p, TOKEN_CLOSE)) {
        do {
            enum route_type given = ROUTE_TYPE_UNDEFINED;

            if (n == (fn->more ? ROUTE_ARGS_MAX : strlen(fn->args)))
                return parser_fail(p, name, "too many arguments");
            if (parse_expr(p, 1, &given) < 0 || check_argument(p, name, fn, n, given) < 0)
                return -1;
            n++;
        } while (parser_take(p, TOKEN_COMMA));
        if (!parser_take(p, TOKEN_CLOSE))
            return parser_fail_expected(p, "a comma or a closing bracket");
    }
    if (n < fn->required)
        return parser_fail(p, name, "needs %u argument%s", fn->required,
                           fn->required > 1 ? "s" : "");
    *ret = fn->type;
    return emit(p, n, &(struct route_instr){.op = ROUTE_OP_CALL, .n = n, .fn = fn});
}

static int parse_name(struct parser *p, enum route_type *ret)
{
    static const char twin[] = "twin_change_includes";
    const struct token t = p->token;

    parser_next(p);
    if (!parser_take(p, TOKEN_OPEN)) {
        *ret = ROUTE_TYPE_TEXT;
        return emit_text(p, ROUTE_OP_PROPERTY, 0, t.at, t.len);
    }
    if (t.len == strlen(twin) && strncasecmp(t.at, twin, t.len) == 0) {
        *ret = ROUTE_TYPE_BOOL;
        return parse_twin_includes(p, &t);
    }
    return parse_call(p, &t, ret);
}

/* ---- literals ---- */

static int parse_text(struct parser *p, enum route_type *ret)
{
    const struct token t = p->token;
    /* A text's escapes are among those of JSON, but for \' which is a quote like any other. */
    auto_free char *plain = xmalloc(t.len);
    size_t n = 0;

    for (const char *at = t.at + 1, *end = t.at + t.len - 1; at < end;) {
        struct route_json escape = {.kind = ROUTE_JSON_TEXT, .at = at};

        if (*at != '\\' || at[1] == '\'') {
            at += *at == '\\';
            plain[n++] = *at++;
            continue;
        }
        escape.len = at[1] != 'u' ? 2 : (end - at >= 12 && at[6] == '\\' && at[7] == 'u') ? 12 : 6;
        n += route_json_decode(&escape, plain + n);
        at += escape.len;
    }
    parser_next(p);
    *ret = ROUTE_TYPE_TEXT;
    return emit_text(p, ROUTE_OP_TEXT, 0, plain, n);
}

static int parse_number(struct parser *p, enum route_type *ret)
{
    const struct token t = p->token;
    bool hex = t.len > 2 && (t.at[1] == 'x' || t.at[1] == 'X');
    struct route_instr instr = {.op = ROUTE_OP_NUMBER};

    if (hex && t.len > 18)
        return parser_fail(p, &t, "the number has more than 16 hexadecimal digits");
    /* What Microsoft's hub reads is signed. */
    instr.number = hex ? (double)(long long)strtoull(t.at, NULL, 16) : strtod(t.at, NULL);
    parser_next(p);
    *ret = ROUTE_TYPE_NUMBER;
    return emit(p, 0, &instr);
}

static int parse_constant(struct parser *p, const struct route_instr *instr, enum route_type type,
                          enum route_type *ret)
{
    parser_next(p);
    *ret = type;
    return emit(p, 0, instr);
}

/* ---- expressions ---- */

static int parse_braces(struct parser *p, enum route_type *ret)
{
    parser_next(p);
    if (p->token.kind != TOKEN_SYS)
        return parser_fail_expected(p, "a name that begins with $");
    if (parse_system(p, true, ret) < 0)
        return -1;
    return parser_take(p, TOKEN_CLOSE_BRACE) ? 0 : parser_fail_expected(p, "a closing brace");
}

static int parse_brackets(struct parser *p, enum route_type *ret)
{
    parser_next(p);
    if (parse_expr(p, 1, ret) < 0)
        return -1;
    return parser_take(p, TOKEN_CLOSE)
               ? 0
               : parser_fail_expected(p, "an operator or a closing bracket");
}

static int parse_primary(struct parser *p, enum route_type *ret)
{
    enum token_kind kind = p->token.kind;

    if (kind == TOKEN_WORD)
        return parse_name(p, ret);
    if (kind == TOKEN_SYS)
        return parse_system(p, false, ret);
    if (kind == TOKEN_TEXT)
        return parse_text(p, ret);
    if (kind == TOKEN_NUMBER)
        return parse_number(p, ret);
    if (kind == TOKEN_TRUE || kind == TOKEN_FALSE)
        return parse_constant(p,
                              &(struct route_instr){.op = ROUTE_OP_BOOL, .n = kind == TOKEN_TRUE},
                              ROUTE_TYPE_BOOL, ret);
    if (kind == TOKEN_NULL)
        return parse_constant(p, &(struct route_instr){.op = ROUTE_OP_NULL}, ROUTE_TYPE_NULL, ret);
    if (kind == TOKEN_UNDEFINED)
        return parse_constant(p, &(struct route_instr){.op = ROUTE_OP_UNDEFINED},
                              ROUTE_TYPE_UNDEFINED, ret);
    if (kind == TOKEN_OPEN)
        return parse_brackets(p, ret);
    if (kind == TOKEN_OPEN_BRACE)
        return parse_braces(p, ret);
    return parser_fail_expected(p, "a value: a name, a number, a text in quotes, a function");
}

static int parse_unary(struct parser *p, enum route_type *ret)
{
    const struct token op = p->token;
    int status;

    if (++p->depth > ROUTE_DEPTH_MAX)
        return parser_fail(p, &op, "nested deeper than %d levels", ROUTE_DEPTH_MAX);
    if (op.kind == TOKEN_MINUS || op.kind == TOKEN_NOT) {
        parser_next(p);
        status = parse_unary(p, ret);
        if (status == 0)
            status = op.kind == TOKEN_NOT ? emit_not(p, &op, ret) : emit_negate(p, &op, *ret);
    } else {
        status = parse_primary(p, ret);
    }
    p->depth--;
    return status;
}

/* Operators that bind at least as close as LOWEST. All are left-associative. */
static int parse_expr(struct parser *p, unsigned lowest, enum route_type *ret)
{
    enum route_type given[2] = {ROUTE_TYPE_UNDEFINED, ROUTE_TYPE_UNDEFINED};

    if (parse_unary(p, &given[0]) < 0)
        return -1;
    for (;;) {
        const struct token op = p->token;
        int row = operator_row(op.kind);

        if (row < 0 || operators[row].precedence < lowest)
            break;
        parser_next(p);
        if (parse_expr(p, operators[row].precedence + 1, &given[1]) < 0 ||
            emit_binary(p, row, &op, given, &given[0]) < 0)
            return -1;
    }
    *ret = given[0];
    return 0;
}

int route_condition_parse(struct parser *p)
{
    enum route_type type; /* a condition of any other type than bool is never true */

    return parse_expr(p, 1, &type);
}
