/* See route_lex.h. */
#include "vm/guest/hub/route_lex.h"

#include "core/base/attr.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *text;
    enum token_kind kind;
    bool any_case;
} words[] = {
    {"select", TOKEN_SELECT, true},
    {"from", TOKEN_FROM, true},
    {"where", TOKEN_WHERE, true},
    {"into", TOKEN_INTO, true},
    {"and", TOKEN_AND, true},
    {"or", TOKEN_OR, true},
    {"not", TOKEN_NOT, true},
    {"true", TOKEN_TRUE, false},
    {"false", TOKEN_FALSE, false},
    {"null", TOKEN_NULL, false},
    {"undefined", TOKEN_UNDEFINED, false},
};

/* Longer ones first. */
static const struct {
    const char *text;
    enum token_kind kind;
} operators[] = {
    {"||", TOKEN_CONCAT},     {"??", TOKEN_COALESCE}, {"!=", TOKEN_NE},     {"<>", TOKEN_NE},
    {"<=", TOKEN_LE},         {">=", TOKEN_GE},       {"=", TOKEN_EQ},      {"<", TOKEN_LT},
    {">", TOKEN_GT},          {"(", TOKEN_OPEN},      {")", TOKEN_CLOSE},   {"{", TOKEN_OPEN_BRACE},
    {"}", TOKEN_CLOSE_BRACE}, {",", TOKEN_COMMA},     {"+", TOKEN_PLUS},    {"-", TOKEN_MINUS},
    {"*", TOKEN_STAR},        {"/", TOKEN_SLASH},     {"%", TOKEN_PERCENT},
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Characters of names; BRACKETS: also [ and ]. */
static size_t name_length(const char *at, bool brackets)
{
    return strcspn(at, brackets ? "()<>@,;:\\\"/?={} \t\r\n" : "()<>@,;:\\\"/?={} \t\r\n[]");
}

static size_t digits(const char *at)
{
    return strspn(at, "0123456789");
}

/* An exponent with its e, or 0. */
static size_t exponent_length(const char *at)
{
    size_t n = 1;

    if (*at != 'e' && *at != 'E')
        return 0;
    if (at[n] == '+' || at[n] == '-')
        n++;
    return digits(at + n) > 0 ? n + digits(at + n) : 0;
}

static size_t number_length(const char *at)
{
    size_t n = at[0] == '-' ? 1 : 0;
    size_t whole = digits(at + n);

    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X') && isxdigit((unsigned char)at[2]))
        return 2 + strspn(at + 2, "0123456789abcdefABCDEF");
    n += whole;
    if (at[n] == '.' && digits(at + n + 1) > 0)
        n += 1 + digits(at + n + 1);
    else if (whole == 0)
        return 0;
    return n + exponent_length(at + n);
}

/* A text with its quotes. RET_WHY: what is wrong with it, or NULL. */
static size_t text_length(const char *at, const char **ret_why)
{
    char quote = at[0];
    size_t n = 1;

    *ret_why = NULL;
    while (at[n] && at[n] != quote) {
        if (at[n] != '\\') {
            n++;
        } else if (at[n + 1] && strchr("\"'\\", at[n + 1])) {
            n += 2;
        } else if (at[n + 1] == 'u' && strspn(at + n + 2, "0123456789abcdefABCDEF") >= 4) {
            n += 6;
        } else {
            *ret_why = "a backslash in a text must be followed by a quote, a backslash or uXXXX";
            return n + 1;
        }
    }
    if (at[n] == quote)
        return n + 1;
    *ret_why = "the text has no closing quote";
    return n;
}

static const char *skip_space(const char *at)
{
    while (is_space(*at))
        at++;
    return at;
}

static const char *skip_space_and_comments(const char *at)
{
    for (;;) {
        at = skip_space(at);

        const char *end = at[0] == '/' && at[1] == '*' ? strstr(at + 2, "*/") : NULL;

        if (!end)
            return at;
        at = end + 2;
    }
}

static bool lex_operator(const char *at, struct token *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        size_t n = strlen(operators[i].text);

        if (strncmp(at, operators[i].text, n) == 0) {
            *ret = (struct token){.kind = operators[i].kind, .at = at, .len = n};
            return true;
        }
    }
    return false;
}

static struct token lex_word(const char *at, size_t len)
{
    struct token t = {.kind = TOKEN_WORD, .at = at, .len = len};

    if (at[0] == '$' && len > 1) {
        t.kind = TOKEN_SYS;
        return t;
    }
    if (len > name_length(at, false)) {
        t.kind = TOKEN_BAD;
        t.why = "only $body names may have [ and ]";
        return t;
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strlen(words[i].text) == len &&
            (words[i].any_case ? strncasecmp(at, words[i].text, len)
                               : strncmp(at, words[i].text, len)) == 0)
            t.kind = words[i].kind;
    return t;
}

static struct token lex_here(const char *at)
{
    const char *why = NULL;
    size_t word = name_length(at, true);
    size_t text = at[0] == '"' || at[0] == '\'' ? text_length(at, &why) : 0;
    size_t number = number_length(at);
    struct token op;

    if (!*at)
        return (struct token){.kind = TOKEN_END, .at = at};
    if (text > 0 && text >= word)
        return (struct token){
            .kind = why ? TOKEN_BAD : TOKEN_TEXT, .at = at, .len = text, .why = why};
    if (number > 0 && number >= word)
        return (struct token){.kind = TOKEN_NUMBER, .at = at, .len = number};
    if (lex_operator(at, &op) && op.len >= word)
        return op;
    if (word > 0)
        return lex_word(at, word);
    return (struct token){.kind = TOKEN_BAD, .at = at, .len = 1, .why = "unknown character"};
}

struct token route_lex(const char *at)
{
    return lex_here(skip_space_and_comments(at));
}

/* Whether the "/" and "*" here are the end of a source and not the beginning of a comment. */
static bool is_wildcard(const char *at)
{
    const char *behind = at + 2;

    if (at[0] != '/' || at[1] != '*')
        return false;
    if (*behind == '/')
        return true;
    if (*behind && !is_space(*behind))
        return false;
    behind = skip_space(behind);

    struct token next = lex_here(behind);

    return next.kind == TOKEN_END || next.kind == TOKEN_WHERE || next.kind == TOKEN_INTO ||
           strncmp(behind, "/*", 2) == 0;
}

struct token route_lex_source(const char *at)
{
    at = skip_space(at);
    return lex_here(is_wildcard(at) ? at : skip_space_and_comments(at));
}
