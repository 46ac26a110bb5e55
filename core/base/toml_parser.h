/* What toml.c and toml_value.c share. Nobody else includes this. */
#ifndef BERTH_BASE_TOML_PARSER_H
#define BERTH_BASE_TOML_PARSER_H

#include "core/base/buf.h"
#include "core/base/toml.h"

struct toml_parser {
    const char *at;
    const char *end;
    unsigned line;
    unsigned nodes;
    unsigned depth;
    struct err *err;
};

struct toml_key {
    char *parts[TOML_DEPTH_MAX];
    size_t n;
};

/* toml.c */
int toml_fail(struct toml_parser *p, const char *fmt, ...) ATTR_PRINTF(2, 3); /* always -1 */
struct toml *toml_node(struct toml_parser *p, enum toml_type type);
void toml_attach(struct toml *parent, struct toml *take_child);
void toml_skip_blanks(struct toml_parser *p);
int toml_skip_comment(struct toml_parser *p);
bool toml_skip_newline(struct toml_parser *p);
int toml_key(struct toml_parser *p, struct toml_key *ret);
void toml_key_done(struct toml_key *key);
int toml_assign(struct toml_parser *p, struct toml *table); /* "key = value" into TABLE */

/* toml_value.c */
struct toml *toml_value(struct toml_parser *p);
int toml_quoted(struct toml_parser *p, struct buf *out, bool multiline_allowed);

#endif
