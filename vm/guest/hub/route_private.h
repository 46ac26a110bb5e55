/* What the files of the route language share: route_parse.c makes the program, route_eval.c runs
 * it, route_function.c and route_text.c hold what conditions can call. Nobody but route*.c includes
 * this. */
#ifndef BERTH_HUB_ROUTE_PRIVATE_H
#define BERTH_HUB_ROUTE_PRIVATE_H

#include "vm/guest/hub/route.h"

#define ROUTE_STACK_MAX 128
#define ROUTE_DEPTH_MAX 64
#define ROUTE_ARGS_MAX  32

/* What an expression is known to be when it is compiled. A VALUE comes from the body and can be
 * anything. */
enum route_type {
    ROUTE_TYPE_UNDEFINED,
    ROUTE_TYPE_NULL,
    ROUTE_TYPE_BOOL,
    ROUTE_TYPE_NUMBER,
    ROUTE_TYPE_TEXT,
    ROUTE_TYPE_VALUE,
    ROUTE_TYPE_COUNT
};

/* What it is when it is evaluated. A number is never NaN: that is undefined. */
enum value_kind {
    VALUE_UNDEFINED,
    VALUE_MISSING, /* the body has no such member: null, but not defined */
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_NUMBER,
    VALUE_TEXT,
};

struct value {
    enum value_kind kind;
    bool yes;
    double number;
    const char *at; /* text: UTF-8, not terminated; NULL: a property without a value */
    size_t len;
};

enum route_op {
    ROUTE_OP_UNDEFINED,
    ROUTE_OP_NULL,
    ROUTE_OP_BOOL, /* n */
    ROUTE_OP_NUMBER,
    ROUTE_OP_TEXT,
    ROUTE_OP_PROPERTY,           /* an application property */
    ROUTE_OP_SYSTEM,             /* n: which */
    ROUTE_OP_BODY,               /* a path in the body */
    ROUTE_OP_PROPERTY_OR_SYSTEM, /* the application property of this name goes first */
    ROUTE_OP_PROPERTY_OR_BODY,
    ROUTE_OP_TWIN_INCLUDES,
    ROUTE_OP_NEGATE,
    ROUTE_OP_NOT,
    ROUTE_OP_MULTIPLY,
    ROUTE_OP_DIVIDE,
    ROUTE_OP_MODULO,
    ROUTE_OP_ADD,
    ROUTE_OP_SUBTRACT,
    ROUTE_OP_EQ,
    ROUTE_OP_NE,
    ROUTE_OP_LT,
    ROUTE_OP_LE,
    ROUTE_OP_GT,
    ROUTE_OP_GE,
    ROUTE_OP_AND, /* n: an operand comes from the body, so both must be true or false */
    ROUTE_OP_OR,
    ROUTE_OP_COALESCE,
    ROUTE_OP_CALL, /* fn, with n arguments */
};

struct route_function;

struct route_instr {
    enum route_op op;
    unsigned n;
    union {
        double number;
        const struct route_function *fn;
        struct {
            const char *at; /* terminated */
            size_t len;
            uint32_t hash; /* of a property's name */
        } text;
    };
};

struct route {
    char *source; /* "/messages/": what a message's source must begin with */
    char *endpoint, *module, *input;
    struct route_instr *code; /* none: always true */
    size_t n_code;
    char **texts; /* what the code points to */
    size_t n_texts;
};

/* ---- functions ---- */

struct route_call {
    struct route_input *in;
    const struct value *args;
    unsigned n;
};

struct route_function {
    const char *name;
    const char *args; /* one letter each: n number, t text, a either, x anything; the last repeats
                         where more is true */
    unsigned required;
    bool more;
    enum route_type type;
    struct value (*run)(const struct route_call *call);
};

/* NULL: there is none. Whatever the case of NAME. */
const struct route_function *route_function_find(const char *name, size_t len);
struct value route_concat(const struct route_call *call);

/* ---- values ---- */

struct value value_bool(bool yes);
struct value value_number(double number); /* NaN becomes undefined */
struct value value_text(const char *at, size_t len);

/* ---- text ---- */

/* Room for N bytes of a result, until the next message; NULL where all that there is for one
 * message is used up: the result is undefined then. */
char *route_input_room(struct route_input *in, size_t n);

/* Positions in texts count UTF-16 units, as they do for those who write routes for Microsoft's hub.
 */
size_t route_text_units(const char *at, size_t len);
/* The byte at which unit N begins; LEN for the end, SIZE_MAX behind it or inside a character. */
size_t route_text_byte(const char *at, size_t len, size_t n);
/* UTF-8 of a code point; TO has room for 4 bytes. */
size_t route_text_encode(uint32_t point, char *to);
/* Upper or lower case of every character, into room of IN. */
struct value route_text_case(struct route_input *in, struct value text, bool upper);

uint32_t route_hash(const char *name, size_t len); /* whatever its case */

#endif
