/* See redact.h: lines of text. A value is found by the name in front of its '=' or ':', a private
 * key by its PEM frame, a password of an address by its '@'. */
#include "vm/guest/iotedge/redact.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define KEY_LINES_MAX 256 /* a private key is shorter; a frame that never ends hides no log */
#define BEARER_MIN    16  /* a token of HTTP is not shorter */

struct redact {
    redact_fn fn;
    void *arg;
    struct buf line;
    bool too_long;      /* the rest of this line is dropped */
    unsigned key_lines; /* of a private key: this many came; 0: not in one */
    struct buf out;
};

static const char key_end[] = "PRIVATE KEY-----";

/* ------------------------------------------------------------------------------- one line */

/* Where the value that begins at AT ends. QUOTE: what stands in front of it, or 0. */
static size_t value_end(const char *text, size_t len, size_t at, char quote, bool escaped)
{
    for (; at < len; at++) {
        char c = text[at];
        if (quote) {
            if (c == quote && (escaped || text[at - 1] != '\\'))
                return escaped && text[at - 1] == '\\' ? at - 1 : at;
        } else if (isspace((unsigned char)c) || strchr(";&,\"'`<>()[]{}\\", c)) {
            return at;
        }
    }
    return len;
}

/* The name that ends in front of the separator at AT: TEXT[*RET..+length]. */
static size_t name_before(const char *text, size_t at, size_t *ret)
{
    size_t end = at;
    while (end && strchr(" \"'\\", text[end - 1]))
        end--;
    size_t begin = end;
    while (begin && (isalnum((unsigned char)text[begin - 1]) || strchr("_-", text[begin - 1])))
        begin--;
    *ret = begin;
    return end - begin;
}

/* Headers of HTTP: a value may hold blanks. */
static bool to_the_end(const char *name, size_t len)
{
    static const char *const headers[] = {"authorization", "cookie"};
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        size_t n = strlen(headers[i]);
        if (len >= n && strncasecmp(name + len - n, headers[i], n) == 0)
            return true;
    }
    return false;
}

/* A secret behind the separator at AT: writes all up to it and the mark. Returns where the text
 * goes on; AT where there is none. */
static size_t take_value(const char *text, size_t len, size_t at, struct buf *out)
{
    size_t name = 0, n_name = name_before(text, at, &name);
    if (!n_name || !redact_is_secret(text + name, n_name))
        return at;
    size_t begin = at + 1;
    while (begin < len && (text[begin] == ' ' || text[begin] == '\t'))
        begin++;
    bool escaped = begin + 1 < len && text[begin] == '\\' && strchr("\"'", text[begin + 1]);
    begin += escaped;
    char quote = '\0';
    if (begin < len && strchr("\"'", text[begin]))
        quote = text[begin++];
    size_t end = !quote && to_the_end(text + name, n_name)
                     ? len
                     : value_end(text, len, begin, quote, escaped);
    if (end <= begin)
        return at;
    buf_append(out, text + at, begin - at);
    buf_puts(out, REDACT_MARK);
    return end;
}

/* "Bearer TOKEN" without a header's name in front. */
static size_t take_bearer(const char *text, size_t len, size_t at, struct buf *out)
{
    static const char word[] = "bearer";
    size_t n = strlen(word);
    if (at < n || strncasecmp(text + at - n, word, n) != 0)
        return at;
    size_t end = value_end(text, len, at + 1, '\0', false);
    if (end - at - 1 < BEARER_MIN)
        return at;
    buf_puts(out, " " REDACT_MARK);
    return end;
}

/* "://USER:PASSWORD@HOST": AT is the colon. A password may hold an '@': the last one counts. */
static size_t take_user(const char *text, size_t len, size_t at, struct buf *out)
{
    size_t next = at;
    if (at + 3 >= len || text[at + 1] != '/' || text[at + 2] != '/')
        return at;
    for (size_t end = at + 3; end < len; end++) {
        if (text[end] == '@')
            next = end;
        if (isspace((unsigned char)text[end]) || strchr("/?#\"'<>", text[end]))
            break;
    }
    if (next > at)
        buf_puts(out, "://" REDACT_MARK);
    return next;
}

static void redact_span(const char *text, size_t len, struct buf *out)
{
    for (size_t at = 0; at < len;) {
        char c = text[at];
        size_t next = at;
        if (c == '=' || c == ':')
            next = take_value(text, len, at, out);
        if (next == at && c == ':')
            next = take_user(text, len, at, out);
        if (c == ' ')
            next = take_bearer(text, len, at, out);
        if (next == at)
            buf_putc(out, text[next++]);
        at = next;
    }
}

/* Behind the end of a private key's frame; NULL: it goes on. */
static const char *after_key(const char *text, size_t len)
{
    static const char end[] = "-----END ";
    const char *at = memmem(text, len, end, strlen(end));
    const char *tail = at ? memmem(at, len - (size_t)(at - text), key_end, strlen(key_end)) : NULL;
    return tail ? tail + strlen(key_end) : NULL;
}

/* The beginning of a private key's frame; NULL: there is none. */
static const char *find_key(const char *text, size_t len)
{
    static const char begin[] = "-----BEGIN ";
    const char *end = text + len;
    for (const char *at = text; (at = memmem(at, (size_t)(end - at), begin, strlen(begin)));) {
        const char *label = at + strlen(begin), *dash = memchr(label, '-', (size_t)(end - label));
        size_t n = dash ? (size_t)(dash - label) : 0;
        if (n >= 11 && memcmp(dash - 11, "PRIVATE KEY", 11) == 0)
            return at;
        at = label;
    }
    return NULL;
}

/* False where the line is gone altogether. */
static bool redact_line(struct redact *r, const char *text, size_t len)
{
    const char *end = text + len;
    if (r->key_lines) {
        text = after_key(text, len);
        if (!text && r->key_lines++ < KEY_LINES_MAX)
            return false;
        r->key_lines = 0;
        if (!text)
            text = end - len;
        else if (text == end)
            return false;
    }
    for (;;) {
        const char *key = find_key(text, (size_t)(end - text));
        redact_span(text, (size_t)((key ? key : end) - text), &r->out);
        if (!key)
            return true;
        buf_puts(&r->out, REDACT_MARK " PRIVATE KEY");
        text = after_key(key, (size_t)(end - key));
        if (!text) {
            r->key_lines = 1;
            return true;
        }
    }
}

/* ------------------------------------------------------------------------------- streams */

static void line_done(struct redact *r, bool newline)
{
    buf_clear(&r->out);
    if (redact_line(r, buf_str(&r->line), r->line.len)) {
        if (r->too_long)
            buf_puts(&r->out, " [the rest of this line was left out]");
        if (newline)
            buf_putc(&r->out, '\n');
        r->fn(r->arg, buf_str(&r->out), r->out.len);
    }
    r->too_long = false;
    buf_clear(&r->line);
}

static void line_grow(struct redact *r, const char *data, size_t len)
{
    size_t room = REDACT_LINE_MAX - r->line.len;
    r->too_long |= len > room;
    buf_append(&r->line, data, len < room ? len : room);
}

struct redact *redact_new(redact_fn fn, void *arg)
{
    struct redact *r = xcalloc(1, sizeof(*r));
    r->fn = fn;
    r->arg = arg;
    return r;
}

void redact_free(struct redact *r)
{
    if (!r)
        return;
    buf_wipe(&r->line);
    buf_done(&r->out);
    free(r);
}

void redact_feed(struct redact *r, const char *data, size_t len)
{
    while (len) {
        const char *nl = memchr(data, '\n', len);
        size_t n = nl ? (size_t)(nl - data) : len;
        line_grow(r, data, n);
        if (!nl)
            return;
        line_done(r, true);
        data += n + 1;
        len -= n + 1;
    }
}

void redact_end(struct redact *r)
{
    if (r->line.len || r->too_long)
        line_done(r, false);
}

static void append_to(void *arg, const char *data, size_t len)
{
    buf_append(arg, data, len);
}

void redact_text(const char *text, size_t len, struct buf *out)
{
    struct redact *r = redact_new(append_to, out);
    redact_feed(r, text, len);
    redact_end(r);
    redact_free(r);
}
