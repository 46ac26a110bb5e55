/* See filter.h. The only file that knows PCRE2. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "logs/filter.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <ctype.h>
#include <pcre2.h>
#include <string.h>
#include <strings.h>

#define MATCH_LIMIT 20000 /* steps; a pattern for log lines needs some hundreds */
#define DEPTH_LIMIT 1000
#define HEAP_LIMIT  256 /* KiB */
#define NEST_LIMIT  50
#define LEVEL_REACH 160

struct filter {
    pcre2_code *show;
    pcre2_code *hide;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    enum line_level min;
    uint64_t gave_up;
};

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

static pcre2_code *compile(const char *what, const char *pattern, bool match_case, struct err *err)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    size_t len = strlen(pattern);
    if (len > FILTER_PATTERN_MAX) {
        err_set(err, ERR_INVALID, "the pattern to %s is longer than %d bytes", what,
                FILTER_PATTERN_MAX);
        return NULL;
    }
    pcre2_compile_context *context = must(pcre2_compile_context_create(NULL));
    (void)pcre2_set_parens_nest_limit(context, NEST_LIMIT);
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
    pcre2_code *re = pcre2_compile(
        (PCRE2_SPTR)pattern, len, options | (match_case ? 0 : PCRE2_CASELESS), &code, &at, context);
    pcre2_compile_context_free(context);
    if (!re) {
        PCRE2_UCHAR why[128] = "";
        (void)pcre2_get_error_message(code, why, sizeof(why));
        err_set(err, ERR_INVALID, "the pattern to %s is wrong at character %zu: %s", what,
                (size_t)at + 1, (char *)why);
        err_hint(err, "put a backslash before . * + ? ( ) [ ] { } | ^ $ that stand for themselves");
        return NULL;
    }
    (void)pcre2_jit_compile(re, PCRE2_JIT_COMPLETE); /* without it, matching is only slower */
    return re;
}

/* No pattern is no failure. */
static int compile_into(pcre2_code **ret_code, const char *what, const char *pattern,
                        bool match_case, struct err *err)
{
    if (!pattern || !*pattern)
        return 0;
    *ret_code = compile(what, pattern, match_case, err);
    return *ret_code ? 0 : -1;
}

struct filter *filter_new(const struct filter_options *options, struct err *err)
{
    struct filter *f = xcalloc(1, sizeof(*f));
    f->min = options->min;
    if (compile_into(&f->show, "show", options->show, options->match_case, err) < 0 ||
        compile_into(&f->hide, "hide", options->hide, options->match_case, err) < 0) {
        filter_free(f);
        return NULL;
    }
    f->match = must(pcre2_match_data_create(1, NULL));
    f->limits = must(pcre2_match_context_create(NULL));
    (void)pcre2_set_match_limit(f->limits, MATCH_LIMIT);
    (void)pcre2_set_depth_limit(f->limits, DEPTH_LIMIT);
    (void)pcre2_set_heap_limit(f->limits, HEAP_LIMIT);
    return f;
}

void filter_free(struct filter *f)
{
    if (!f)
        return;
    pcre2_code_free(f->show);
    pcre2_code_free(f->hide);
    pcre2_match_data_free(f->match);
    pcre2_match_context_free(f->limits);
    free(f);
}

enum outcome { OUTCOME_NO, OUTCOME_YES, OUTCOME_GAVE_UP };

static enum outcome match(struct filter *f, const pcre2_code *re, const char *text, size_t len,
                          size_t from, uint32_t options)
{
    int n = pcre2_match(re, (PCRE2_SPTR)text, len, from, options, f->match, f->limits);
    if (n >= 0)
        return OUTCOME_YES;
    if (n == PCRE2_ERROR_NOMATCH)
        return OUTCOME_NO;
    f->gave_up++;
    return OUTCOME_GAVE_UP;
}

bool filter_passes(struct filter *f, const char *text, size_t len)
{
    if (f->min != LINE_LEVEL_NONE && line_level_of(text, len) < f->min)
        return false;
    if (f->show && match(f, f->show, text, len, 0, 0) == OUTCOME_NO)
        return false;
    return !f->hide || match(f, f->hide, text, len, 0, 0) != OUTCOME_YES;
}

bool filter_find(struct filter *f, const char *text, size_t len, size_t from, size_t *ret_at,
                 size_t *ret_len)
{
    if (!f->show || from > len || match(f, f->show, text, len, from, PCRE2_NOTEMPTY) != OUTCOME_YES)
        return false;
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(f->match);
    if (span[1] <= span[0]) /* \K in a look-behind can turn a match around */
        return false;
    *ret_at = span[0];
    *ret_len = span[1] - span[0];
    return true;
}

uint64_t filter_gave_up(const struct filter *f)
{
    return f->gave_up;
}

static const struct {
    const char *word;
    enum line_level level;
} level_words[] = {
    {"ERROR", LINE_LEVEL_ERROR},    {"ERR", LINE_LEVEL_ERROR},   {"FATAL", LINE_LEVEL_ERROR},
    {"CRITICAL", LINE_LEVEL_ERROR}, {"CRIT", LINE_LEVEL_ERROR},  {"PANIC", LINE_LEVEL_ERROR},
    {"EMERG", LINE_LEVEL_ERROR},    {"ALERT", LINE_LEVEL_ERROR}, {"FAIL", LINE_LEVEL_ERROR},
    {"FTL", LINE_LEVEL_ERROR},      {"WARN", LINE_LEVEL_WARN},   {"WARNING", LINE_LEVEL_WARN},
    {"WRN", LINE_LEVEL_WARN},       {"INFO", LINE_LEVEL_INFO},   {"INF", LINE_LEVEL_INFO},
    {"NOTICE", LINE_LEVEL_INFO},    {"DEBUG", LINE_LEVEL_INFO},  {"DBG", LINE_LEVEL_INFO},
    {"DBUG", LINE_LEVEL_INFO},      {"TRACE", LINE_LEVEL_INFO},  {"VERBOSE", LINE_LEVEL_INFO},
};

/* "<3>" of a kernel or .NET console line, "E1121 10:00:00" of klog. */
static enum line_level level_by_prefix(const char *text, size_t len)
{
    if (len >= 3 && text[0] == '<' && text[1] >= '0' && text[1] <= '7' && text[2] == '>')
        return text[1] <= '3'   ? LINE_LEVEL_ERROR
               : text[1] == '4' ? LINE_LEVEL_WARN
                                : LINE_LEVEL_INFO;

    if (len < 6 || text[5] != ' ' || !strchr("IWEF", text[0]))
        return LINE_LEVEL_NONE;
    for (size_t i = 1; i < 5; i++)
        if (!isdigit((unsigned char)text[i]))
            return LINE_LEVEL_NONE;
    return text[0] == 'I' ? LINE_LEVEL_INFO : text[0] == 'W' ? LINE_LEVEL_WARN : LINE_LEVEL_ERROR;
}

/* A word in capitals counts anywhere; in small letters only where it stands as a label: "[warn]",
 * "level=warn", "\"warn\"", "warn:". */
static enum line_level level_by_word(const char *word, size_t n, char before, char behind)
{
    bool label = behind == ':' || (before && strchr("[=\"(|<", before));
    for (size_t i = 0; i < ARRAY_LEN(level_words); i++) {
        const char *name = level_words[i].word;
        if (strlen(name) == n && (label ? strncasecmp(word, name, n) : strncmp(word, name, n)) == 0)
            return level_words[i].level;
    }
    return LINE_LEVEL_NONE;
}

enum line_level line_level_of(const char *text, size_t len)
{
    enum line_level level = level_by_prefix(text, len);
    size_t reach = len < LEVEL_REACH ? len : LEVEL_REACH;
    for (size_t at = 0; at < reach && level == LINE_LEVEL_NONE;) {
        size_t n = 0;
        while (at + n < reach && (isalnum((unsigned char)text[at + n]) || text[at + n] == '_'))
            n++;
        if (n >= 3 && n <= 8)
            level = level_by_word(text + at, n, at ? text[at - 1] : '\0',
                                  at + n < len ? text[at + n] : '\0');
        at += n ? n : 1;
    }
    return level;
}

char line_level_letter(enum line_level level)
{
    static const char letters[] = {
        [LINE_LEVEL_NONE] = ' ',
        [LINE_LEVEL_INFO] = 'I',
        [LINE_LEVEL_WARN] = 'W',
        [LINE_LEVEL_ERROR] = 'E',
    };
    _Static_assert(sizeof(letters) == LINE_LEVEL_COUNT, "a letter for each level");
    return level < LINE_LEVEL_COUNT ? letters[level] : ' ';
}
