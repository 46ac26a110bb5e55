/* A direct method's payload from the cloud, and a log from a container, as GetModuleLogs takes
 * them: the payload, a NUL, the log. */
#include "logs/docker_frames.h"
#include "vm/guest/edged/method_request.h"
#include "vm/guest/edged/method_text.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct method_request r;
    struct docker_frames frames;
    const uint8_t *end = memchr(data, '\0', size);
    size_t len = end ? (size_t)(end - data) : size;
    auto_json cJSON *json = json_parse((const char *)data, len, NULL);
    struct err err = {0};
    if (method_request_parse(json, len % 2, 1700000000, &r, &err) < 0) {
        if (!err.msg[0])
            abort();
        return 0;
    }
    const struct method_item *item = method_request_find(&r, "edgeAgent");
    if (item && end) {
        struct method_text *t =
            method_text_new(&(struct method_text_options){.item = item,
                                                          .gzip = r.gzip,
                                                          .json = r.json,
                                                          .hub = "h",
                                                          .device = "d",
                                                          .module = "edgeAgent"});
        docker_frames_init(&frames, DOCKER_MODE_DETECT, method_text_feed, t);
        (void)docker_frames_feed(&frames, end + 1, size - len - 1, NULL);
        method_text_end(t);
        method_text_free(t);
    }
    method_request_done(&r);
    return 0;
}
