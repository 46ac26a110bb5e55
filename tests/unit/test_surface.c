/* The grid of cells: clipping, wide characters, hostile text, and every screen at every size. */
#include "core/base/str.h"
#include "tests/unit/ui_fixture.h"
#include "tui/plot.h"
#include "tui/progress.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <string.h>

static struct surface *s;

static void setup(void)
{
    cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
    s = surface_new(3, 12);
}

static void teardown(void)
{
    surface_free(s);
}

TestSuite(surface, .init = setup, .fini = teardown);

static void expect_text(const char *want)
{
    auto_buf struct buf got = {0};
    surface_to_text(s, &got);
    cr_expect_str_eq(buf_str(&got), want);
}

Test(surface, cuts_text_at_the_edge_and_says_so)
{
    cr_expect_eq(surface_text(s, 0, 0, -1, STYLE_TEXT, "hello, wide world"), 12);
    expect_text("hello, wi...\n\n\n");
}

Test(surface, draws_nothing_outside)
{
    surface_text(s, -1, 0, -1, STYLE_TEXT, "x");
    surface_text(s, 3, 0, -1, STYLE_TEXT, "x");
    surface_text(s, 0, 12, -1, STYLE_TEXT, "x");
    surface_text(s, 0, -4, -1, STYLE_TEXT, "x");
    surface_rule(s, (struct area){9, 0, 1, 12}, "title");
    surface_restyle(s, 7, 0, 5, STYLE_BAD);
    expect_text("\n\n\n");
}

Test(surface, never_shows_half_of_a_wide_character)
{
    surface_text(s, 0, 0, -1, STYLE_TEXT, "\xe6\xb0\xb4\xe6\xb0\xb4"); /* two wide ones */
    surface_text(s, 0, 1, -1, STYLE_TEXT, "x");
    expect_text(" x\xe6\xb0\xb4\n\n\n");
    surface_clear(s);
    surface_raw(s, 0, 11, -1, STYLE_TEXT, "\xe6\xb0\xb4", 3);
    expect_text("\n\n\n");
}

Test(surface, shows_control_bytes_and_broken_utf8_as_question_marks)
{
    const char hostile[] = "a\033[2Jb\xff\x80\x07";
    surface_raw(s, 0, 0, -1, STYLE_TEXT, hostile, sizeof(hostile) - 1);
    expect_text("a?[2Jb???\n\n\n");
}

Test(surface, wraps_words_and_marks_what_is_left_out)
{
    int rows = surface_wrap(s, (struct area){0, 0, 2, 12}, STYLE_TEXT,
                            "one two three four five six seven");
    cr_expect_eq(rows, 2);
    expect_text("one two\nthree fou...\n\n");
}

Test(surface, splits_a_word_that_is_wider_than_the_area)
{
    cr_expect_eq(surface_wrap(s, (struct area){0, 0, 3, 4}, STYLE_TEXT, "abcdefghij"), 3);
    expect_text("abcd\nefgh\nij\n");
}

Test(surface, a_rule_carries_its_title)
{
    surface_rule(s, (struct area){0, 0, 1, 12}, "VM");
    expect_text("-- VM ------\n\n\n");
}

Test(surface, bars_show_unknown_as_empty)
{
    progress_share(s, 0, 0, 10, -1);
    progress_share(s, 1, 0, 10, 61);
    progress_step(s, 2, 0, 12, 100);
    expect_text("----------\n######----\n[##########]\n");
}

Test(surface, a_plot_holds_a_value_until_the_next_but_shows_a_silence)
{
    double v[] = {NAN, 1, NAN, 2, NAN, 3, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 4, NAN};
    plot_fill_gaps(v, ARRAY_LEN(v));
    cr_expect(isnan(v[0]) && isnan(v[16]), "nothing is made up outside");
    cr_expect_eq(v[2], 1);
    cr_expect_eq(v[4], 2);
    cr_expect(isnan(v[14]), "a long silence stays");
}

Test(surface, plot_scale_is_round_and_large_enough)
{
    cr_expect_eq(plot_scale(0), 1);
    cr_expect_eq(plot_scale(39), 40);
    cr_expect_eq(plot_scale(1204), 1500);
    cr_expect_eq(plot_scale(1e9), 1e9);
}

/* Each screen is drawn at sizes that people's windows pass through; the sanitizers watch. */
static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void draw_all_sizes(struct ui_fixture *f, uint32_t *seed, int times)
{
    for (int i = 0; i < times; i++) {
        int h = i % 4 ? 24 + (int)(next(seed) % 97) : 1 + (int)(next(seed) % 120);
        int w = i % 4 ? 80 + (int)(next(seed) % 321) : 1 + (int)(next(seed) % 400);
        surface_resize(f->s, h, w);
        ui_draw(f->ui, f->s);
        cr_assert(f->s->cursor_y < h && f->s->cursor_x < w);
    }
}

Test(surface, every_screen_draws_at_every_size)
{
    static const char *const ways[] = {"",   "2", "2\r", "2l", "3", "4", "5",
                                       "5z", "j", "c",   "c1", "?", "n"};
    struct ui_fixture f;
    uint32_t seed = 7;
    ui_fixture_init(&f, 24, 80);
    ui_fixture_site(&f);
    (void)ui_fixture_job(&f, "vm.create", "Install edge-07-vm");
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        ui_reset(f.ui, &screen_dash, NULL);
        (void)ui_fixture_picture(&f);
        for (const char *c = ways[i]; *c; c++) {
            ui_fixture_key(&f, (uint32_t)(unsigned char)*c);
            ui_draw(f.ui, f.s);
        }
        draw_all_sizes(&f, &seed, 80);
    }
    ui_fixture_done(&f);
}

Test(surface, a_name_of_wide_characters_keeps_the_columns_straight)
{
    struct ui_fixture f;
    ui_fixture_init(&f, 24, 80);
    ui_fixture_site(&f);
    struct module_status *m = &ui_view(f.ui)->snap.vms[0].modules[2];
    STR_SET(m->name,
            "\xe6\xb8\xa9\xe5\xba\xa6\xe4\xbc\xa0\xe6\x84\x9f\xe5\x99\xa8\xe6\xb8\xa9\xe5\xba\xa6"
            "\xe4\xbc\xa0\xe6\x84\x9f\xe5\x99\xa8");
    const char *picture = ui_fixture_picture(&f);
    const char *row = strstr(picture, "\xe6\xb8\xa9");
    cr_assert_not_null(row);
    const char *state = strstr(row, "[OK] running");
    cr_assert_not_null(state);
    auto_free char *before = strndup(row, (size_t)(state - row));
    cr_expect_eq(surface_width(before), 21, "the state column moved");
    ui_fixture_done(&f);
}
