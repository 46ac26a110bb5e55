/* Deployment manifests. */
#include "vm/guest/hub/manifest.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_json cJSON *body = json_parse((const char *)data, size, NULL);
    const cJSON *modules;
    struct err err = {0};
    bool layered;

    if (!body)
        return 0;
    (void)manifest_check(body, &modules, &err);
    if (json_get(body, "modulesContent"))
        (void)manifest_check_automatic(json_get(body, "modulesContent"), &layered, &err);
    return 0;
}
