/* Documents that people hand over for a hub: configurations, twin patches, devices to be changed.
 * The first byte chooses. What is made of them is JSON. */
#include "provision/hub_body.h"

#include "core/base/json.h"

#include <assert.h>
#include <string.h>

static void expect_object(const struct buf *out)
{
    auto_json cJSON *root = json_parse(buf_str(out), out->len, NULL);
    /* cJSON prints numbers beyond a double's range as null, never as something that is no JSON. */
    assert(cJSON_IsObject(root));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct hub_configuration_options none;
    auto_buf struct buf out = {0};
    char id[SANDBOX_ID_MAX], etag[64];
    const char *text = (const char *)data + 1;
    if (!size)
        return 0;
    size_t len = size - 1;
    if (data[0] % 3 == 0 && hub_body_configuration(text, len, &none, id, &out, NULL) == 0) {
        assert(id[0] && strlen(id) < sizeof(id));
        expect_object(&out);
    } else if (data[0] % 3 == 1 && hub_body_twin(text, len, etag, &out, NULL) == 0) {
        assert(strlen(etag) < sizeof(etag));
        expect_object(&out);
    } else if (data[0] % 3 == 2 && hub_body_device_status(text, len, false, &out, NULL) == 0) {
        expect_object(&out);
    }
    return 0;
}
