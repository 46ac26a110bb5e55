/* What the runtime tells its edge hub, as a file that somebody damaged. */
#include "vm/guest/hub/edge_settings.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct edge_settings *s = NULL;
    struct err err = {0};

    if (edge_settings_parse((const char *)data, size, "/dir", &s, &err) < 0 && !err.msg[0])
        abort();
    if (s && (!s->listen[0] || !s->hub[0] || !s->device[0] || s->max_clients == 0))
        abort();
    edge_settings_free(s);
    return 0;
}
