/* Two twin sections, one per line: checks, merges, and that the difference leads from one to the
 * other. */
#include "vm/guest/hub/twin_json.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Members that come twice have no defined meaning in JSON. */
static bool has_twins(const cJSON *value)
{
    for (const cJSON *a = value->child; a; a = a->next) {
        for (const cJSON *b = a->next; b; b = b->next)
            if (a->string && b->string && strcmp(a->string, b->string) == 0)
                return true;
        if (has_twins(a))
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\n', size);
    size_t first = end ? (size_t)(end - data) : size;
    auto_json cJSON *a = json_parse((const char *)data, first, NULL);
    auto_json cJSON *b = json_parse((const char *)data + first, size - first, NULL);

    if (!a || !b || twin_json_check(a, "a", NULL) < 0 || twin_json_check(b, "b", NULL) < 0 ||
        has_twins(a) || has_twins(b))
        return 0;

    auto_json cJSON *old = cJSON_CreateObject();
    auto_json cJSON *new = cJSON_CreateObject();
    auto_json cJSON *meta = cJSON_CreateObject();

    twin_json_merge(old, a);
    twin_json_merge(new, b);

    auto_json cJSON *patch = twin_json_diff(old, new);

    twin_json_stamp(meta, patch, "now", 1);
    twin_json_merge(old, patch);
    assert(cJSON_Compare(old, new, true));
    return 0;
}
