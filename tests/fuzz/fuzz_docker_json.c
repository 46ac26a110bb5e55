/* What a container engine answers: the first byte chooses a container, its figures, or the list of
 * images, of which a file is made and read back. */
#include "vm/guest/edged/container.h"
#include "vm/guest/edged/container_stats.h"
#include "vm/guest/edged/gc_images.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at_container(const cJSON *json)
{
    struct container c = {0};
    struct err err = {0};

    if (container_parse(json, &c, &err) < 0) {
        assert(err.msg[0]);
        return;
    }
    assert(c.state < CONTAINER_STATE_COUNT && c.image && c.labels);
    assert(strlen(c.name) < sizeof(c.name) && strlen(c.id) < sizeof(c.id));
    assert(container_status(&c) < STATUS_BACKOFF && module_status_name(container_status(&c)));
    container_done(&c);
}

static void look_at_images(const cJSON *json)
{
    static struct gc_images images, again; /* large */
    static const struct deployment none;

    images.n = 0;
    gc_images_look(&images, json, NULL, &none, 1);
    gc_images_look(&images, json, json, &none, 2);
    assert(images.n <= GC_IMAGES_MAX);

    auto_json cJSON *file = gc_images_json(&images);

    gc_images_parse(file, &again);
    assert(again.n == images.n);
    for (size_t i = 0; i < again.n; i++)
        assert(again.at[i].unused_ms == images.at[i].unused_ms);
    gc_images_parse(json, &again);
    assert(again.n <= GC_IMAGES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct container_stats stats;

    if (!size)
        return 0;

    auto_json cJSON *json = json_parse((const char *)data + 1, size - 1, NULL);

    if (data[0] % 3 == 0)
        look_at_container(json);
    else if (data[0] % 3 == 1)
        container_stats_parse(json, &stats);
    else
        look_at_images(json);
    return 0;
}
