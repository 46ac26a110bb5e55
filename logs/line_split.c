/* See line_split.h. Per stream, bytes first pass the "stamp" stage (collects up to the first blank,
 * a time or not) and then go to the open line. */
#include "logs/line_split.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <assert.h>
#include <string.h>

#define STREAMS   3
#define STAMP_MAX 40 /* "2026-11-21T14:31:02.118123456+01:00" has 35 */

struct open_line {
    struct buf text; /* raw bytes, at most LINE_SPLIT_KEEP */
    uint64_t at_ms;
    bool begun;    /* a byte of the line was seen */
    bool cut;      /* more came than is kept */
    bool return_;  /* the last byte was a CR that belongs to the line end, if that is next */
    bool stamping; /* the bytes that come may be a time */
    size_t n_stamp;
    char stamp[STAMP_MAX];
};

struct line_split {
    line_split_fn fn;
    void *arg;
    bool timestamps;
    uint64_t seq;
    struct buf clean; /* scratch for the sanitised text */
    struct open_line lines[STREAMS];
};

struct line_split *line_split_new(const struct line_split_options *options, line_split_fn fn,
                                  void *arg)
{
    struct line_split *s = xcalloc(1, sizeof(*s));
    s->fn = fn;
    s->arg = arg;
    s->timestamps = options && options->timestamps;
    for (size_t i = 0; i < STREAMS; i++)
        s->lines[i].stamping = s->timestamps;
    return s;
}

void line_split_free(struct line_split *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < STREAMS; i++)
        buf_done(&s->lines[i].text);
    buf_done(&s->clean);
    free(s);
}

static void keep(struct open_line *line, const char *data, size_t len)
{
    size_t room = LINE_SPLIT_KEEP - line->text.len;
    if (len > room) {
        line->cut = true;
        len = room;
    }
    buf_append(&line->text, data, len);
}

/* Appends to the line, holding back a last CR: in front of a line end it is part of that. */
static void append(struct open_line *line, const char *data, size_t len)
{
    if (!len)
        return;
    if (line->return_)
        keep(line, "\r", 1);
    line->return_ = data[len - 1] == '\r';
    keep(line, data, len - line->return_);
}

/* What the stamp stage holds is a time or the text that the line begins with. BEHIND: what follows
 * it, " " or "" (the end of the line); NULL where it is text in any case. */
static void end_stamp(struct open_line *line, const char *behind)
{
    size_t n = line->n_stamp;
    uint64_t at_ms = 0;
    line->stamping = false;
    line->n_stamp = 0;
    line->stamp[n] = '\0';
    if (behind && !memchr(line->stamp, '\0', n) && clock_parse(line->stamp, &at_ms)) {
        if (!line->at_ms)
            line->at_ms = at_ms;
        return;
    }
    append(line, line->stamp, n);
    if (behind)
        append(line, behind, strlen(behind));
}

/* Feeds the stamp stage; returns how many bytes it used. */
static size_t take_stamp(struct open_line *line, const char *data, size_t len)
{
    size_t used = 0;
    while (used < len && line->stamping) {
        char c = data[used];
        if (c == ' ') {
            used++;
            end_stamp(line, " ");
        } else if (line->n_stamp + 1 == STAMP_MAX) {
            end_stamp(line, NULL);
        } else {
            line->stamp[line->n_stamp++] = c;
            used++;
        }
    }
    return used;
}

/* LEN without the beginning of a UTF-8 sequence that the cut went through. */
static size_t whole_length(const char *data, size_t len)
{
    uint32_t point = 0;
    size_t back = 1;
    while (back < 4 && back < len && ((unsigned char)data[len - back] & 0xC0) == 0x80)
        back++;
    bool halved = len >= back && (unsigned char)data[len - back] >= 0xC0 &&
                  !str_utf8_decode(data + len - back, back, &point);
    return halved ? len - back : len;
}

/* Leaves the sanitised text in s->clean, at most LINE_SPLIT_KEEP bytes, never ending inside an
 * escape. */
static void sanitise(struct line_split *s, struct open_line *line)
{
    const char *data = buf_str(&line->text);
    size_t len = line->cut ? whole_length(data, line->text.len) : line->text.len;
    buf_clear(&s->clean);
    str_sanitise(&s->clean, data, len);
    if (s->clean.len <= LINE_SPLIT_KEEP)
        return;

    /* Escapes made it longer: do it again in pieces small enough to see where it stops fitting. */
    line->cut = true;
    buf_clear(&s->clean);
    for (size_t at = 0; at < len;) {
        uint32_t point = 0;
        size_t n = str_utf8_decode(data + at, len - at, &point);
        size_t before = s->clean.len;
        str_sanitise(&s->clean, data + at, n ? n : 1);
        if (s->clean.len > LINE_SPLIT_KEEP) {
            s->clean.len = before;
            s->clean.data[before] = '\0';
            return;
        }
        at += n ? n : 1;
    }
}

static void emit(struct line_split *s, uint8_t stream)
{
    struct open_line *line = &s->lines[stream];
    if (line->stamping)
        end_stamp(line, "");
    sanitise(s, line);
    struct log_entry entry = {
        .seq = ++s->seq,
        .at_ms = line->at_ms,
        .stream = stream,
        .cut = line->cut,
        .text = buf_str(&s->clean),
        .len = s->clean.len,
    };
    s->fn(s->arg, &entry);

    buf_clear(&line->text);
    line->at_ms = 0;
    line->begun = line->cut = line->return_ = false;
    line->stamping = s->timestamps;
}

void line_split_feed(void *split, uint8_t stream, bool first, const char *data, size_t len)
{
    struct line_split *s = split;
    assert(stream < STREAMS);
    struct open_line *line = &s->lines[stream];
    if (first && s->timestamps) {
        if (line->n_stamp)
            end_stamp(line, NULL);
        line->stamping = true;
    }

    while (len) {
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) : len;
        size_t used = take_stamp(line, data, n);
        append(line, data + used, n - used);
        line->begun = true;
        if (!end)
            return;
        emit(s, stream);
        data += n + 1;
        len -= n + 1;
    }
}

void line_split_end(struct line_split *s)
{
    for (uint8_t i = 0; i < STREAMS; i++)
        if (s->lines[i].begun)
            emit(s, i);
}
