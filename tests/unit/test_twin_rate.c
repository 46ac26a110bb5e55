#include "vm/guest/hub/twin_rate.h"

#include <criterion/criterion.h>

Test(twin_rate, allows_a_hundred_small_calls_a_second)
{
    struct twin_rate r = {0};

    for (int i = 0; i < 100; i++)
        cr_assert_not(twin_rate_exceeded(&r, 5000, 10), "call %d", i);
    cr_expect(twin_rate_exceeded(&r, 5999, 10));
    cr_expect_not(twin_rate_exceeded(&r, 6000, 10));
}

Test(twin_rate, counts_large_calls_for_more)
{
    struct twin_rate r = {0};
    unsigned n = 0;

    while (!twin_rate_exceeded(&r, 5000, 32768))
        n++;
    cr_expect_eq(n, 5);
    r = (struct twin_rate){0};
    cr_expect_not(twin_rate_exceeded(&r, 5000, 256 * 1024), "one that is too large is refused "
                                                            "for that");
}
