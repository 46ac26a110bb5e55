/* The ring of log lines: bounds, exact gaps, reading on after an overrun. */
#include "core/base/str.h"
#include "logs/line_ring.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool push(struct line_ring *r, uint64_t seq, const char *text)
{
    return line_ring_push(r, &(struct log_entry){.seq = seq, .text = text, .len = strlen(text)});
}

Test(line_ring, numbers_lines_that_have_no_number)
{
    auto_line_ring struct line_ring *r = line_ring_new(10, 1000);
    cr_assert(push(r, 0, "a"));
    cr_assert(push(r, 0, "b"));
    struct log_entry e;
    cr_assert(line_ring_at(r, 1, &e));
    cr_assert_eq(e.seq, 2);
    cr_assert_str_eq(e.text, "b");
    cr_assert_eq(line_ring_first(r), 1);
    cr_assert_eq(line_ring_last(r), 2);
    cr_assert_not(line_ring_at(r, 2, &e));
}

Test(line_ring, drops_the_oldest_beyond_its_lines)
{
    auto_line_ring struct line_ring *r = line_ring_new(3, 1000);
    for (uint64_t i = 1; i <= 5; i++)
        cr_assert(push(r, i, "x"));
    cr_assert_eq(line_ring_count(r), 3);
    cr_assert_eq(line_ring_first(r), 3);
    cr_assert_eq(line_ring_bytes(r), 3);
    struct log_entry e;
    cr_assert(line_ring_next(r, 1, &e));
    cr_assert_eq(e.seq, 3);
    cr_assert_eq(e.gap, 2, "a reader at 1 missed 1 and 2");
    cr_assert(line_ring_next(r, e.seq + 1, &e));
    cr_assert_eq(e.gap, 0);
    cr_assert(line_ring_next(r, e.seq + 1, &e));
    cr_assert_eq(e.seq, 5);
    cr_assert_not(line_ring_next(r, e.seq + 1, &e));
}

Test(line_ring, counts_what_was_lost_on_the_way)
{
    auto_line_ring struct line_ring *r = line_ring_new(10, 1000);
    cr_assert(push(r, 1, "a"));
    cr_assert(push(r, 8, "b"));
    struct log_entry e;
    cr_assert(line_ring_at(r, 1, &e));
    cr_assert_eq(e.gap, 6);
    cr_assert_eq(line_ring_lost(r), 6);
    cr_assert(line_ring_next(r, 2, &e));
    cr_assert_eq(e.gap, 6);
}

Test(line_ring, ignores_a_second_delivery)
{
    auto_line_ring struct line_ring *r = line_ring_new(10, 1000);
    cr_assert(push(r, 5, "a"));
    cr_assert_not(push(r, 5, "a"));
    cr_assert_not(push(r, 4, "z"));
    cr_assert_eq(line_ring_count(r), 1);
}

Test(line_ring, cuts_a_text_larger_than_itself)
{
    auto_line_ring struct line_ring *r = line_ring_new(10, 5);
    cr_assert(push(r, 0, "123456789"));
    struct log_entry e;
    cr_assert(line_ring_at(r, 0, &e));
    cr_assert_str_eq(e.text, "12345");
    cr_assert(e.cut);
    cr_assert(push(r, 0, "abc€"));
    cr_assert(line_ring_at(r, 0, &e));
    cr_assert_str_eq(e.text, "abc", "not inside a character");
}

/* Against a plain model: every line kept must be what was pushed, in order, and within the bounds.
 */
Test(line_ring, holds_what_was_pushed_for_any_lengths)
{
    static const size_t sizes[] = {1, 7, 64, 300};
    unsigned seed = 7;
    for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
        auto_line_ring struct line_ring *r = line_ring_new(11, sizes[k]);
        size_t lengths[4001] = {0};
        for (uint64_t seq = 1; seq <= 4000; seq++) {
            char text[64];
            lengths[seq] = (size_t)rand_r(&seed) % (sizes[k] < 40 ? sizes[k] + 1 : 40);
            memset(text, 'a' + (int)(seq % 26), sizeof(text));
            struct log_entry e = {.seq = seq, .text = text, .len = lengths[seq]};
            cr_assert(line_ring_push(r, &e));

            size_t bytes = 0;
            cr_assert_leq(line_ring_count(r), (size_t)11);
            cr_assert_geq(line_ring_count(r), (size_t)1);
            for (size_t i = 0; line_ring_at(r, i, &e); i++) {
                cr_assert_eq(e.seq, seq - line_ring_count(r) + 1 + i);
                cr_assert_eq(e.len, lengths[e.seq]);
                cr_assert_eq(strlen(e.text), e.len);
                for (size_t b = 0; b < e.len; b++)
                    cr_assert_eq(e.text[b], (char)('a' + (int)(e.seq % 26)));
                bytes += e.len;
            }
            cr_assert_eq(bytes, line_ring_bytes(r));
            cr_assert_leq(bytes, sizes[k]);
        }
    }
}

Test(line_ring, starts_over_when_cleared)
{
    auto_line_ring struct line_ring *r = line_ring_new(3, 100);
    cr_assert(push(r, 9, "a"));
    line_ring_clear(r);
    cr_assert_eq(line_ring_count(r), 0);
    cr_assert_eq(line_ring_first(r), 0);
    cr_assert(push(r, 1, "b"));
}
