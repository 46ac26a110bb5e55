/* See query.h: the words, numbers, texts and signs of a query. */
#include "vm/guest/hub/query_parser.h"

#include "core/base/str.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

int query_wrong_at(struct query_parser *p, size_t at, const char *why)
{
    return err_set(p->err, ERR_INVALID, "%s, character %zu: %s",
                   p->condition ? "the target condition" : "the query", at + 1, why);
}

int query_wrong(struct query_parser *p, const char *why)
{
    return query_wrong_at(p, p->token.at, why);
}

bool query_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '-' ||
           (unsigned char)c >= 0x80;
}

const char *query_keep(struct query_parser *p, const char *from, size_t len)
{
    char *to = p->room;

    memcpy(to, from, len);
    to[len] = '\0';
    p->room += len + 1;
    return to;
}

static void read_word(struct query_parser *p)
{
    size_t len = 0;

    while (query_name_char(p->text[p->at + len]))
        len++;
    p->token.kind = TOKEN_WORD;
    p->token.text = query_keep(p, p->text + p->at, len);
    p->at += len;
}

static int read_number(struct query_parser *p)
{
    const char *from = p->text + p->at;
    size_t len = from[0] == '-';
    char copy[64], *end = NULL;

    while (isalnum((unsigned char)from[len]) || from[len] == '.' ||
           (strchr("+-", from[len]) && from[len] && strchr("eE", from[len - 1])))
        len++;
    if (len >= sizeof(copy))
        return query_wrong(p, "the number is too long");
    memcpy(copy, from, len);
    copy[len] = '\0';
    p->token.kind = TOKEN_NUMBER;
    p->token.number = strtod(copy, &end);
    if (end != copy + len || !isfinite(p->token.number))
        return query_wrong(p, "this is not a number");
    p->at += len;
    return 0;
}

/* One character of a text in quotes, which may be written with a backslash or as a doubled quote.
 * False at its end. */
static bool read_text_char(struct query_parser *p, char quote, char *ret_c, int *ret_status)
{
    const char *from = p->text + p->at;

    if (from[0] == '\0') {
        *ret_status = query_wrong(p, "the text that begins here has no end");
        return false;
    }
    if (from[0] == quote && from[1] != quote) {
        p->at++;
        return false;
    }
    if (from[0] == '\\' && !(from[1] && strchr("'\"\\", from[1]))) {
        *ret_status = query_wrong_at(p, p->at, "behind a backslash comes a quote or a backslash");
        return false;
    }
    *ret_c = from[from[0] == quote || from[0] == '\\' ? 1 : 0];
    p->at += from[0] == quote || from[0] == '\\' ? 2 : 1;
    return true;
}

static int read_text(struct query_parser *p)
{
    char quote = p->text[p->at++], c;
    int status = 0;

    p->token.kind = TOKEN_TEXT;
    p->token.text = p->room;
    while (read_text_char(p, quote, &c, &status))
        *p->room++ = c;
    *p->room++ = '\0';
    return status;
}

static int read_symbol(struct query_parser *p)
{
    static const char *const symbols[] = {"!=", "<>", "<=", ">=", "=", "<", ">",
                                          "(",  ")",  "[",  "]",  ",", "*"};

    for (size_t i = 0; i < ARRAY_LEN(symbols); i++)
        if (str_starts(p->text + p->at, symbols[i])) {
            p->token.kind = TOKEN_SYMBOL;
            p->token.text = symbols[i];
            p->at += strlen(symbols[i]);
            return 0;
        }
    return query_wrong(p, "this character has no meaning here");
}

int query_advance(struct query_parser *p)
{
    char c;

    while (isspace((unsigned char)p->text[p->at]))
        p->at++;
    p->token = (struct query_token){.at = p->at};
    c = p->text[p->at];
    if (c == '\0')
        return 0;
    if (isdigit((unsigned char)c) || (c == '-' && isdigit((unsigned char)p->text[p->at + 1])))
        return read_number(p);
    if (query_name_char(c)) {
        read_word(p);
        return 0;
    }
    return c == '\'' || c == '"' ? read_text(p) : read_symbol(p);
}

bool query_is_symbol(const struct query_parser *p, const char *symbol)
{
    return p->token.kind == TOKEN_SYMBOL && str_eq(p->token.text, symbol);
}

bool query_is_keyword(const struct query_parser *p, const char *word)
{
    return p->token.kind == TOKEN_WORD && strcasecmp(p->token.text, word) == 0;
}

bool query_before(const struct query_parser *p, char sign)
{
    return p->text[p->at + strspn(p->text + p->at, " \t\r\n")] == sign;
}

int query_need_symbol(struct query_parser *p, const char *symbol)
{
    char why[40];

    if (query_is_symbol(p, symbol))
        return query_advance(p);
    (void)str_format(why, sizeof(why), "%s is missing", symbol);
    return query_wrong(p, why);
}

int query_need_keyword(struct query_parser *p, const char *word)
{
    char why[40];

    if (query_is_keyword(p, word))
        return query_advance(p);
    (void)str_format(why, sizeof(why), "%s is missing", word);
    return query_wrong(p, why);
}
