/* See random.h. */
#include "core/base/random.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *to, size_t size)
{
    unsigned char *at = to;

    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);

        if (n < 0 && errno != EINTR)
            abort();
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
}

uint64_t random_below(uint64_t n)
{
    uint64_t random;

    assert(n > 0);
    random_bytes(&random, sizeof(random));
    return random % n;
}
