#include "core/base/queue.h"

#include <criterion/criterion.h>

Test(queue, gives_in_order_and_lets_go_from_any_place)
{
    struct queue q = {0};
    struct queue_link a = {0}, b = {0}, c = {0}, d = {0};

    cr_expect_null(queue_take(&q));
    queue_append(&q, &a);
    queue_append(&q, &b);
    queue_append(&q, &c);
    queue_append(&q, &d);
    cr_expect_eq(q.n, 4);
    queue_remove(&b);
    queue_remove(&b);
    queue_remove(&d);
    cr_expect_eq(q.n, 2);
    cr_expect_eq(queue_take(&q), &a);
    cr_expect_eq(queue_take(&q), &c);
    cr_expect_null(queue_take(&q));
    queue_append(&q, &b);
    cr_expect_eq(q.first, &b);
    cr_expect_eq(q.last, &b);
    cr_expect_eq(q.n, 1);
}
