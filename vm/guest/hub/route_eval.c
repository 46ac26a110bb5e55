/* Running a condition; see route.h. Values are three-valued where they are compared or joined: what
 * is not there, or does not fit, makes the whole undefined, and only true takes the route. */
#include "vm/guest/hub/route_input.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#define BODY_PREFIX_LEN 6 /* "$body." in front of a path */

static const struct value undefined = {.kind = VALUE_UNDEFINED};

/* ---- operators ---- */

static struct value arithmetic(enum route_op op, const struct value *a, const struct value *b)
{
    if (a->kind != VALUE_NUMBER || b->kind != VALUE_NUMBER)
        return undefined;
    if (op == ROUTE_OP_MULTIPLY)
        return value_number(a->number * b->number);
    if (op == ROUTE_OP_DIVIDE)
        return value_number(a->number / b->number);
    if (op == ROUTE_OP_MODULO)
        return value_number(fmod(a->number, b->number));
    if (op == ROUTE_OP_ADD)
        return value_number(a->number + b->number);
    return value_number(a->number - b->number);
}

static int compare_texts(const struct value *a, const struct value *b)
{
    int order = memcmp(a->at, b->at, a->len < b->len ? a->len : b->len);

    if (order != 0)
        return order;
    return (a->len > b->len) - (a->len < b->len);
}

static bool is_null(const struct value *v)
{
    return v->kind == VALUE_NULL || v->kind == VALUE_MISSING;
}

/* False where the two have no order. */
static bool order_of(const struct value *a, const struct value *b, int *ret)
{
    if (is_null(a) && is_null(b))
        *ret = 0;
    else if (a->kind != b->kind)
        return false;
    else if (a->kind == VALUE_BOOL)
        *ret = a->yes - b->yes;
    else if (a->kind == VALUE_NUMBER)
        *ret = (a->number > b->number) - (a->number < b->number);
    else
        *ret = compare_texts(a, b);
    return true;
}

static bool is_known(const struct value *v)
{
    return v->kind != VALUE_UNDEFINED && !(v->kind == VALUE_TEXT && !v->at);
}

static struct value compare(enum route_op op, const struct value *a, const struct value *b)
{
    int order;

    if (!is_known(a) || !is_known(b))
        return undefined;
    if (!order_of(a, b, &order)) {
        if (op == ROUTE_OP_EQ || op == ROUTE_OP_NE)
            return value_bool(op == ROUTE_OP_NE);
        return undefined;
    }
    if (op == ROUTE_OP_EQ || op == ROUTE_OP_NE)
        return value_bool((order == 0) == (op == ROUTE_OP_EQ));
    if (op == ROUTE_OP_LT || op == ROUTE_OP_GE)
        return value_bool((order < 0) == (op == ROUTE_OP_LT));
    return value_bool((order > 0) == (op == ROUTE_OP_GT));
}

/* STRICT: with a value of the body, both must be true or false. Null is Microsoft's own: AND with
 * it is null, OR with it is the other. */
static struct value join(enum route_op op, bool strict, const struct value *a,
                         const struct value *b)
{
    bool decides = op == ROUTE_OP_OR; /* the value that decides whatever the other is */
    bool a_known = a->kind == VALUE_BOOL, b_known = b->kind == VALUE_BOOL;

    if (strict && !(a_known && b_known))
        return undefined;
    if (is_null(a) || is_null(b)) {
        if (op == ROUTE_OP_AND)
            return (struct value){.kind = VALUE_NULL};
        return is_null(a) ? *b : *a;
    }
    if ((a_known && a->yes == decides) || (b_known && b->yes == decides))
        return value_bool(decides);
    return a_known && b_known ? value_bool(!decides) : undefined;
}

static struct value negate(const struct value *v)
{
    return v->kind == VALUE_NUMBER ? value_number(-v->number) : undefined;
}

static struct value invert(const struct value *v)
{
    if (v->kind == VALUE_NULL)
        return value_bool(true);
    return v->kind == VALUE_BOOL ? value_bool(!v->yes) : undefined;
}

static struct value binary(const struct route_instr *i, const struct value *a,
                           const struct value *b)
{
    if (i->op <= ROUTE_OP_SUBTRACT)
        return arithmetic(i->op, a, b);
    if (i->op <= ROUTE_OP_GE)
        return compare(i->op, a, b);
    if (i->op == ROUTE_OP_COALESCE)
        return a->kind == VALUE_UNDEFINED || a->kind == VALUE_MISSING ? *b : *a;
    return join(i->op, i->n != 0, a, b);
}

/* ---- operands ---- */

static struct value property_or(struct route_input *in, const struct route_instr *i)
{
    struct value v = route_input_property(in, i->text.at, i->text.hash);

    if (v.kind != VALUE_UNDEFINED)
        return v;
    if (i->op == ROUTE_OP_PROPERTY_OR_BODY)
        return route_input_body(in, i->text.at + BODY_PREFIX_LEN);
    return route_input_system(in, (enum edge_system)i->n);
}

static struct value operand(struct route_input *in, const struct route_instr *i)
{
    if (i->op == ROUTE_OP_NULL)
        return (struct value){.kind = VALUE_NULL};
    if (i->op == ROUTE_OP_BOOL)
        return value_bool(i->n != 0);
    if (i->op == ROUTE_OP_NUMBER)
        return value_number(i->number);
    if (i->op == ROUTE_OP_TEXT)
        return value_text(i->text.at, i->text.len);
    if (i->op == ROUTE_OP_PROPERTY)
        return route_input_property(in, i->text.at, i->text.hash);
    if (i->op == ROUTE_OP_SYSTEM)
        return route_input_system(in, (enum edge_system)i->n);
    if (i->op == ROUTE_OP_BODY)
        return route_input_body(in, i->text.at + BODY_PREFIX_LEN);
    if (i->op == ROUTE_OP_TWIN_INCLUDES)
        return route_input_body_has(in, i->text.at);
    return i->op == ROUTE_OP_UNDEFINED ? undefined : property_or(in, i);
}

/* ---- program ---- */

static struct value run(const struct route *r, struct route_input *in)
{
    struct value *stack = route_input_stack(in);
    size_t n = 0;

    for (const struct route_instr *i = r->code, *end = i + r->n_code; i < end; i++) {
        if (i->op <= ROUTE_OP_TWIN_INCLUDES) {
            assert(n < ROUTE_STACK_MAX); /* the compiler counted */
            stack[n++] = operand(in, i);
        } else if (i->op == ROUTE_OP_NEGATE) {
            stack[n - 1] = negate(&stack[n - 1]);
        } else if (i->op == ROUTE_OP_NOT) {
            stack[n - 1] = invert(&stack[n - 1]);
        } else if (i->op == ROUTE_OP_CALL) {
            n -= i->n;
            stack[n] = i->fn->run(&(struct route_call){.in = in, .args = stack + n, .n = i->n});
            n++;
        } else {
            n--;
            stack[n - 1] = binary(i, &stack[n - 1], &stack[n]);
        }
    }
    return stack[0];
}

enum route_truth route_condition(const struct route *r, struct route_input *in)
{
    if (r->n_code == 0)
        return ROUTE_TRUE;

    struct value v = run(r, in);

    if (v.kind == VALUE_BOOL)
        return v.yes ? ROUTE_TRUE : ROUTE_FALSE;
    return v.kind == VALUE_NULL ? ROUTE_FALSE : ROUTE_UNDEFINED;
}

bool route_matches(const struct route *r, struct route_input *in)
{
    const char *source = route_input_source(in);

    if (strncasecmp(source, r->source, strlen(r->source)) != 0)
        return false;
    return route_condition(r, in) == ROUTE_TRUE;
}
