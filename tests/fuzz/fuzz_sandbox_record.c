/* sandbox.json, which another program writes. */
#include "provision/sandbox.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_sandbox_record struct sandbox_record r = {0};
    if (sandbox_parse((const char *)data, size, &r, NULL) == 0)
        assert(r.service.data && strlen(r.service.data) == r.service.len && r.pid >= 0 &&
               r.n_hubs >= 1 && r.n_hubs <= ARRAY_LEN(r.hubs));
    return 0;
}
