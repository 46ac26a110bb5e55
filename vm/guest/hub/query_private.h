/* What a query is made of: the parser (query.c) builds it, the evaluator (query_eval.c) walks it.
 */
#ifndef BERTH_HUB_QUERY_PRIVATE_H
#define BERTH_HUB_QUERY_PRIVATE_H

#include "vm/guest/hub/query.h"

enum query_type {
    QUERY_UNDEFINED, /* what is not there */
    QUERY_NULL,
    QUERY_BOOL,
    QUERY_NUMBER,
    QUERY_TEXT,
    QUERY_TREE, /* an object or an array */
};

struct query_value {
    enum query_type type;
    bool truth;
    double number;
    const char *text;  /* borrowed */
    const cJSON *tree; /* borrowed */
};

enum query_op {
    OP_EQUAL,
    OP_NOT_EQUAL,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
};

enum query_function {
    FN_IS_DEFINED,
    FN_IS_NULL,
    FN_IS_BOOL,
    FN_IS_NUMBER,
    FN_IS_STRING,
    FN_IS_OBJECT,
    FN_IS_ARRAY,
    FN_IS_PRIMITIVE,
    FN_STARTS_WITH,
    FN_ENDS_WITH,
    FN_CONTAINS,
    FN_ARRAY_CONTAINS,
};

/* Names one behind the other, each terminated. */
struct query_path {
    const char *names;
    unsigned n;
};

enum query_node_kind {
    NODE_OR, /* of its children; so AND */
    NODE_AND,
    NODE_NOT,
    NODE_COMPARE, /* two children */
    NODE_IN,      /* the first child in the others */
    NODE_CALL,
    NODE_PATH,
    NODE_VALUE,
};

struct query_node {
    enum query_node_kind kind;
    enum query_op op;
    enum query_function function;
    struct query_path path;
    struct query_value value;
    struct query_node *child, *next; /* next: the following child of the same parent */
    struct query_node *made;         /* all nodes of a query, to free them */
};

struct query_item {
    bool counts; /* COUNT(); else PATH */
    struct query_path path;
    const char *name;
};

#define QUERY_ITEMS_MAX 20

struct query {
    char *texts; /* names and literals of all nodes */
    struct query_node *made;
    struct query_node *where; /* NULL: all */
    struct query_item items[QUERY_ITEMS_MAX];
    size_t n_items; /* 0: SELECT * */
    struct query_path groups[QUERY_ITEMS_MAX];
    size_t n_groups;
    bool counts; /* an item does */
    bool modules;
    bool nothing; /* an empty target condition */
    uint64_t top;
    unsigned parts; /* of a twin, of what was read so far */
    unsigned condition_parts;
};

bool query_path_equal(const struct query_path *a, const struct query_path *b);

#endif
