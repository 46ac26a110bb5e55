/* What conditions see of a message; see route.h. Nobody but route*.c includes this. */
#ifndef BERTH_HUB_ROUTE_INPUT_H
#define BERTH_HUB_ROUTE_INPUT_H

#include "vm/guest/hub/route_private.h"

/* Both of a name that is at least as long as it must be. */
struct value route_input_property(struct route_input *in, const char *name, uint32_t hash);
struct value route_input_system(struct route_input *in, enum edge_system system);
/* A value at a path of the JSON body; undefined where the body is not JSON, or the value an object
 * or an array. */
struct value route_input_body(struct route_input *in, const char *path);
/* Whether the body has anything there. */
struct value route_input_body_has(struct route_input *in, const char *path);
/* "/messages/modules/m/outputs/o/" */
const char *route_input_source(const struct route_input *in);

/* ROUTE_STACK_MAX values to calculate with. */
struct value *route_input_stack(struct route_input *in);

#endif
