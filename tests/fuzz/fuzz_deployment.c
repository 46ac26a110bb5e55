/* Any JSON as desired properties: accepted or refused with a code; what is accepted makes create
 * bodies, and its chunks join again. */
#include "vm/guest/edged/create_options.h"
#include "vm/guest/edged/deployment.h"
#include "vm/guest/edged/twin.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_module(const struct module_spec *spec)
{
    static const struct create_context context = {
        .device_id = "d", .hub = "h", .hostname = "e", .network = "n", .log_options = ""};
    struct err err;
    char *joined = NULL;
    cJSON *settings = cJSON_CreateObject();
    cJSON_Delete(create_options_body(spec, &context));
    create_options_add_chunks(settings, spec->create_options);
    if (strlen(spec->create_options) < 50000 && (create_options_join(settings, &joined, &err) < 0 ||
                                                 strcmp(joined, spec->create_options) != 0))
        abort();
    free(joined);
    cJSON_Delete(settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct deployment d = {0};
    enum deployment_code code = DEPLOYMENT_OK;
    cJSON *json = size <= (256U << 10) ? json_parse((const char *)data, size, &err) : NULL;
    if (!json)
        return 0;
    if (deployment_parse(json, &d, &code, &err) < 0) {
        if (code == DEPLOYMENT_OK || !err.msg[0])
            abort();
    } else {
        for (size_t i = 0; i < d.n_modules; i++)
            check_module(&d.modules[i]);
        deployment_done(&d);
    }
    /* Merged into nothing, members are unique; then nothing differs from itself. Arrays are
     * compared as they are. */
    cJSON *whole = twin_merge(NULL, json);
    cJSON *diff = twin_diff(whole, whole);
    if (diff && !memchr(data, '[', size))
        abort();
    cJSON_Delete(diff);
    cJSON_Delete(whole);
    cJSON_Delete(json);
    return 0;
}
