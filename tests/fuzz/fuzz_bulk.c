/* Bulk requests and configurations, on a hub of its own; nothing of one input is there for the
 * next.
 */
#include "tests/hub_inside.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct hub_inside inside;

static void remove_inside(void)
{
    hub_inside_done(&inside);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    hub_inside_init(&inside);
    if (hub_inside_put(&inside, "edge", "", "{\"capabilities\":{\"iotEdge\":true}}", NULL, NULL) <
            0 ||
        hub_inside_put(&inside, "edge", "m", "{}", NULL, NULL) < 0)
        abort();
    (void)atexit(remove_inside);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_json cJSON *json = json_parse((const char *)data, size, NULL);
    auto_json cJSON *answer = NULL;
    auto_json cJSON *shown = NULL;
    struct err err = {0};

    if (!json)
        return 0;
    if (store_begin(inside.hub.store, NULL) < 0)
        abort();
    if (cJSON_IsArray(json))
        (void)registry_bulk(&inside.hub, "", json, &answer, &err);
    else if (configuration_put(&inside.hub, "", "c", json, NULL, &err) == 0 &&
             configuration_show(&inside.hub, "", "c", &shown, &err) < 0)
        abort();
    (void)store_end(inside.hub.store, -1, NULL);
    return 0;
}
