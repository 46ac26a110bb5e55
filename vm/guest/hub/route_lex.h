/* The tokens of the route language. As in Microsoft's grammar the longest token wins, and a name
 * may hold nearly every character: "a+b" is one name, "a + b" a sum. Pure; any thread. */
#ifndef BERTH_HUB_ROUTE_LEX_H
#define BERTH_HUB_ROUTE_LEX_H

#include <stdbool.h>
#include <stddef.h>

enum token_kind {
    TOKEN_END,
    TOKEN_BAD,  /* why says what is wrong */
    TOKEN_WORD, /* a name */
    TOKEN_SYS,  /* a name that begins with '$'; may hold [ and ] */
    TOKEN_TEXT, /* with its quotes */
    TOKEN_NUMBER,
    TOKEN_TRUE,
    TOKEN_FALSE,
    TOKEN_NULL,
    TOKEN_UNDEFINED,
    TOKEN_SELECT,
    TOKEN_FROM,
    TOKEN_WHERE,
    TOKEN_INTO,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_NOT,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_OPEN_BRACE,
    TOKEN_CLOSE_BRACE,
    TOKEN_COMMA,
    TOKEN_PLUS,
    TOKEN_MINUS,
    TOKEN_STAR,
    TOKEN_SLASH,
    TOKEN_PERCENT,
    TOKEN_CONCAT,
    TOKEN_COALESCE,
    TOKEN_EQ,
    TOKEN_NE,
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT,
    TOKEN_GE,
    TOKEN_COUNT
};

struct token {
    enum token_kind kind;
    const char *at;
    size_t len;
    const char *why; /* TOKEN_BAD; static */
};

/* The token at or behind AT in a terminated text. */
struct token route_lex(const char *at);
/* The same where a source may stand: its "/" and "*" do not open a comment. */
struct token route_lex_source(const char *at);

#endif
