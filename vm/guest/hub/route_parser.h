/* What the two halves of the route parser share: route_parse.c reads a route, route_condition.c the
 * expression behind WHERE. Nobody else includes this. */
#ifndef BERTH_HUB_ROUTE_PARSER_H
#define BERTH_HUB_ROUTE_PARSER_H

#include "vm/guest/hub/route_lex.h"
#include "vm/guest/hub/route_private.h"

struct parser {
    const char *text;
    struct token token; /* the next one */
    struct route *route;
    bool twin_source; /* FROM /twinChangeNotifications */
    unsigned depth;   /* of nesting */
    unsigned stack;   /* values on the stack after what was emitted */
    struct err *err;
};

/* "at character 23 (foo): ..." Always -1. */
int parser_fail(struct parser *p, const struct token *t, const char *fmt, ...) ATTR_PRINTF(3, 4);
/* The next token is not WHAT must stand there. Always -1. */
int parser_fail_expected(struct parser *p, const char *what);
void parser_next(struct parser *p);
bool parser_take(struct parser *p, enum token_kind kind);

/* The condition behind WHERE, into the route's code. */
int route_condition_parse(struct parser *p);

#endif
