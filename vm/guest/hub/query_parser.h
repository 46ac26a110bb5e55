/* What the files of the parser share. A query is read once from left to right, one token ahead. */
#ifndef BERTH_HUB_QUERY_PARSER_H
#define BERTH_HUB_QUERY_PARSER_H

#include "vm/guest/hub/query_private.h"

enum query_token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_NUMBER,
    TOKEN_TEXT,
    TOKEN_SYMBOL,
};

struct query_token {
    enum query_token_kind kind;
    size_t at;
    const char *text; /* word, text, symbol */
    double number;
};

struct query_parser {
    const char *text;
    size_t at; /* behind the token */
    struct query_token token;
    struct query *q;
    char *room; /* in the query's texts; no token is longer there than in the text */
    unsigned depth;
    bool condition; /* of a configuration */
    struct err *err;
};

/* ERR_INVALID that names the character. Always -1. */
int query_wrong(struct query_parser *p, const char *why); /* at the token */
int query_wrong_at(struct query_parser *p, size_t at, const char *why);

/* query_token.c */
int query_advance(struct query_parser *p);
bool query_name_char(char c);
bool query_is_symbol(const struct query_parser *p, const char *symbol);
bool query_is_keyword(const struct query_parser *p, const char *word);
int query_need_symbol(struct query_parser *p, const char *symbol);
int query_need_keyword(struct query_parser *p, const char *word);
/* Whether SIGN comes next behind the token. */
bool query_before(const struct query_parser *p, char sign);
/* Copies LEN bytes into the query's texts. */
const char *query_keep(struct query_parser *p, const char *from, size_t len);

/* query_condition.c. The token is the first word of a path: */
int query_read_path(struct query_parser *p, struct query_path *ret);
/* Behind a dot: "b" or "[[b]]". */
int query_read_member(struct query_parser *p);
/* NULL on failure. */
struct query_node *query_parse_or(struct query_parser *p);

#endif
