/* A manifest out of a bundle that somebody carried here on a stick. */
#include "vm/bundle.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bundle b;
    struct err err = {0};
    if (bundle_parse((const char *)data, size, &b, &err) < 0) {
        assert(err.kind == ERR_INVALID && err.msg[0]);
        return 0;
    }
    uint64_t sum = 0;
    for (int i = 0; i < BUNDLE_PART_COUNT; i++) {
        assert(b.files[i].size && strlen(b.files[i].sha256) == 64);
        sum += b.files[i].size;
    }
    assert(sum == b.size && b.dir[0] == '\0' && b.version[0]);
    return 0;
}
