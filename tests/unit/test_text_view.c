/* A long text in a small window. */
#include "core/base/str.h"
#include "tui/text_view.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <string.h>

static struct surface *s;
static struct text_view v;

static void setup(void)
{
    cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
    s = surface_new(3, 10);
    memset(&v, 0, sizeof(v));
}

static void teardown(void)
{
    text_view_done(&v);
    surface_free(s);
}

TestSuite(text_view, .init = setup, .fini = teardown);

static void expect_shown(const char *wanted)
{
    auto_buf struct buf text = {0};
    surface_clear(s);
    text_view_draw(&v, s, (struct area){0, 0, 3, 10});
    surface_to_text(s, &text);
    cr_expect_str_eq(buf_str(&text), wanted);
}

Test(text_view, moves_within_the_text)
{
    char where[40];
    text_view_set(&v, "one\ntwo\nthree\nfour\nfive");
    expect_shown("one\ntwo\nthree\n");
    cr_expect(text_view_action(&v, ACTION_UP), "it is a move though there is nothing above");
    expect_shown("one\ntwo\nthree\n");
    (void)text_view_action(&v, ACTION_DOWN);
    expect_shown("two\nthree\nfour\n");
    (void)text_view_action(&v, ACTION_LAST);
    expect_shown("three\nfour\nfive\n");
    (void)text_view_action(&v, ACTION_PAGE_DOWN);
    expect_shown("three\nfour\nfive\n");
    text_view_where(&v, where, sizeof(where));
    cr_expect_str_eq(where, "lines 3-5 of 5");
    (void)text_view_action(&v, ACTION_FIRST);
    expect_shown("one\ntwo\nthree\n");
    cr_expect(!text_view_action(&v, ACTION_OPEN));
}

Test(text_view, stays_where_it_is_when_the_text_changes)
{
    char where[40];
    text_view_set(&v, "1\n2\n3\n4\n5\n6");
    expect_shown("1\n2\n3\n");
    (void)text_view_action(&v, ACTION_DOWN);
    text_view_set(&v, "1\n2\nx\n4\n5");
    expect_shown("2\nx\n4\n");
    text_view_set(&v, "1\n2");
    expect_shown("1\n2\n\n");
    text_view_where(&v, where, sizeof(where));
    cr_expect_str_eq(where, "", "all of it shows");
}

Test(text_view, long_lines_are_cut_and_can_be_moved)
{
    text_view_set(&v, "aaaaaaaaaabbbbbbbbbbcccccccccc\n\xe6\xb0\xb4");
    expect_shown("aaaaaaa...\n\xe6\xb0\xb4\n\n");
    (void)text_view_action(&v, ACTION_RIGHT);
    expect_shown("cccccccccc\n\n\n");
    (void)text_view_action(&v, ACTION_LEFT);
    expect_shown("aaaaaaa...\n\xe6\xb0\xb4\n\n");
}

Test(text_view, an_empty_one_draws_nothing)
{
    expect_shown("\n\n\n");
    cr_expect(text_view_action(&v, ACTION_DOWN));
    text_view_set(&v, "");
    expect_shown("\n\n\n");
}
