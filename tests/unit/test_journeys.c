/* What keys lead to: the engine is asked for exactly what the screen said. */
#include "core/base/str.h"
#include "tests/unit/ui_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static struct ui_fixture f;

static void setup(void)
{
    ui_fixture_init(&f, 24, 80);
}

static void teardown(void)
{
    ui_fixture_done(&f);
}

TestSuite(journeys, .init = setup, .fini = teardown);

#define REPORT_OK                                                                             \
    "{\"checks\":[{\"id\":\"cpu\",\"label\":\"Processor\",\"text\":\"4\",\"light\":\"ok\"}]," \
    "\"accel\":\"tcg\"}"
#define REPORT_BAD                                                                          \
    "{\"checks\":[{\"id\":\"kvm\",\"label\":\"KVM\",\"text\":\"none\",\"light\":\"warn\"}," \
    "{\"id\":\"image\",\"label\":\"Image\",\"text\":\"none\",\"light\":\"bad\","            \
    "\"hint\":\"Bring a guest image\"}],\"accel\":\"tcg\"}"
#define PLAN                                                                               \
    "{\"name\":\"a-vm\",\"accel\":\"auto\",\"bundle\":\"\",\"cpus\":2,\"memoryMib\":1024," \
    "\"diskGib\":16,\"network\":\"user\"}"

static void keys(const uint32_t *syms, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        (void)ui_fixture_picture(&f);
        ui_fixture_key(&f, syms[i]);
    }
}

Test(journeys, a_newcomer_installs_with_three_keys)
{
    (void)setenv("LOGNAME", "anna", 1);
    (void)setenv("SSH_CONNECTION", "10.20.4.8 51234 10.20.4.7 22", 1);
    ui_fixture_empty(&f);
    ui_fixture_answer(&f, REPORT_OK);
    ui_fixture_key(&f, KEYSYM_ENTER);
    ui_fixture_answer(&f, PLAN);
    ui_fixture_key(&f, KEYSYM_ENTER);
    ui_fixture_answer(&f, REPORT_OK);
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_assert_str_eq(f.method, "vm.create");
    cr_expect(strstr(buf_str(&f.params), "\"name\":\"a-vm\""));
    cr_expect(strstr(buf_str(&f.params), "\"memoryMib\":1024"));
    cr_expect(strstr(buf_str(&f.params), "\"by\":\"anna from 10.20.4.8\""));
    ui_fixture_answer(&f, "{\"job\":\"7c1e\"}");
    cr_expect(ui_top(f.ui, NULL) == &screen_job);
}

Test(journeys, a_broken_host_is_not_installed_on)
{
    ui_fixture_empty(&f);
    ui_fixture_answer(&f, REPORT_BAD);
    cr_expect(ui_fixture_shows(&f, "What to do: Bring a guest image"));
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_expect(ui_top(f.ui, NULL) == &screen_check);
    cr_expect(ui_fixture_shows(&f, "Solve what is broken first"));
}

Test(journeys, a_name_that_cannot_be_is_named_at_once)
{
    ui_fixture_empty(&f);
    ui_fixture_answer(&f, REPORT_OK);
    ui_fixture_key(&f, KEYSYM_ENTER);
    ui_fixture_answer(&f, PLAN);
    const uint32_t to_name[] = {KEYSYM_TAB, KEYSYM_CTRL_U, 'B', KEYSYM_ENTER};
    keys(to_name, ARRAY_LEN(to_name));
    cr_expect(ui_top(f.ui, NULL) == &screen_plan);
    cr_expect(ui_fixture_shows(&f, "use small letters"));
}

Test(journeys, custom_sizes_are_sent_as_typed)
{
    ui_fixture_empty(&f);
    ui_fixture_answer(&f, REPORT_OK);
    ui_fixture_key(&f, KEYSYM_ENTER);
    ui_fixture_answer(&f, PLAN);
    const uint32_t moves[] = {KEYSYM_DOWN, KEYSYM_DOWN, KEYSYM_TAB,    KEYSYM_CTRL_U,
                              '3',         KEYSYM_TAB,  KEYSYM_CTRL_U, '7',
                              '6',         '8',         'x',           KEYSYM_ENTER};
    keys(moves, ARRAY_LEN(moves));
    cr_assert_str_eq(f.method, "host.check");
    cr_expect(strstr(buf_str(&f.params), "\"cpus\":3"), "%s", buf_str(&f.params));
    cr_expect(strstr(buf_str(&f.params), "\"memoryMib\":768"), "%s", buf_str(&f.params));
}

Test(journeys, delete_needs_the_name_and_a_second_step)
{
    ui_fixture_site(&f);
    size_t calls = f.calls;
    const uint32_t wrong[] = {'5', 'Z', 'x', KEYSYM_ENTER, KEYSYM_TAB, KEYSYM_ENTER};
    keys(wrong, ARRAY_LEN(wrong));
    cr_expect_eq(f.calls, calls, "%s was called", f.method);
    cr_expect(ui_fixture_shows(&f, "does not match"));
    ui_fixture_key(&f, KEYSYM_CTRL_U);
    ui_fixture_type(&f, "edge-07-vm");
    const uint32_t right[] = {KEYSYM_TAB, KEYSYM_TAB, KEYSYM_ENTER};
    keys(right, ARRAY_LEN(right));
    cr_expect_str_eq(f.method, "vm.delete");
}

Test(journeys, a_box_says_cancel_unless_one_moves)
{
    ui_fixture_site(&f);
    size_t calls = f.calls;
    const uint32_t stop[] = {'5', 'T', KEYSYM_ENTER};
    keys(stop, ARRAY_LEN(stop));
    cr_expect_eq(f.calls, calls);
    const uint32_t sure[] = {'T', KEYSYM_RIGHT, KEYSYM_ENTER};
    keys(sure, ARRAY_LEN(sure));
    cr_expect_str_eq(f.method, "vm.stop");
}

Test(journeys, an_answer_for_a_closed_screen_harms_nobody)
{
    ui_fixture_site(&f);
    ui_fixture_key(&f, '4');
    ui_fixture_key(&f, '1');
    ui_fixture_answer(&f, "{\"series\":[{\"name\":\"vm.cpu\",\"unit\":\"%\",\"points\":[[1,2]]}]}");
    cr_expect(ui_top(f.ui, NULL) == &screen_dash);
}

Test(journeys, an_answer_that_makes_no_sense_is_an_error_not_a_crash)
{
    ui_fixture_site(&f);
    ui_fixture_key(&f, '4');
    ui_fixture_answer(&f, "{\"series\":[1,null,{\"points\":[[],[1],{\"a\":1},[\"x\",2]]}]}");
    (void)ui_fixture_picture(&f);
    const uint32_t start[] = {'5', 'T', KEYSYM_RIGHT, KEYSYM_ENTER};
    keys(start, ARRAY_LEN(start));
    ui_fixture_answer(&f, "{\"job\":7}");
    cr_expect(ui_top(f.ui, NULL) == &screen_message);
}

Test(journeys, q_goes_back_and_then_out)
{
    ui_fixture_site(&f);
    ui_fixture_key(&f, '2');
    ui_fixture_key(&f, 'q');
    cr_expect(!ui_quitting(f.ui));
    cr_expect(ui_top(f.ui, NULL) == &screen_dash);
    ui_fixture_key(&f, KEYSYM_ESC);
    cr_expect(!ui_quitting(f.ui), "Esc does not quit by accident");
    ui_fixture_key(&f, 'q');
    cr_expect(ui_quitting(f.ui));
}

Test(journeys, a_log_is_followed_again_after_the_engine_came_back)
{
    struct err err;
    ui_fixture_site(&f);
    ui_fixture_key(&f, '3');
    (void)ui_fixture_picture(&f);
    ui_fixture_key(&f, KEYSYM_ENTER);
    ui_fixture_answer(&f, "{\"stream\":\"s1\"}");
    err_set(&err, ERR_UNREACHABLE, "the engine went away");
    ui_lost(f.ui, &err);
    size_t calls = f.calls;
    ui_ready(f.ui, true);
    cr_expect_eq(f.calls, calls + 1);
    cr_expect_str_eq(f.method, "logs.follow");
}
