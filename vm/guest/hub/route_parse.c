/* From a route's text to what it matches and where it leads; see route.h. The condition is
 * route_condition.c's. */
#include "vm/guest/hub/route_parser.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#define NEAR_MAX 40

/* ---- tokens and errors ---- */

int parser_fail(struct parser *p, const struct token *t, const char *fmt, ...)
{
    char near[NEAR_MAX + 1], shown[NEAR_MAX * 4];
    size_t len = t->len < NEAR_MAX ? t->len : NEAR_MAX;
    va_list ap;

    memcpy(near, t->at, len);
    near[len] = '\0';
    str_sanitise_to(shown, sizeof(shown), near);
    va_start(ap, fmt);
    (void)err_vset(p->err, ERR_INVALID, fmt, ap);
    va_end(ap);
    if (t->kind == TOKEN_END)
        return err_wrap(p->err, "at the end");
    return err_wrap(p->err, "at character %zu (%s)", (size_t)(t->at - p->text) + 1, shown);
}

int parser_fail_expected(struct parser *p, const char *what)
{
    if (p->token.kind == TOKEN_BAD)
        return parser_fail(p, &p->token, "%s", p->token.why);
    return parser_fail(p, &p->token, "here should be %s", what);
}

void parser_next(struct parser *p)
{
    p->token = route_lex(p->token.at + p->token.len);
}

bool parser_take(struct parser *p, enum token_kind kind)
{
    if (p->token.kind != kind)
        return false;
    parser_next(p);
    return true;
}

/* ---- the route ---- */

/* Up to WHERE or INTO, without what only says "and all below it". */
static int parse_source(struct parser *p)
{
    auto_buf struct buf source = {0};

    p->token = route_lex_source(p->token.at);
    while (p->token.kind == TOKEN_SLASH) {
        p->token = route_lex_source(p->token.at + p->token.len);
        if (p->token.kind != TOKEN_WORD && p->token.kind != TOKEN_STAR &&
            p->token.kind != TOKEN_NUMBER && p->token.kind != TOKEN_SYS)
            return parser_fail_expected(p, "a part of the source: messages, a module, *");
        buf_putc(&source, '/');
        buf_append(&source, p->token.at, p->token.len);
        p->token = route_lex_source(p->token.at + p->token.len);
    }
    if (source.len == 0)
        return parser_fail_expected(p, "a source, such as /messages/*");
    while (source.len > 0 && source.data[source.len - 1] == '*')
        source.len--;
    while (source.len > 0 && source.data[source.len - 1] == '/')
        source.len--;
    source.data[source.len] = '\0';
    buf_putc(&source, '/');
    p->route->source = buf_steal(&source);
    p->twin_source = strncasecmp(p->route->source, "/twinChangeNotifications/", 25) == 0;
    return 0;
}

/* "/modules/m/inputs/i": four parts, of which the second and the last count. */
static int parse_address(struct parser *p, const struct token *t)
{
    auto_free char *address = xstrndup(t->at + 1, t->len - 2);
    char *text = str_trim(address), *parts[4] = {NULL};
    size_t n = 0, len = strlen(text);

    if (len > 1 && text[len - 1] == '/')
        text[len - 1] = '\0';
    text += text[0] == '/';
    for (char *part; n <= ARRAY_LEN(parts) && (part = strsep(&text, "/")); n++)
        if (n < ARRAY_LEN(parts))
            parts[n] = part;
    if (n != ARRAY_LEN(parts) || !parts[1][0] || !parts[3][0])
        return parser_fail(p, t, "must be \"/modules/MODULE/inputs/INPUT\"");
    p->route->module = xstrdup(parts[1]);
    p->route->input = xstrdup(parts[3]);
    p->route->endpoint = xasprintf("%s/%s", parts[1], parts[3]);
    return 0;
}

static int parse_brokered(struct parser *p)
{
    static const char name[] = "BrokeredEndpoint";
    const struct token t = p->token;

    if (t.len != strlen(name) || strncasecmp(t.at, name, t.len) != 0)
        return parser_fail(p, &t, "a sink is $upstream or BrokeredEndpoint(...)");
    parser_next(p);
    if (!parser_take(p, TOKEN_OPEN))
        return parser_fail_expected(p, "an opening bracket");
    if (p->token.kind != TOKEN_TEXT)
        return parser_fail_expected(p, "\"/modules/MODULE/inputs/INPUT\" in quotes");
    if (parse_address(p, &p->token) < 0)
        return -1;
    parser_next(p);
    return parser_take(p, TOKEN_CLOSE) ? 0 : parser_fail_expected(p, "a closing bracket");
}

static int parse_sink(struct parser *p)
{
    static const char upstream[] = "$upstream";

    if (p->token.kind == TOKEN_WORD)
        return parse_brokered(p);
    if (p->token.kind != TOKEN_SYS)
        return parser_fail_expected(p, "a sink: $upstream or BrokeredEndpoint(...)");
    if (p->token.len != strlen(upstream) || strncasecmp(p->token.at, upstream, p->token.len) != 0)
        return parser_fail(p, &p->token, "the only sink of this kind is $upstream");
    p->route->endpoint = xstrdup(upstream);
    parser_next(p);
    return 0;
}

static int parse_route(struct parser *p)
{
    if (parser_take(p, TOKEN_SELECT) && !parser_take(p, TOKEN_STAR))
        return parser_fail_expected(p, "* behind SELECT");
    if (p->token.kind != TOKEN_FROM)
        return parser_fail_expected(p, "FROM");
    p->token.at += p->token.len;
    if (parse_source(p) < 0)
        return -1;
    if (parser_take(p, TOKEN_WHERE) && route_condition_parse(p) < 0)
        return -1;
    if (!parser_take(p, TOKEN_INTO))
        return parser_fail_expected(p,
                                    p->route->n_code > 0 ? "an operator or INTO" : "WHERE or INTO");
    if (parse_sink(p) < 0)
        return -1;
    return p->token.kind == TOKEN_END ? 0 : parser_fail_expected(p, "the end of the route");
}

int route_compile(const char *text, size_t len, struct route **ret, struct err *err)
{
    auto_route struct route *r = xcalloc(1, sizeof(*r));
    auto_free char *copy = NULL;
    struct parser p = {.route = r, .err = err};

    if (len > ROUTE_TEXT_MAX)
        return err_set(err, ERR_INVALID, "the route is longer than %d characters", ROUTE_TEXT_MAX);
    if (memchr(text, '\0', len))
        return err_set(err, ERR_INVALID, "the route has a NUL character in it");
    p.text = copy = xstrndup(text, len);
    p.token = route_lex(copy);
    if (parse_route(&p) < 0)
        return -1;
    *ret = steal(r);
    return 0;
}

void route_free(struct route *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_texts; i++)
        free(r->texts[i]);
    free(r->texts);
    free(r->code);
    free(r->source);
    free(r->endpoint);
    free(r->module);
    free(r->input);
    free(r);
}

const char *route_module(const struct route *r)
{
    return r->module;
}

const char *route_input_name(const struct route *r)
{
    return r->input;
}

const char *route_endpoint(const struct route *r)
{
    return r->endpoint;
}
