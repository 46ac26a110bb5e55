/* The route language of $edgeHub: FROM source [WHERE condition] INTO sink, compiled once, evaluated
 * for each message without allocation. A condition is Microsoft's message query language: typed
 * when compiled, three-valued when evaluated.
 *
 * Two rules where Microsoft's hub does otherwise, and its own documentation says what we do: a
 * member that the body lacks equals null but is not defined, and an order (<, >=) between values of
 * different types is undefined.
 *
 * Pure; any thread, a route_input by one at a time. */
#ifndef BERTH_HUB_ROUTE_H
#define BERTH_HUB_ROUTE_H

#include "core/base/err.h"
#include "vm/guest/hub/edge_message.h"

#define ROUTE_TEXT_MAX 8192 /* a twin's text is at most half of it */

struct route;

/* TEXT need not be terminated. ERR_INVALID says what is wrong and at which character. */
int route_compile(const char *text, size_t len, struct route **ret, struct err *err);
void route_free(struct route *r); /* NULL is fine */
DEFINE_AUTO(route, struct route, route_free)
#define auto_route ATTR_CLEANUP(route_freep)

/* Where it leads. MODULE NULL: upstream. Borrowed. */
const char *route_module(const struct route *r);
const char *route_input_name(const struct route *r);
/* "$upstream" or "module/input": one queue each. Borrowed. */
const char *route_endpoint(const struct route *r);

/* One message in the form that conditions read: made once, set anew for each message, decoded no
 * further than the conditions ask. */
struct route_input;

struct route_input *route_input_new(void);
void route_input_free(struct route_input *in); /* NULL is fine */
/* M and all that it points to must hold while routes are evaluated. */
void route_input_set(struct route_input *in, const struct edge_message *m);

enum route_truth { ROUTE_UNDEFINED, ROUTE_FALSE, ROUTE_TRUE };

/* The condition alone. */
enum route_truth route_condition(const struct route *r, struct route_input *in);
/* Source and condition: the message takes this route. */
bool route_matches(const struct route *r, struct route_input *in);

#endif
