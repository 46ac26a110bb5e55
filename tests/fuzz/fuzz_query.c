/* Queries and target conditions: what parses also runs over twins. */
#include "core/base/mem.h"
#include "vm/guest/hub/query.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const twins[] = {
    "{}",
    "{\"deviceId\":\"d\",\"moduleId\":\"m\",\"status\":\"enabled\",\"tags\":{\"a\":1,\"b\":{\"c\":"
    "null}},\"properties\":{\"desired\":{\"x\":true},\"reported\":{\"x\":[1,\"y\",null]}},"
    "\"capabilities\":{\"iotEdge\":true},\"configurations\":{\"c\":{\"status\":\"Applied\"}}}",
};

static void run(const struct query *q)
{
    auto_query_groups struct query_groups *g = query_is_grouped(q) ? query_groups_new(q) : NULL;

    for (size_t i = 0; i < ARRAY_LEN(twins); i++) {
        auto_json cJSON *twin = json_parse(twins[i], strlen(twins[i]), NULL);

        if (!query_matches(q, twin))
            continue;
        if (g)
            (void)query_groups_add(g, twin, NULL);
        else
            cJSON_Delete(query_row(q, twin));
    }
    if (g)
        cJSON_Delete(query_groups_rows(g, 0, 10));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = xstrndup((const char *)data, size);
    auto_query struct query *q = NULL;
    auto_query struct query *condition = NULL;
    struct err err = {0};

    if (query_parse(text, &q, &err) == 0)
        run(q);
    else if (err.kind != ERR_INVALID || !err.msg[0])
        abort();
    if (query_parse_condition(text, size % 2, &condition, NULL) == 0)
        run(condition);
    return 0;
}
