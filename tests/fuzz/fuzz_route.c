/* The route language: text that comes with a deployment, and messages of any client evaluated by
 * it. Input: the route's text, NUL, the message's property bag, NUL, its body. */
#include "vm/guest/hub/route.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct route_input *in;
    const char *text = (const char *)data;
    size_t len = strnlen(text, size);
    const char *bag = len < size ? text + len + 1 : text + size;
    size_t bag_len = strnlen(bag, size - (size_t)(bag - text));
    const char *body = bag + bag_len < text + size ? bag + bag_len + 1 : text + size;
    struct edge_message m = {.device = "d",
                             .module = "m",
                             .output = "o",
                             .model = "",
                             .bag = bag,
                             .bag_len = bag_len,
                             .body = body,
                             .len = (size_t)(text + size - body)};
    struct route *r = NULL;
    struct err err;

    if (route_compile(text, len, &r, &err) < 0) {
        if (!err.msg[0])
            abort();
        return 0;
    }
    if (!in)
        in = route_input_new();
    for (int kind = 0; kind < 2; kind++) {
        m.kind = (enum edge_message_kind)kind;
        route_input_set(in, &m);
        if (route_condition(r, in) != route_condition(r, in))
            abort();
        (void)route_matches(r, in);
    }
    route_free(r);
    return 0;
}
