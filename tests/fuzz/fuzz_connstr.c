/* Connection strings as people paste them. */
#include "core/azure/connstr.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_connstr struct connstr c = {0};
    struct err err = {0};

    if (connstr_parse((const char *)data, size, &c, &err) == 0)
        (void)connstr_check_device(&c, &err);
    return 0;
}
