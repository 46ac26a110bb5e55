/* $edgeHub's desired properties: a twin that somebody deployed, as JSON. */
#include "vm/guest/hub/edge_config.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void each(void *arg, enum edge_change change, const char *name)
{
    *(unsigned *)arg += (unsigned)change + (name[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cJSON *json = json_parse((const char *)data, size, NULL);
    struct edge_config *c = NULL, *first = edge_config_default();
    struct err err = {0};
    unsigned n = 0;

    if (json && edge_config_parse(json, &c, &err) < 0 && !err.msg[0])
        abort();
    if (c) {
        edge_config_diff(c, c, each, &n);
        if (n != 0)
            abort();
        edge_config_diff(first, c, each, &n);
    }
    edge_config_free(c);
    edge_config_free(first);
    cJSON_Delete(json);
    return 0;
}
