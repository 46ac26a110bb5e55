#include "core/base/random.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <string.h>

#define LARGE 5000 /* more than the kernel gives in one piece where a signal comes */

Test(random, fills_all_of_it_and_nothing_behind)
{
    unsigned char bytes[LARGE + 1] = {0};
    bool seen[256] = {false};
    size_t kinds = 0;

    random_bytes(bytes, LARGE);
    for (size_t i = 0; i < LARGE; i++) {
        kinds += seen[bytes[i]] ? 0 : 1;
        seen[bytes[i]] = true;
    }
    cr_assert_eq(kinds, 256);
    cr_assert_eq(bytes[LARGE], 0);
    cr_assert(memcmp(bytes, bytes + LARGE / 2, LARGE / 2) != 0);
}

Test(random, below_is_below_and_reaches_every_number)
{
    unsigned counts[3] = {0};

    for (size_t i = 0; i < 3000; i++) {
        uint64_t n = random_below(3);

        cr_assert_lt(n, 3);
        counts[n]++;
    }
    for (size_t i = 0; i < 3; i++)
        cr_assert_gt(counts[i], 800);
    cr_assert_eq(random_below(1), 0);
}
