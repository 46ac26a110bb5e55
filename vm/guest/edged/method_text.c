/* See method_text.h. Each of the container's two streams has its own open line. */
#include "vm/guest/edged/method_text.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#define LINE_MAX_BYTES (64U << 10) /* a longer line goes on as another one */
#define LEVEL_DEFAULT  6           /* of a line that names none: syslog's "informational" */
#define GZIP_WINDOW    (15 + 16)   /* zlib: the largest window, gzip's header */
#define GZIP_MEMORY    8
#define STREAMS        3

struct open_line {
    struct buf text;
    char time[40];  /* the engine's, of the line's first frame */
    bool skip_time; /* within a frame's time, which goes on in the next piece */
    size_t n_time;
};

struct method_text {
    struct method_text_options o;
    struct open_line lines[STREAMS];
    bool any; /* a line went out */
    z_stream zip;
    struct buf out;
};

/* ------------------------------------------------------------------------------- output */

static void compress_out(struct method_text *t, const char *data, size_t len, int flush)
{
    t->zip.next_in = (const Bytef *)data;
    t->zip.avail_in = (uInt)len;
    do {
        t->zip.next_out = (Bytef *)buf_reserve(&t->out, 4096);
        t->zip.avail_out = 4096;
        (void)deflate(&t->zip, flush);
        buf_commit(&t->out, 4096 - t->zip.avail_out);
    } while (t->zip.avail_out == 0);
}

static void put(struct method_text *t, const char *data, size_t len)
{
    if (t->o.gzip)
        compress_out(t, data, len, Z_NO_FLUSH);
    else
        buf_append(&t->out, data, len);
}

/* JSON carries no bytes that are no UTF-8, and C strings no NUL. */
static char *valid_text(const char *data, size_t len)
{
    auto_buf struct buf text = {0};
    for (size_t at = 0; at < len;) {
        uint32_t point = 0;
        size_t n = str_utf8_decode(data + at, len - at, &point);
        if (n && point)
            buf_append(&text, data + at, n);
        else
            buf_puts(&text, "\xef\xbf\xbd");
        at += n ? n : 1;
    }
    return buf_steal(&text);
}

static void put_json(struct method_text *t, uint8_t stream, int level, const char *time,
                     const char *text)
{
    auto_buf struct buf line = {0};
    auto_json cJSON *json = cJSON_CreateObject();
    json_add_str(json, "iothub", t->o.hub);
    json_add_str(json, "device", t->o.device);
    json_add_str(json, "id", t->o.module);
    json_add_str(json, "stream", stream == 2 ? "stderr" : "stdout");
    json_add_num(json, "loglevel", level);
    json_add_str(json, "text", text);
    json_add_str_or_null(json, "timestamp", time);
    buf_putc(&line, t->any ? ',' : '[');
    json_print(&line, json);
    put(t, line.data, line.len);
}

/* "<4> TEXT": the level in front of a line as syslog counts. Returns the length of it. */
static size_t line_level(const char *line, size_t len, int *ret_level)
{
    *ret_level = LEVEL_DEFAULT;
    if (len < 3 || line[0] != '<' || line[1] < '0' || line[1] > '7' || line[2] != '>')
        return 0;
    *ret_level = line[1] - '0';
    return len > 3 && line[3] == ' ' ? 4 : 3;
}

static void end_line(struct method_text *t, uint8_t stream)
{
    struct open_line *line = &t->lines[stream];
    const struct method_item *item = t->o.item;
    auto_buf struct buf text = line->text;
    int level = LEVEL_DEFAULT;
    line->text = (struct buf){0};

    size_t head = line_level(buf_str(&text), text.len, &level);
    if ((item->level == METHOD_LEVEL_ANY || item->level == level) &&
        (!item->pattern || filter_passes(item->pattern, buf_str(&text), text.len))) {
        auto_free char *shown = valid_text(buf_str(&text) + head, text.len - head);
        auto_free char *whole = valid_text(buf_str(&text), text.len);
        if (t->o.json) {
            put_json(t, stream, level, line->time, shown);
        } else {
            put(t, whole, strlen(whole));
            put(t, "\n", 1);
        }
        t->any = true;
    }
    line->time[0] = '\0';
}

/* ------------------------------------------------------------------------------- input */

/* The engine's time in front of a line, and of each frame in the middle of a long one; returns how
 * much of DATA belongs to it. */
static size_t take_time(struct open_line *line, const char *data, size_t len)
{
    size_t n = 0;
    while (n < len && line->skip_time) {
        char c = data[n++];
        line->skip_time = c != ' ';
        if (line->skip_time && !line->text.len && line->n_time + 1 < sizeof(line->time)) {
            line->time[line->n_time++] = c;
            line->time[line->n_time] = '\0';
        }
    }
    return n;
}

static void begin_time(struct method_text *t, struct open_line *line)
{
    line->skip_time = t->o.json;
    line->n_time = 0;
    if (!line->text.len)
        line->time[0] = '\0';
}

void method_text_feed(void *arg, uint8_t stream, bool first, const char *data, size_t len)
{
    struct method_text *t = arg;
    struct open_line *line = &t->lines[stream < STREAMS ? stream : 1];
    const char *end = data + len;
    stream = stream < STREAMS ? stream : 1;
    if (first)
        begin_time(t, line);
    while (data < end) {
        data += take_time(line, data, (size_t)(end - data));
        size_t left = (size_t)(end - data), room = LINE_MAX_BYTES - line->text.len;
        const char *stop = left ? memchr(data, '\n', left) : NULL;
        size_t n = stop ? (size_t)(stop - data) : left;
        bool cut = n > room;
        n = cut ? room : n;
        buf_append(&line->text, data, n);
        data += n + (stop && !cut);
        if (line->text.len && line->text.data[line->text.len - 1] == '\r' && stop && !cut)
            line->text.data[--line->text.len] = '\0';
        if (cut || stop)
            end_line(t, stream);
        if (stop && !cut)
            begin_time(t, line);
    }
}

void method_text_end(struct method_text *t)
{
    for (uint8_t i = 0; i < STREAMS; i++)
        if (t->lines[i].text.len)
            end_line(t, i);
    if (t->o.json)
        put(t, t->any ? "]" : "[]", t->any ? 1 : 2);
    if (t->o.gzip)
        compress_out(t, "", 0, Z_FINISH);
}

/* ------------------------------------------------------------------------------- life */

struct buf *method_text_out(struct method_text *t)
{
    return &t->out;
}

struct method_text *method_text_new(const struct method_text_options *options)
{
    struct method_text *t = xcalloc(1, sizeof(*t));
    t->o = *options;
    if (t->o.gzip && deflateInit2(&t->zip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW,
                                  GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        abort(); /* no memory */
    return t;
}

void method_text_free(struct method_text *t)
{
    if (!t)
        return;
    if (t->o.gzip)
        (void)deflateEnd(&t->zip);
    for (size_t i = 0; i < STREAMS; i++)
        buf_done(&t->lines[i].text);
    buf_done(&t->out);
    free(t);
}
