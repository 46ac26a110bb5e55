/* See prometheus.h. A line is read by a cursor that never passes its end; the reader of each part
 * advances it. */
#include "logs/prometheus.h"

#include "core/base/attr.h"
#include "core/base/buf.h"
#include "core/base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX    64
#define RAW_VALUE_MAX 1024 /* bytes of a label value that are looked at before it is cut */

struct cursor {
    const char *at;
    const char *end;
};

struct family {
    char name[PROMETHEUS_NAME_MAX];
    enum prometheus_type type;
};

static const char *const type_names[] = {
    [PROMETHEUS_TYPE_UNTYPED] = "untyped", [PROMETHEUS_TYPE_COUNTER] = "counter",
    [PROMETHEUS_TYPE_GAUGE] = "gauge",     [PROMETHEUS_TYPE_HISTOGRAM] = "histogram",
    [PROMETHEUS_TYPE_SUMMARY] = "summary",
};
_Static_assert(ARRAY_LEN(type_names) == PROMETHEUS_TYPE_COUNT, "a word for each type");

static void skip_blanks(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r'))
        c->at++;
}

static bool skip(struct cursor *c, char wanted)
{
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static int wrong(struct err *err, const char *why)
{
    return err_set(err, ERR_PROTOCOL, "%s", why);
}

/* [a-zA-Z_:][a-zA-Z0-9_:]* */
static int read_name(struct cursor *c, char *to, struct err *err)
{
    size_t n = 0;
    while (c->at < c->end) {
        unsigned char b = (unsigned char)*c->at;
        bool fits = (b < 0x80 && isalpha(b)) || b == '_' || b == ':' || (n && b >= '0' && b <= '9');
        if (!fits)
            break;
        if (n + 1 == PROMETHEUS_NAME_MAX)
            return wrong(err, "a name is too long");
        to[n++] = (char)b;
        c->at++;
    }
    to[n] = '\0';
    return n ? 0 : wrong(err, "a name is missing");
}

/* The text between quotes, with \\ \" and \n taken back. */
static int read_quoted(struct cursor *c, char *to, size_t size, struct err *err)
{
    auto_buf struct buf raw = {0};
    if (!skip(c, '"'))
        return wrong(err, "a label value must stand in quotes");
    for (;;) {
        if (c->at == c->end)
            return wrong(err, "a label value has no end");
        char b = *c->at++;
        if (b == '"')
            break;
        if (b == '\\') {
            if (c->at == c->end)
                return wrong(err, "a label value has no end");
            b = *c->at++;
            if (b == 'n')
                b = '\n';
            else if (b != '\\' && b != '"')
                return wrong(err, "a label value holds an unknown escape");
        }
        if (raw.len < RAW_VALUE_MAX)
            buf_putc(&raw, b);
    }
    auto_buf struct buf clean = {0};
    str_sanitise(&clean, buf_str(&raw), raw.len);
    (void)str_copy(to, size, buf_str(&clean));
    return 0;
}

static int read_labels(struct cursor *c, struct prometheus_sample *sample, struct err *err)
{
    skip_blanks(c);
    while (!skip(c, '}')) {
        if (sample->n_labels == PROMETHEUS_LABELS_MAX)
            return wrong(err, "there are too many labels");
        struct prometheus_label *label = &sample->labels[sample->n_labels];
        if (read_name(c, label->name, err) < 0)
            return -1;
        skip_blanks(c);
        if (!skip(c, '='))
            return wrong(err, "a label has no value");
        skip_blanks(c);
        if (read_quoted(c, label->value, sizeof(label->value), err) < 0)
            return -1;
        sample->n_labels++;
        skip_blanks(c);
        if (skip(c, ','))
            skip_blanks(c);
        else if (c->at == c->end || *c->at != '}')
            return wrong(err, "the labels have no end");
    }
    return 0;
}

/* The characters up to the next blank, terminated, in TO. */
static bool read_word(struct cursor *c, char *to, size_t size)
{
    size_t n = 0;
    for (; c->at < c->end && !isspace((unsigned char)*c->at); c->at++) {
        if (n + 1 == size || !*c->at)
            return false;
        to[n++] = *c->at;
    }
    to[n] = '\0';
    return n > 0;
}

/* What Go's ParseFloat takes, which is what strtod takes; our programs never leave the C locale for
 * numbers. */
static int read_number(struct cursor *c, double *ret_value, struct err *err)
{
    char word[NUMBER_MAX];
    char *end = NULL;
    if (!read_word(c, word, sizeof(word)))
        return wrong(err, "the value is missing or too long");
    *ret_value = strtod(word, &end);
    return *end ? wrong(err, "the value is not a number") : 0;
}

static int read_time(struct cursor *c, int64_t *ret_ms, struct err *err)
{
    char word[NUMBER_MAX];
    uint64_t value = 0;
    skip_blanks(c);
    if (c->at == c->end)
        return 0;
    bool minus = skip(c, '-');
    if (!read_word(c, word, sizeof(word)) || !str_to_u64(word, INT64_MAX, &value))
        return wrong(err, "the time is not a whole number");
    *ret_ms = minus ? -(int64_t)value : (int64_t)value;
    skip_blanks(c);
    return c->at == c->end ? 0 : wrong(err, "there is text behind the time");
}

/* Only "# TYPE name type" says something; other comments are anybody's. */
static void read_comment(struct cursor *c, struct family *family)
{
    char word[NUMBER_MAX];
    struct family found = {0};
    skip_blanks(c);
    if (!read_word(c, word, sizeof(word)) || !str_eq(word, "TYPE"))
        return;
    skip_blanks(c);
    if (read_name(c, found.name, NULL) < 0)
        return;
    skip_blanks(c);
    if (!read_word(c, word, sizeof(word)))
        return;
    for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
        if (str_eq(word, type_names[i]))
            found.type = (enum prometheus_type)i;
    *family = found;
}

/* Samples of histograms and summaries carry a suffix behind the name of their family. */
static bool belongs(const struct family *family, const char *name)
{
    size_t n = strlen(family->name);
    if (!n || strncmp(name, family->name, n) != 0)
        return false;
    if (!name[n])
        return true;
    bool parts =
        family->type == PROMETHEUS_TYPE_HISTOGRAM || family->type == PROMETHEUS_TYPE_SUMMARY;
    return parts &&
           (str_eq(name + n, "_bucket") || str_eq(name + n, "_sum") || str_eq(name + n, "_count"));
}

static int read_sample(struct cursor *c, const struct family *family,
                       struct prometheus_sample *sample, struct err *err)
{
    sample->n_labels = 0;
    sample->at_ms = 0;
    if (read_name(c, sample->name, err) < 0)
        return -1;
    skip_blanks(c);
    if (skip(c, '{') && read_labels(c, sample, err) < 0)
        return -1;
    skip_blanks(c);
    if (read_number(c, &sample->value, err) < 0 || read_time(c, &sample->at_ms, err) < 0)
        return -1;
    sample->type = belongs(family, sample->name) ? family->type : PROMETHEUS_TYPE_UNTYPED;
    return 0;
}

struct prometheus_report prometheus_parse(const char *text, size_t len, prometheus_fn fn, void *arg)
{
    struct prometheus_report report = {0};
    struct prometheus_sample sample;
    struct family family = {0};
    const char *end = text + len;
    for (size_t number = 1; text < end; number++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        struct cursor c = {text, stop ? stop : end};
        text = stop ? stop + 1 : end;
        skip_blanks(&c);
        if (c.at == c.end)
            continue;
        if (skip(&c, '#')) {
            read_comment(&c, &family);
            continue;
        }
        if (report.samples == PROMETHEUS_SAMPLES_MAX) {
            report.cut = true;
            break;
        }
        struct err err = {0};
        if (read_sample(&c, &family, &sample, &err) == 0) {
            report.samples++;
            fn(arg, &sample);
        } else if (report.wrong++ == 0) {
            err_wrap(&err, "line %zu", number);
            report.first = err;
        }
    }
    return report;
}

const char *prometheus_label(const struct prometheus_sample *sample, const char *name)
{
    for (size_t i = 0; i < sample->n_labels; i++)
        if (str_eq(sample->labels[i].name, name))
            return sample->labels[i].value;
    return NULL;
}
