/* The command line's arguments and its help, against the real table of verbs. */
#include "core/base/buf.h"
#include "core/base/str.h"
#include "tui/cli_args.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

/* Splits at blanks; "berth" is put in front. */
static int parse(const char *line, struct cli_args *ret, struct err *err)
{
    static char text[2048];
    static char *argv[256];
    int argc = 0;
    char *save = NULL;
    (void)str_format(text, sizeof(text), "berth %s", line);
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    return cli_args_parse(argc, argv, ret, err);
}

static struct cli_args parsed(const char *line)
{
    struct cli_args args = {0};
    struct err err = {0};
    cr_assert_eq(parse(line, &args, &err), 0, "%s: %s", line, err.msg);
    return args;
}

Test(cli_args, finds_the_longest_verb)
{
    cr_assert_str_eq(parsed("status").verb->words, "status");
    cr_assert_str_eq(parsed("vm list").verb->words, "vm list");
    struct cli_args args = parsed("sandbox device create dev-1");
    cr_assert_str_eq(args.verb->words, "sandbox device create");
    cr_assert_eq(args.n_places, 1);
    cr_assert_str_eq(args.places[0], "dev-1");
}

Test(cli_args, reads_options_wherever_they_stand)
{
    struct cli_args args = parsed("vm create --cpu 2 --memory=2048 --no-wait --name edge-1");
    cr_assert_str_eq(cli_args_value(&args, "cpu"), "2");
    cr_assert_str_eq(cli_args_value(&args, "memory"), "2048");
    cr_assert_str_eq(cli_args_value(&args, "name"), "edge-1");
    cr_assert(cli_args_has(&args, "no-wait"));
    cr_assert_not(cli_args_has(&args, "disk"));
    cr_assert(cli_args_takes(&args, "timeout"));
    cr_assert_not(cli_args_takes(&args, "follow"));

    args = parsed("logs sensor -f --vm edge-1 --tail 5");
    cr_assert(cli_args_has(&args, "follow"));
    cr_assert_str_eq(args.places[0], "sensor");
    cr_assert_str_eq(cli_args_value(&args, "vm"), "edge-1");
    args = parsed("logs -f sensor");
    cr_assert_str_eq(args.places[0], "sensor");
}

Test(cli_args, an_option_may_be_given_several_times)
{
    struct cli_args args = parsed("sandbox start --hub a --mqtt-port 1 --hub=b --mqtt-port 2");
    cr_assert_str_eq(cli_args_nth(&args, "hub", 0), "a");
    cr_assert_str_eq(cli_args_nth(&args, "hub", 1), "b");
    cr_assert_null(cli_args_nth(&args, "hub", 2));
    cr_assert_str_eq(cli_args_value(&args, "mqtt-port"), "2", "the last one counts");
    cr_assert_null(cli_args_nth(&args, "https-port", 0));

    char many[1200] = "sandbox start";
    struct err err = {0};
    for (int i = 0; i < 100; i++)
        (void)str_format(many + strlen(many), sizeof(many) - strlen(many), " --no-wait");
    cr_assert_eq(parse(many, &args, &err), -1, "more than can be kept is refused");
}

Test(cli_args, common_switches_may_stand_in_front)
{
    cr_assert(parsed("--json vm list").json);
    cr_assert(parsed("vm --json list").json);
    cr_assert(parsed("vm list --json").json);
    cr_assert(parsed("status -q").quiet);
    struct cli_args args = parsed("--help");
    cr_assert(args.help);
    cr_assert_null(args.verb);
    args = parsed("vm delete --help");
    cr_assert(args.help, "help does not ask for what is missing");
    cr_assert_str_eq(args.verb->words, "vm delete");
}

Test(cli_args, two_dashes_end_the_options)
{
    struct cli_args args = parsed("logs -- -f");
    cr_assert_str_eq(args.places[0], "-f");
    cr_assert_not(cli_args_has(&args, "follow"));
    args = parsed("sandbox deploy -");
    cr_assert_str_eq(args.places[0], "-");
}

struct wrong_case {
    char line[64];
    char message[64];
};

ParameterizedTestParameters(cli_args, says_what_is_wrong)
{
    static struct wrong_case cases[] = {
        {"frob", "there is no command \"frob\""},
        {"vm", "vm what?"},
        {"vm frob", "vm has no \"frob\""},
        {"vm create --frob", "vm create has no option --frob"},
        {"vm create --frob=1", "vm create has no option --frob"},
        {"vm create --cpu", "option --cpu needs a value (N)"},
        {"vm stop --force=1", "option --force takes no value"},
        {"vm delete", "vm delete needs NAME"},
        {"status x", "\"x\" is one argument too many"},
        {"status -x", "status has no option -x"},
        {"logs a -ft", "logs has no option -ft"},
        {"--frob status", "no command is given"},
    };
    return cr_make_param_array(struct wrong_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct wrong_case *c, cli_args, says_what_is_wrong)
{
    struct cli_args args = {0};
    struct err err = {0};
    cr_assert_eq(parse(c->line, &args, &err), -1);
    cr_assert_eq(err.kind, ERR_INVALID);
    cr_assert_str_eq(err.msg, c->message);
    cr_assert(err.hint[0], "there is a next step");
    cr_assert_null(args.verb, "nothing is touched");
}

Test(cli_args, never_shows_foreign_bytes_or_values)
{
    struct cli_args args = {0};
    struct err err = {0};
    cr_assert_eq(parse("status --\x1b[2J=secret", &args, &err), -1);
    cr_assert_null(strchr(err.msg, '\x1b'));
    cr_assert_null(strstr(err.msg, "secret"));
}

Test(cli_args, checks_numbers)
{
    struct err err = {0};
    uint64_t value = 7;
    struct cli_args args = parsed("vm create --cpu 0");
    cr_assert_eq(cli_args_number(&args, "cpu", 1, 64, &value, &err), -1);
    cr_assert_str_eq(err.msg, "--cpu must be a whole number from 1 to 64");
    args = parsed("vm create --cpu two");
    cr_assert_eq(cli_args_number(&args, "cpu", 1, 64, &value, &err), -1);
    args = parsed("vm create --cpu 64");
    cr_assert_eq(cli_args_number(&args, "cpu", 1, 64, &value, &err), 0);
    cr_assert_eq(value, 64);
    cr_assert_eq(cli_args_number(&args, "disk", 1, 64, &value, &err), 0);
    cr_assert_eq(value, 64, "stays where the option was not given");
}

Test(cli_args, understands_times)
{
    uint64_t ms = 0;
    uint64_t now = 1763733600000;
    cr_assert_eq(cli_args_since("30s", now, &ms, NULL), 0);
    cr_assert_eq(ms, now - 30000);
    cr_assert_eq(cli_args_since("2h", now, &ms, NULL), 0);
    cr_assert_eq(ms, now - 7200000);
    cr_assert_eq(cli_args_since("3d", now, &ms, NULL), 0);
    cr_assert_eq(ms, now - 259200000);
    cr_assert_eq(cli_args_since("999999d", now, &ms, NULL), 0);
    cr_assert_eq(ms, 0);
    cr_assert_eq(cli_args_since("2025-11-21T14:00:00Z", now, &ms, NULL), 0);
    cr_assert_eq(ms, now);
    static const char *const bad[] = {"",    "s",    "10",        "10w",
                                      "-1m", "1.5h", "yesterday", "99999999999999999d"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};
        cr_assert_eq(cli_args_since(bad[i], now, &ms, &err), -1, "%s", bad[i]);
        cr_assert(err.hint[0]);
    }
}

Test(cli_args, every_verb_is_complete)
{
    for (const struct cli_verb *v = cli_verbs; v->words; v++) {
        auto_buf struct buf help = {0};
        cr_assert_not_null(v->run, "%s", v->words);
        cr_assert_leq(v->max_places, (size_t)CLI_PLACES_MAX);
        cr_assert_leq(v->min_places, v->max_places);
        cr_assert_eq(v->places != NULL, v->max_places > 0, "%s", v->words);
        cr_assert_eq(parsed(v->min_places ? "help" : v->words).verb != NULL, true);
        cli_help_verb(v, &help);
        cr_assert_not_null(strstr(buf_str(&help), v->words));
        cr_assert_not_null(strstr(buf_str(&help), "--json"));
        for (size_t t = 0; t < CLI_TABLES_MAX && v->options[t]; t++)
            for (const struct cli_option *o = v->options[t]; o->name; o++)
                cr_assert_not_null(strstr(buf_str(&help), o->help), "%s --%s", v->words, o->name);
    }
}

Test(cli_args, help_lines_fit_a_terminal)
{
    auto_buf struct buf help = {0};
    cli_help_all(&help);
    for (const struct cli_verb *v = cli_verbs; v->words; v++)
        cli_help_verb(v, &help);
    for (const char *line = buf_str(&help); *line; line += strcspn(line, "\n") + 1)
        cr_assert_leq(strcspn(line, "\n"), (size_t)100, "%.*s", (int)strcspn(line, "\n"), line);
}

Test(cli_args, help_lists_by_noun)
{
    auto_buf struct buf help = {0};
    cr_assert(cli_help_list("vm", &help));
    cr_assert_not_null(strstr(buf_str(&help), "vm create"));
    cr_assert_null(strstr(buf_str(&help), "job list"));
    cr_assert_not(cli_help_list("v", &help), "half a word is no word");
}

Test(cli_args, help_has_one_line_for_verbs_of_three_words)
{
    auto_buf struct buf all = {0}, group = {0};
    cli_help_all(&all);
    cr_expect_not_null(
        strstr(buf_str(&all), "  sandbox device ...              list, show, create,"));
    cr_expect_null(strstr(buf_str(&all), "sandbox device list"));
    cr_assert(cli_help_list("sandbox device", &group));
    cr_expect_not_null(strstr(buf_str(&group), "  sandbox device list "));
    cr_expect_null(strstr(buf_str(&group), "sandbox enrol"));
}

Test(cli_args, help_of_words_that_begin_verbs_is_about_those)
{
    struct cli_args args = parsed("sandbox device --help");
    cr_expect(args.help && !args.verb);
    cr_expect_str_eq(args.about, "sandbox device");
    cr_expect_str_eq(parsed("--help").about, "");
}

Test(cli_args, what_is_missing_or_wrong_among_three_words_is_named)
{
    struct cli_args args;
    struct err err = {0};
    cr_assert_eq(parse("sandbox device", &args, &err), -1);
    cr_expect_str_eq(err.msg, "sandbox device what?");
    cr_assert_eq(parse("sandbox device lst", &args, &err), -1);
    cr_expect_str_eq(err.msg, "sandbox device has no \"lst\"");
    cr_assert_eq(parse("sandbox devices", &args, &err), -1);
    cr_expect_str_eq(err.msg, "sandbox has no \"devices\"");
    cr_expect_not_null(strstr(err.hint, "berth help sandbox"));
}
