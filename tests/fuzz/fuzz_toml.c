/* Any bytes as config.toml: no crash, and every error names a line or the file. */
#include "core/base/toml.h"
#include "vm/guest/edged/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct toml *root = toml_parse((const char *)data, size, &err);
    if (!root && (err.kind != ERR_INVALID || !err.msg[0]))
        abort();
    toml_free(root);
    struct config config = {0};
    if (config_parse((const char *)data, size, &config, &err) == 0)
        config_done(&config);
    return 0;
}
