/* Help texts, made from the table of verbs. */
#include "core/base/str.h"
#include "tui/cli.h"
#include "tui/cli_out.h"
#include "tui/cli_verbs.h"

#include <string.h>

#define HELP_COLUMN 34

static void pad_to(struct buf *out, size_t line_start, size_t column)
{
    while (out->len - line_start < column - 1)
        buf_putc(out, ' ');
    buf_putc(out, ' ');
}

static void help_options(const struct cli_option *options, struct buf *out)
{
    for (const struct cli_option *o = options; o && o->name; o++) {
        size_t start = out->len;
        if (o->letter)
            buf_printf(out, "  -%c, --%s", o->letter, o->name);
        else
            buf_printf(out, "      --%s", o->name);
        if (o->value)
            buf_printf(out, " %s", o->value);
        pad_to(out, start, HELP_COLUMN);
        buf_printf(out, "%s\n", o->help);
    }
}

void cli_help_verb(const struct cli_verb *verb, struct buf *out)
{
    buf_printf(out, "berth %s%s%s%s\n\n%s.\n\n", verb->words,
               verb->options[0] ? " [OPTION]..." : "", verb->places ? " " : "",
               verb->places ? verb->places : "", verb->help);
    for (size_t i = 0; i < CLI_TABLES_MAX; i++)
        help_options(verb->options[i], out);
    help_options(cli_common_options, out);
}

static bool begins_with_words(const char *words, const char *prefix)
{
    size_t n = strlen(prefix);
    return n == 0 || (strncmp(words, prefix, n) == 0 && (words[n] == ' ' || !words[n]));
}

/* The length of "noun noun" where a verb has a third word, else 0. */
static size_t group_length(const char *words)
{
    size_t first = strcspn(words, " ");
    size_t second = words[first] ? first + 1 + strcspn(words + first + 1, " ") : first;
    return words[second] ? second : 0;
}

/* All verbs of a group in one line; returns the last of them. */
static const struct cli_verb *help_group(const struct cli_verb *v, size_t len, struct buf *out)
{
    size_t start = out->len;
    buf_printf(out, "  %.*s ...", (int)len, v->words);
    pad_to(out, start, HELP_COLUMN);
    for (const char *between = "";; v++, between = ", ") {
        buf_printf(out, "%s%s", between, v->words + len + 1);
        const char *next = v[1].words;
        if (!next || group_length(next) != len || strncmp(next, v->words, len) != 0)
            break;
    }
    buf_putc(out, '\n');
    return v;
}

/* A line for each noun that differs from the one before. */
static bool begins_part(const char *last, const char *words)
{
    size_t noun = strcspn(words, " ");
    return (strcspn(last, " ") != noun || strncmp(last, words, noun) != 0) &&
           (words[noun] || last[strcspn(last, " ")]);
}

bool cli_help_list(const char *prefix, struct buf *out)
{
    size_t found = 0;
    const char *last = "";
    for (const struct cli_verb *v = cli_verbs; v->words; v++) {
        if (!begins_with_words(v->words, prefix))
            continue;
        if (found++ && !*prefix && begins_part(last, v->words))
            buf_putc(out, '\n');
        last = v->words;
        size_t group = *prefix ? 0 : group_length(v->words);
        if (group) {
            v = help_group(v, group, out);
            continue;
        }
        size_t start = out->len;
        buf_printf(out, "  %s%s%s", v->words, v->places ? " " : "", v->places ? v->places : "");
        pad_to(out, start, HELP_COLUMN);
        buf_printf(out, "%s\n", v->help);
    }
    return found > 0;
}

void cli_help_all(struct buf *out)
{
    buf_puts(out,
             "berth                             opens the console\nberth COMMAND [OPTION]...\n\n");
    (void)cli_help_list("", out);
    buf_puts(out,
             "\nEvery command takes --json (for scripts), --quiet and --help.\n"
             "`berth help WORD...` lists what begins so, and tells more: berth help sandbox\n");
}

/* "help vm create" shows that verb, "help vm" what begins so, "help" all. */
int cli_help(struct cli *cli)
{
    auto_buf struct buf words = {0};
    auto_buf struct buf text = {0};
    for (size_t i = 0; i < cli->args->n_places; i++)
        buf_printf(&words, "%s%s", i ? " " : "", cli->args->places[i]);
    const char *wanted = buf_str(&words);
    const struct cli_verb *exact = NULL;
    for (const struct cli_verb *v = cli_verbs; v->words; v++)
        if (str_eq(v->words, wanted))
            exact = v;
    if (!*wanted) {
        cli_help_all(&text);
    } else if (exact) {
        cli_help_verb(exact, &text);
    } else if (!cli_help_list(wanted, &text)) {
        struct err err = {0};
        char shown[60];
        str_sanitise_to(shown, sizeof(shown), wanted);
        err_set(&err, ERR_INVALID, "there is no command \"%s\"", shown);
        err_hint(&err, "`berth help` lists the commands");
        cli_out_error(&err, CLI_EXIT_USAGE, "usage", cli->args->json);
        return CLI_EXIT_USAGE;
    }
    cli_out_text(buf_str(&text));
    return CLI_EXIT_DONE;
}
