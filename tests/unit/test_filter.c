/* Which lines pass, and the level of a line. */
#include "logs/filter.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

static struct filter *make(const char *show, const char *hide, enum line_level min)
{
    struct filter_options options = {.show = show, .hide = hide, .min = min};
    struct err err = {0};
    struct filter *f = filter_new(&options, &err);
    cr_assert_not_null(f, "%s", err.msg);
    return f;
}

static bool passes(struct filter *f, const char *text)
{
    return filter_passes(f, text, strlen(text));
}

Test(filter, shows_and_hides)
{
    auto_filter struct filter *f = make("temp|hum", "debug", LINE_LEVEL_NONE);
    cr_assert(passes(f, "Temperature 21.4"));
    cr_assert_not(passes(f, "pressure 3"));
    cr_assert_not(passes(f, "temperature DEBUG"));
}

Test(filter, without_patterns_passes_all)
{
    auto_filter struct filter *f = make("", NULL, LINE_LEVEL_NONE);
    cr_assert(passes(f, ""));
    cr_assert(passes(f, "anything"));
}

Test(filter, passes_from_a_level_on)
{
    auto_filter struct filter *f = make(NULL, NULL, LINE_LEVEL_WARN);
    cr_assert(passes(f, "[WRN] slow"));
    cr_assert(passes(f, "ERROR broken"));
    cr_assert_not(passes(f, "INFO fine"));
    cr_assert_not(passes(f, "no level"));
}

Test(filter, says_where_a_pattern_is_wrong)
{
    struct err err = {0};
    cr_assert_null(filter_new(&(struct filter_options){.show = "a(b"}, &err));
    cr_assert_eq(err.kind, ERR_INVALID);
    cr_assert_not_null(strstr(err.msg, "to show is wrong at character 4"), "%s", err.msg);
    cr_assert(err.hint[0]);
}

Test(filter, refuses_a_giant_pattern)
{
    char pattern[FILTER_PATTERN_MAX + 2];
    struct err err = {0};
    memset(pattern, 'a', sizeof(pattern));
    pattern[sizeof(pattern) - 1] = '\0';
    cr_assert_null(filter_new(&(struct filter_options){.hide = pattern}, &err));
    cr_assert_eq(err.kind, ERR_INVALID);
}

Test(filter, a_runaway_pattern_hides_nothing, .timeout = 5)
{
    char text[4096];
    memset(text, 'a', sizeof(text));
    auto_filter struct filter *show = make("(a+)+$|(a|aa)+!", NULL, LINE_LEVEL_NONE);
    auto_filter struct filter *hide = make(NULL, "((a+)*)+!", LINE_LEVEL_NONE);
    text[sizeof(text) - 1] = 'b';
    for (int i = 0; i < 20; i++) {
        cr_assert(filter_passes(show, text, sizeof(text)));
        cr_assert(filter_passes(hide, text, sizeof(text)));
    }
    cr_assert_gt(filter_gave_up(show) + filter_gave_up(hide), 0);
}

Test(filter, takes_bytes_that_are_no_utf8)
{
    auto_filter struct filter *f = make("b", NULL, LINE_LEVEL_NONE);
    cr_assert(filter_passes(f, "\xff\xfe b", 4));
    cr_assert_not(filter_passes(f, "\xff\xfe", 2));
}

Test(filter, finds_each_match)
{
    auto_filter struct filter *f = make("an|x*", NULL, LINE_LEVEL_NONE);
    size_t at = 0;
    size_t len = 0;
    cr_assert(filter_find(f, "banana", 6, 0, &at, &len));
    cr_assert_eq(at, 1);
    cr_assert_eq(len, 2);
    cr_assert(filter_find(f, "banana", 6, at + len, &at, &len));
    cr_assert_eq(at, 3);
    cr_assert_not(filter_find(f, "banana", 6, at + len, &at, &len), "an empty match is none");
}

struct level_case {
    char text[96];
    enum line_level level;
};

ParameterizedTestParameters(filter, knows_the_level_of)
{
    static struct level_case cases[] = {
        {"<6> 2026-11-21 14:31:02.118 +00:00 [INF] - Starting", LINE_LEVEL_INFO},
        {"<3> broken", LINE_LEVEL_ERROR},
        {"<4>careful", LINE_LEVEL_WARN},
        {"2026-11-21 10:00:00 [ERR] - no route", LINE_LEVEL_ERROR},
        {"WARNING: low", LINE_LEVEL_WARN},
        {"time=\"x\" level=warning msg=\"error in name only\"", LINE_LEVEL_WARN},
        {"{\"level\":\"error\",\"msg\":\"x\"}", LINE_LEVEL_ERROR},
        {"info: Microsoft.Hosting.Lifetime[14]", LINE_LEVEL_INFO},
        {"fail: it did", LINE_LEVEL_ERROR},
        {"E1121 10:00:00.1 7 x.go:1] bad", LINE_LEVEL_ERROR},
        {"I1121 10:00:00.1 7 x.go:1] ERROR is only text", LINE_LEVEL_INFO},
        {"this may fail without harm", LINE_LEVEL_NONE},
        {"TERROR and INFORM are other words", LINE_LEVEL_NONE},
        {"", LINE_LEVEL_NONE},
        {"{\"seq\":1,\"temperature\":21.4}", LINE_LEVEL_NONE},
    };
    return cr_make_param_array(struct level_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct level_case *c, filter, knows_the_level_of)
{
    cr_assert_eq(line_level_of(c->text, strlen(c->text)), c->level, "%s", c->text);
}

Test(filter, has_a_letter_for_each_level)
{
    cr_assert_eq(line_level_letter(LINE_LEVEL_ERROR), 'E');
    cr_assert_eq(line_level_letter(LINE_LEVEL_NONE), ' ');
}
