/* See cli_args.h. First the words that name the verb are found (common switches may stand between
 * them), then everything else is read by the verb's own options. */
#include "tui/cli_args.h"

#include "core/base/clock.h"
#include "core/base/str.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define WORDS_MAX 3 /* of a verb */

static int usage_error(const struct cli_verb *verb, struct err *err, const char *fmt, ...)
    ATTR_PRINTF(3, 4);

static int usage_error(const struct cli_verb *verb, struct err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_vset(err, ERR_INVALID, fmt, ap);
    va_end(ap);
    if (verb)
        return err_hint(err, "`berth %s --help` shows how it is used", verb->words);
    return err_hint(err, "`berth help` lists the commands");
}

/* How many of WORDS the verb's own words take; 0 where they differ or there are too few. */
static size_t words_match(const struct cli_verb *verb, const char *const *words, size_t n)
{
    const char *at = verb->words;
    for (size_t i = 0; i < n; i++) {
        size_t len = strcspn(at, " ");
        if (strlen(words[i]) != len || strncmp(words[i], at, len) != 0)
            return 0;
        if (!at[len])
            return i + 1;
        at += len + 1;
    }
    return 0;
}

/* An option as it was written: "--name", "--name=value" or "-n". */
struct written {
    const char *name;
    size_t len;
    char letter;       /* instead of a name */
    const char *value; /* behind '='; NULL: none */
};

static struct written written_of(const char *arg)
{
    struct written w = {0};
    if (arg[1] != '-') {
        w.letter = arg[1] && !arg[2] ? arg[1] : '?';
        return w;
    }
    w.name = arg + 2;
    w.len = strcspn(w.name, "=");
    if (w.name[w.len])
        w.value = w.name + w.len + 1;
    return w;
}

static const struct cli_option *table_find(const struct cli_option *table, const struct written *w)
{
    for (const struct cli_option *o = table; o && o->name; o++)
        if (w->letter ? o->letter == w->letter
                      : strlen(o->name) == w->len && strncmp(o->name, w->name, w->len) == 0)
            return o;
    return NULL;
}

/* The option of the verb; NULL where it has none of that name. */
static const struct cli_option *verb_find(const struct cli_verb *verb, const struct written *w)
{
    const struct cli_option *o = NULL;
    for (size_t i = 0; i < CLI_TABLES_MAX && !o; i++)
        o = table_find(verb->options[i], w);
    return o;
}

static const struct cli_option *verb_option(const struct cli_verb *verb, const char *name)
{
    return verb_find(verb, &(struct written){.name = name, .len = strlen(name)});
}

/* Takes a switch that every verb has. */
static bool take_common(struct cli_args *args, const char *arg)
{
    if (arg[0] != '-' || !arg[1])
        return false;
    struct written w = written_of(arg);
    const struct cli_option *o = table_find(cli_common_options, &w);
    if (!o || w.value)
        return false;
    if (str_eq(o->name, "json"))
        args->json = true;
    else if (str_eq(o->name, "quiet"))
        args->quiet = true;
    else
        args->help = true;
    return true;
}

/* Whether verbs begin with these words and go on. */
static bool begins_verbs(const char *words)
{
    size_t len = strlen(words);
    for (const struct cli_verb *v = cli_verbs; v->words; v++)
        if (strncmp(v->words, words, len) == 0 && v->words[len] == ' ')
            return true;
    return false;
}

/* The most of WORDS that verbs begin with, as text; returns how many they are. */
static size_t known_words(const char *const *words, size_t n, char *to, size_t size)
{
    for (size_t known = n; known > 0; known--) {
        auto_buf struct buf text = {0};
        for (size_t i = 0; i < known; i++)
            buf_printf(&text, "%s%s", i ? " " : "", words[i]);
        if (str_copy(to, size, buf_str(&text)) && begins_verbs(to))
            return known;
    }
    to[0] = '\0';
    return 0;
}

static int unknown_words(const char *const *words, size_t n, const char *begin, size_t known,
                         struct err *err)
{
    char shown[40];
    if (n == 0)
        return usage_error(NULL, err, "no command is given");
    str_sanitise_to(shown, sizeof(shown), words[known < n ? known : 0]);
    if (!known)
        return usage_error(NULL, err, "there is no command \"%s\"", shown);
    if (known < n)
        err_set(err, ERR_INVALID, "%s has no \"%s\"", begin, shown);
    else
        err_set(err, ERR_INVALID, "%s what?", begin);
    return err_hint(err, "`berth help %s` lists what it can do", begin);
}

/* Finds the verb and how many arguments its name takes (common switches between the words
 * included). */
static int find_verb(int argc, char *const *argv, struct cli_args *args, int *ret_next,
                     struct err *err)
{
    const char *words[WORDS_MAX];
    int behind[WORDS_MAX + 1] = {1};
    size_t n = 0;
    size_t best = 0;
    for (int i = 1; i < argc && n < WORDS_MAX; i++) {
        if (argv[i][0] != '-') {
            words[n++] = argv[i];
            behind[n] = i + 1;
        } else if (!take_common(args, argv[i])) {
            break;
        }
    }
    for (const struct cli_verb *v = cli_verbs; v->words; v++) {
        size_t taken = words_match(v, words, n);
        if (taken > best) {
            best = taken;
            args->verb = v;
        }
    }
    if (!best) {
        size_t known = known_words(words, n, args->about, sizeof(args->about));
        return args->help ? 0 : unknown_words(words, n, args->about, known, err);
    }
    *ret_next = behind[best];
    return 0;
}

static int take_option(struct cli_args *args, int argc, char *const *argv, int *i, struct err *err)
{
    const struct cli_verb *verb = args->verb;
    struct written w = written_of(argv[*i]);
    char shown[40];
    str_sanitise_to(shown, sizeof(shown), argv[*i]);
    shown[strcspn(shown, "=")] = '\0';

    const struct cli_option *o = verb_find(verb, &w);
    if (!o)
        return usage_error(verb, err, "%s has no option %s", verb->words, shown);
    if (!o->value && w.value)
        return usage_error(verb, err, "option %s takes no value", shown);
    if (o->value && !w.value) {
        if (*i + 1 >= argc)
            return usage_error(verb, err, "option %s needs a value (%s)", shown, o->value);
        w.value = argv[++*i];
    }
    if (args->n_given == CLI_GIVEN_MAX)
        return usage_error(verb, err, "these are more than %d options", CLI_GIVEN_MAX);
    args->given[args->n_given++] = (struct cli_given){o, o->value ? w.value : ""};
    return 0;
}

static int take_place(struct cli_args *args, const char *arg, struct err *err)
{
    if (args->n_places == args->verb->max_places) {
        char shown[40];
        str_sanitise_to(shown, sizeof(shown), arg);
        return usage_error(args->verb, err, "\"%s\" is one argument too many", shown);
    }
    args->places[args->n_places++] = arg;
    return 0;
}

int cli_args_parse(int argc, char *const *argv, struct cli_args *ret, struct err *err)
{
    struct cli_args args = {0};
    int next = argc;
    bool only_places = false;
    if (find_verb(argc, argv, &args, &next, err) < 0)
        return -1;

    for (int i = next; i < argc; i++) {
        const char *arg = argv[i];
        int result = 0;
        if (only_places || arg[0] != '-' || str_eq(arg, "-"))
            result = take_place(&args, arg, err);
        else if (str_eq(arg, "--"))
            only_places = true;
        else if (!take_common(&args, arg))
            result = take_option(&args, argc, argv, &i, err);
        if (result < 0)
            return -1;
    }
    if (!args.help && args.verb && args.n_places < args.verb->min_places)
        return usage_error(args.verb, err, "%s needs %s", args.verb->words, args.verb->places);
    *ret = args;
    return 0;
}

bool cli_args_takes(const struct cli_args *args, const char *option)
{
    return verb_option(args->verb, option) != NULL;
}

const char *cli_args_nth(const struct cli_args *args, const char *option, size_t n)
{
    const struct cli_option *o = verb_option(args->verb, option);
    assert(o);
    for (size_t i = 0; i < args->n_given; i++)
        if (args->given[i].option == o && n-- == 0)
            return args->given[i].value;
    return NULL;
}

const char *cli_args_value(const struct cli_args *args, const char *option)
{
    const char *value = NULL;
    for (size_t n = 0; cli_args_nth(args, option, n); n++)
        value = cli_args_nth(args, option, n);
    return value;
}

bool cli_args_has(const struct cli_args *args, const char *option)
{
    return cli_args_value(args, option) != NULL;
}

int cli_args_number(const struct cli_args *args, const char *option, uint64_t min, uint64_t max,
                    uint64_t *value, struct err *err)
{
    const char *text = cli_args_value(args, option);
    uint64_t number = 0;
    if (!text)
        return 0;
    if (!str_to_u64(text, max, &number) || number < min)
        return err_set(err, ERR_INVALID, "--%s must be a whole number from %" PRIu64 " to %" PRIu64,
                       option, min, max);
    *value = number;
    return 0;
}

int cli_args_since(const char *text, uint64_t now_ms, uint64_t *ret_ms, struct err *err)
{
    static const struct {
        char unit;
        uint64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    char number[16];
    size_t len = strlen(text);
    uint64_t value = 0;

    if (len > 10 && clock_parse(text, ret_ms))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(units) && len > 1 && len < sizeof(number); i++) {
        if (text[len - 1] != units[i].unit)
            continue;
        (void)str_format(number, sizeof(number), "%.*s", (int)len - 1, text);
        if (!str_to_u64(number, 1000000, &value))
            break;
        uint64_t back = value * units[i].ms;
        *ret_ms = back < now_ms ? now_ms - back : 0;
        return 0;
    }
    err_set(err, ERR_INVALID, "--since is neither a time span nor a time");
    return err_hint(err, "examples: --since 10m, --since 2h, --since 2026-11-21T14:00:00Z");
}
