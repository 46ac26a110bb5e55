/* A log under a reader's hands: it follows, it stands still when one reads, it filters and finds;
 * and the pace of frames. */
#include "core/base/str.h"
#include "tui/log_lines.h"
#include "tui/pacer.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <string.h>

static struct log_view v;
static struct surface *s;
static struct buf picture;

static void setup(void)
{
    cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
    log_view_init(&v);
    v.stamps = LOG_STAMPS_OFF;
    s = surface_new(4, 30);
}

static void teardown(void)
{
    log_view_done(&v);
    surface_free(s);
    buf_done(&picture);
}

TestSuite(log_view, .init = setup, .fini = teardown);

static void push(uint64_t seq, uint64_t gap, const char *text)
{
    const struct log_entry e = {.seq = seq, .gap = gap, .text = text, .len = strlen(text)};
    log_view_push(&v, &e);
}

static void push_numbers(uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i <= to; i++) {
        char text[32];
        (void)str_format(text, sizeof(text), "line %llu", (unsigned long long)i);
        push(i, 0, text);
    }
}

static const char *draw(void)
{
    surface_clear(s);
    log_view_draw(&v, s, (struct area){0, 0, s->h, s->w});
    buf_clear(&picture);
    surface_to_text(s, &picture);
    return buf_str(&picture);
}

Test(log_view, follows_the_end)
{
    push_numbers(1, 100);
    cr_expect_str_eq(draw(), "   line 97\n   line 98\n   line 99\n   line 100\n");
    push_numbers(101, 101);
    cr_expect_str_eq(draw(), "   line 98\n   line 99\n   line 100\n   line 101\n");
}

Test(log_view, moving_up_stops_following_and_nothing_yanks_the_view)
{
    push_numbers(1, 100);
    (void)draw();
    cr_assert(log_view_action(&v, ACTION_UP));
    const char *still = ">  line 99\n";
    cr_expect(strstr(draw(), still));
    push_numbers(101, 5000);
    cr_expect(strstr(draw(), still));
    cr_expect_str_eq(draw(), "   line 97\n   line 98\n>  line 99\n   line 100\n");
    cr_expect_eq(v.new_lines, 4900);
    cr_assert(log_view_action(&v, ACTION_LOG_LAST));
    cr_expect(strstr(draw(), "line 5000"));
}

Test(log_view, shows_each_gap_with_its_number)
{
    push_numbers(1, 2);
    push(100, 0, "after");
    cr_expect(strstr(draw(), "--gap-- 97 lines"));
}

Test(log_view, a_filter_keeps_the_gaps_of_lines_it_hides)
{
    struct err err;
    cr_assert_eq(log_view_filter(&v, "keep", &err), 0);
    push(1, 0, "keep a");
    push(5, 3, "drop");
    push(9, 3, "keep b");
    cr_expect_eq(log_view_shown(&v), 2);
    cr_expect(strstr(draw(), "--gap-- 6 lines"));
}

Test(log_view, filters_out_and_in)
{
    struct err err;
    push(1, 0, "heartbeat");
    push(2, 0, "value 7");
    cr_assert_eq(log_view_filter(&v, "!heart", &err), 0);
    cr_expect_str_eq(draw(), "   value 7\n\n\n\n");
    cr_assert_eq(log_view_filter(&v, "", &err), 0);
    cr_expect_eq(log_view_shown(&v), 2);
}

Test(log_view, a_bad_pattern_leaves_the_old_one)
{
    struct err err;
    push_numbers(1, 3);
    cr_assert_eq(log_view_filter(&v, "line 2", &err), 0);
    cr_expect_eq(log_view_filter(&v, "(unclosed", &err), -1);
    cr_expect_eq(log_view_shown(&v), 1);
    cr_expect_neq(err.msg[0], '\0');
}

Test(log_view, finds_up_and_down)
{
    struct err err;
    push_numbers(1, 200);
    (void)draw();
    cr_assert_eq(log_view_search(&v, "line 1?50$", &err), 0);
    cr_expect(log_view_find(&v, false, false));
    cr_expect(strstr(draw(), ">  line 150"));
    cr_expect(log_view_find(&v, false, false));
    cr_expect(strstr(draw(), ">  line 50\n"));
    cr_expect(!log_view_find(&v, false, false));
    cr_expect(log_view_find(&v, true, false));
    cr_expect(strstr(draw(), ">  line 150"));
}

Test(log_view, finds_errors)
{
    push_numbers(1, 50);
    push(51, 0, "[ERR] broken");
    push_numbers(52, 100);
    (void)draw();
    cr_expect(log_view_find(&v, false, true));
    cr_expect(strstr(draw(), "> E[ERR] broken") || strstr(draw(), ">E [ERR] broken"));
}

Test(log_view, folds_a_long_line_over_rows)
{
    push(1, 0, "aaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbb");
    cr_expect_str_eq(draw(), "   aaaaaaaaaaaaaaaaaaaaaaaaaaa\n\n\n\n");
    cr_assert(log_view_action(&v, ACTION_FOLD));
    cr_expect_str_eq(draw(), "   aaaaaaaaaaaaaaaaaaaaaaaaaaa\n   bbbbbbbbb\n\n\n");
}

Test(log_view, stands_still_when_its_lines_are_dropped)
{
    push_numbers(1, 10);
    (void)draw();
    cr_assert(log_view_action(&v, ACTION_UP));
    push_numbers(11, LOG_VIEW_LINES + 50);
    cr_expect(strstr(draw(), "line 51\n") != NULL, "%s", draw());
}

Test(log_view, survives_any_order_of_keys)
{
    static const enum action_id keys[] = {
        ACTION_UP,    ACTION_DOWN, ACTION_PAGE_UP, ACTION_PAGE_DOWN, ACTION_FIRST, ACTION_LOG_LAST,
        ACTION_PAUSE, ACTION_FOLD, ACTION_STAMPS,  ACTION_LEVEL,     ACTION_LEFT,  ACTION_RIGHT,
    };
    uint32_t seed = 3;
    for (uint64_t i = 1; i < 3000; i++) {
        seed = seed * 1664525U + 1013904223U;
        if (seed >> 31)
            push(i, i % 97 == 0, i % 5 ? "[WRN] \xe6\xb0\xb4 \xff some text that is wider" : "");
        (void)log_view_action(&v, keys[(seed >> 8) % ARRAY_LEN(keys)]);
        surface_resize(s, 1 + (int)((seed >> 12) % 9), 1 + (int)((seed >> 16) % 60));
        (void)draw();
    }
}

Test(pacer, no_frame_follows_before_the_answer)
{
    struct pacer p = {.can_ack = true};
    cr_expect_eq(pacer_wait(&p, 1000), 0);
    cr_expect(pacer_asks(&p));
    pacer_sent(&p, 1000);
    cr_expect_gt(pacer_wait(&p, 1010), 0);
    pacer_answer(&p);
    cr_expect_eq(pacer_wait(&p, 1011), 0);
    pacer_sent(&p, 1011);
    cr_expect_gt(pacer_wait(&p, 6000), 0, "a slow line gets its time");
}

Test(pacer, a_terminal_that_never_answers_is_not_asked_for_ever)
{
    struct pacer p = {.can_ack = true};
    uint64_t now = 1000;
    for (int i = 0; i < 3; i++) {
        pacer_sent(&p, now);
        now += pacer_wait(&p, now);
        cr_expect_eq(pacer_wait(&p, now), 0);
    }
    cr_expect(!pacer_asks(&p));
    cr_expect_lt(now, 5000);
    pacer_sent(&p, now);
    cr_expect_leq(pacer_wait(&p, now), 100);
    pacer_answer(&p);
    cr_expect(pacer_asks(&p), "a late answer brings it back");
}
