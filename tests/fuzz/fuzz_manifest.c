/* Deployment manifests. */
#include "vm/guest/hub/manifest.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_json cJSON *body = json_parse((const char *)data, size, NULL);
    const cJSON *modules;
    struct err err = {0};

    if (body)
        (void)manifest_check(body, &modules, &err);
    return 0;
}
