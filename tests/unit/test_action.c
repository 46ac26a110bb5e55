/* The one table of keys: no key twice, hints that fit, words that fit the help. */
#include "core/base/str.h"
#include "tests/unit/ui_fixture.h"
#include "tui/cli_args.h"
#include "tui/frame.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct screen *const all[] = {
    &screen_start,   &screen_dash,     &screen_modules,    &screen_module,
    &screen_sources, &screen_log,      &screen_metrics,    &screen_plot,
    &screen_vm,      &screen_help,     &screen_jobs,       &screen_job,
    &screen_check,   &screen_reattach, &screen_plan,       &screen_review,
    &screen_connect, &screen_connstr,  &screen_dialog,     &screen_message,
    &screen_sandbox, &screen_device,   &screen_device_new, &screen_device_choice,
    &screen_invoke,  &screen_tpm,
};

static void expect_other_key(const char *where, enum action_id a, enum action_id b)
{
    if (a != b)
        cr_expect(action_get(a)->key != action_get(b)->key, "%s: %s and %s share a key", where,
                  action_get(a)->name, action_get(b)->name);
}

Test(action, no_key_means_two_things_on_a_screen)
{
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        for (const enum action_id *a = all[i]->actions; *a != ACTION_NONE; a++) {
            for (const enum action_id *b = a + 1; *b != ACTION_NONE; b++)
                expect_other_key(all[i]->title, *a, *b);
            for (const enum action_id *b = action_everywhere; *b != ACTION_NONE; b++)
                expect_other_key(all[i]->title, *a, *b);
        }
}

Test(action, nothing_is_on_a_key_that_lines_and_shells_need)
{
    static const uint32_t never[] = {17, 19, 26, 28, 29}; /* Ctrl-Q S Z \ ] */
    for (int id = 0; id < ACTION_COUNT; id++)
        for (size_t i = 0; i < ARRAY_LEN(never); i++)
            cr_expect_neq(action_get((enum action_id)id)->key, never[i]);
}

Test(action, enter_never_destroys)
{
    for (int id = 0; id < ACTION_COUNT; id++) {
        const struct action *action = action_get((enum action_id)id);
        if (action->key == KEYSYM_ENTER)
            cr_expect(!str_starts(action->help, "delete") && !str_starts(action->help, "stop"));
    }
}

Test(action, what_changes_something_names_its_command)
{
    for (int id = 0; id < ACTION_COUNT; id++) {
        const struct action *action = action_get((enum action_id)id);
        if (action->changes)
            cr_expect_not_null(action->cli, "%s", action->name);
    }
}

Test(action, each_command_named_beside_a_key_is_one)
{
    for (int id = 0; id < ACTION_COUNT; id++) {
        char text[160];
        char *words[16];
        int n = 0;
        struct err err;
        struct cli_args args;
        if (!action_get((enum action_id)id)->cli)
            continue;
        STR_SET(text, action_get((enum action_id)id)->cli);
        for (char *save = NULL, *w = strtok_r(text, " ", &save); w && n < 16;
             w = strtok_r(NULL, " ", &save))
            words[n++] = w;
        cr_expect_eq(cli_args_parse(n, words, &args, &err), 0, "%s: %s",
                     action_get((enum action_id)id)->cli, err.msg);
    }
}

Test(action, hints_fit_two_rows_of_80_columns)
{
    struct view *view = calloc(1, sizeof(*view));
    struct surface *s = surface_new(24, 80);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct screen bare = *all[i];
        bare.enabled = NULL; /* all of them at once */
        int rows = frame_hints(view, &bare, NULL, s, (struct area){22, 0, 2, 80});
        cr_expect_leq(rows, 2, "%s needs %d rows", bare.title, rows);
    }
    surface_free(s);
    free(view);
}

Test(action, help_sentences_fit_their_column)
{
    for (int id = 0; id < ACTION_COUNT; id++) {
        const struct action *action = action_get((enum action_id)id);
        cr_expect_leq(surface_width(action->help), 27, "%s: \"%s\"", action->name, action->help);
        if (action->label)
            cr_expect_leq(surface_width(action->label), 10, "%s", action->name);
    }
}

Test(action, letters_work_in_either_case_unless_the_other_is_taken)
{
    cr_expect_eq(action_for_key(screen_modules.actions, 'x'), ACTION_MODULE_RESTART);
    cr_expect_eq(action_for_key(screen_modules.actions, 'X'), ACTION_MODULE_RESTART);
    cr_expect_eq(action_for_key(screen_log.actions, 'n'), ACTION_MATCH_NEXT);
    cr_expect_eq(action_for_key(screen_log.actions, 'N'), ACTION_MATCH_PREV);
    cr_expect_eq(action_for_key(screen_modules.actions, 'j'), ACTION_DOWN);
    cr_expect_eq(action_for_key(screen_modules.actions, KEYSYM_F1), ACTION_HELP);
    cr_expect_eq(action_for_key(screen_modules.actions, 'y'), ACTION_NONE);
}
