/* Bodies of requests to the workload API, and an engine's list of processes. What is taken as
 * base64 is the same again when it is written. */
#include "core/base/str.h"
#include "core/io/base64.h"
#include "vm/guest/edged/certs.h"
#include "vm/guest/edged/workload_body.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bytes(const cJSON *body, const char *key)
{
    auto_buf struct buf bytes = {0}, again = {0};
    struct err err = {0};
    const char *text = NULL;
    if (workload_body_bytes(body, key, &bytes, &err) < 0) {
        if (!err.msg[0])
            abort();
        return;
    }
    if (workload_body_text(body, key, &text, NULL) < 0)
        abort();
    base64_encode(bytes.data, bytes.len, &again);
    if (again.len != strlen(text))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const keys[] = {"data", "plaintext", "ciphertext", "initializationVector"};
    auto_json cJSON *body = json_parse((const char *)data, size, NULL);
    const char *name = NULL;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        check_bytes(body, keys[i]);
    if (workload_body_text(body, "commonName", &name, NULL) == 0 && certs_host_name(name) &&
        strpbrk(name, ", /\\\n\"$"))
        abort();
    if (workload_body_top_has(body, "PID", 1) && !json_get(body, "Titles"))
        abort();
    return 0;
}
