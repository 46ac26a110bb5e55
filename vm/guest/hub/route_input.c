/* See route_input.h. Everything is made when it is first asked for: most routes have no condition.
 * The memory is kept from message to message, unless one message needed far more than others. */
#include "vm/guest/hub/route_input.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/route_json.h"
#include "vm/guest/hub/topic.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ROOM_MAX    (512U << 10) /* for the texts that conditions make of one message */
#define KEEP_MAX    (64U << 10)  /* a larger buffer is not kept */
#define KEEP_PROPS  256
#define KNOWN_PATHS 16 /* results of body paths that are remembered for a message */

struct property {
    size_t key, value; /* in texts; value SIZE_MAX: none */
};

struct route_input {
    const struct edge_message *m;
    struct buf source;

    bool has_props; /* what follows is this message's */
    struct buf texts;
    struct property *props; /* of the application */
    uint32_t *hashes;       /* of their names */
    size_t n_props, cap_props;
    size_t systems[EDGE_SYSTEM_COUNT]; /* in texts; SIZE_MAX: none */

    enum { BODY_UNREAD, BODY_BROKEN, BODY_JSON } body_state;
    struct buf decoded; /* a body that did not come as UTF-8 */
    const char *body;
    size_t body_len;
    struct {
        const char *path;
        struct value value;
    } known[KNOWN_PATHS];
    size_t n_known;

    char *room;
    size_t room_used;
    struct value stack[ROUTE_STACK_MAX];
};

struct route_input *route_input_new(void)
{
    return xcalloc(1, sizeof(struct route_input));
}

void route_input_free(struct route_input *in)
{
    if (!in)
        return;
    buf_done(&in->source);
    buf_done(&in->texts);
    buf_done(&in->decoded);
    free(in->props);
    free(in->hashes);
    free(in->room);
    free(in);
}

static void reuse(struct buf *b)
{
    if (b->cap > KEEP_MAX)
        buf_done(b);
    else
        buf_clear(b);
}

/* What the message's source is called in routes. */
static void set_source(struct route_input *in)
{
    const struct edge_message *m = in->m;

    buf_clear(&in->source);
    if (m->kind == EDGE_TWIN_CHANGE) {
        buf_puts(&in->source, "/twinChangeNotifications/");
        return;
    }
    buf_puts(&in->source, "/messages/");
    if (!m->module[0])
        return;
    buf_puts(&in->source, "modules/");
    buf_puts(&in->source, m->module);
    buf_putc(&in->source, '/');
    if (!m->output[0])
        return;
    buf_puts(&in->source, "outputs/");
    buf_puts(&in->source, m->output);
    buf_putc(&in->source, '/');
}

void route_input_set(struct route_input *in, const struct edge_message *m)
{
    in->m = m;
    in->has_props = false;
    in->n_props = 0;
    if (in->cap_props > KEEP_PROPS) {
        free(in->props);
        free(in->hashes);
        in->props = NULL;
        in->hashes = NULL;
        in->cap_props = 0;
    }
    reuse(&in->texts);
    reuse(&in->decoded);
    in->body_state = BODY_UNREAD;
    in->n_known = 0;
    in->room_used = 0;
    set_source(in);
}

const char *route_input_source(const struct route_input *in)
{
    return in->source.data;
}

struct value *route_input_stack(struct route_input *in)
{
    return in->stack;
}

char *route_input_room(struct route_input *in, size_t n)
{
    if (n > ROOM_MAX - in->room_used)
        return NULL;
    if (!in->room)
        in->room = xmalloc(ROOM_MAX); /* untouched pages cost nothing */
    in->room_used += n;
    return in->room + in->room_used - n;
}

/* ---- properties ---- */

static size_t add_text(struct route_input *in, const char *text)
{
    size_t at = in->texts.len;

    buf_append(&in->texts, text, strlen(text) + 1);
    return at;
}

static bool add_property(void *arg, const char *key, const char *value)
{
    struct route_input *in = arg;
    enum edge_system system = edge_system_wired(key);

    if (system != EDGE_SYSTEM_COUNT) {
        if (system >= EDGE_SYSTEM_WIRED && value)
            in->systems[system] = add_text(in, value);
        return true;
    }
    if (in->n_props == in->cap_props) {
        in->cap_props = in->cap_props ? in->cap_props * 2 : 16;
        in->props = xreallocarray(in->props, in->cap_props, sizeof(*in->props));
        in->hashes = xreallocarray(in->hashes, in->cap_props, sizeof(*in->hashes));
    }
    in->hashes[in->n_props] = route_hash(key, strlen(key));
    in->props[in->n_props++] = (struct property){
        .key = add_text(in, key),
        .value = value ? add_text(in, value) : SIZE_MAX,
    };
    return true;
}

/* Decodes the bag; of a malformed one what stands before the fault. */
static void need_properties(struct route_input *in)
{
    if (in->has_props)
        return;
    for (size_t i = 0; i < EDGE_SYSTEM_COUNT; i++)
        in->systems[i] = SIZE_MAX;
    in->has_props = true;
    (void)topic_bag_each(in->m->bag, in->m->bag_len, add_property, in);
}

static struct value text_or_undefined(const char *text)
{
    return text && text[0] ? value_text(text, strlen(text)) : (struct value){0};
}

struct value route_input_property(struct route_input *in, const char *name, uint32_t hash)
{
    need_properties(in);
    for (size_t i = 0; i < in->n_props; i++) {
        const struct property *p = &in->props[i];

        if (in->hashes[i] != hash || strcasecmp(in->texts.data + p->key, name) != 0)
            continue;
        if (p->value == SIZE_MAX)
            return value_text(NULL, 0);
        return value_text(in->texts.data + p->value, strlen(in->texts.data + p->value));
    }
    return (struct value){0};
}

struct value route_input_system(struct route_input *in, enum edge_system system)
{
    const struct edge_message *m = in->m;

    if (system == EDGE_CONNECTION_DEVICE)
        return text_or_undefined(m->device);
    if (system == EDGE_CONNECTION_MODULE)
        return text_or_undefined(m->module);
    if (system == EDGE_OUTPUT_NAME)
        return text_or_undefined(m->output);
    if (system == EDGE_MODEL_ID)
        return text_or_undefined(m->model);
    if (system == EDGE_MESSAGE_TYPE)
        return text_or_undefined(m->kind == EDGE_TWIN_CHANGE ? "twinChangeNotification" : NULL);
    if (system == EDGE_SYSTEM_COUNT)
        return (struct value){0};
    need_properties(in);
    if (in->systems[system] == SIZE_MAX)
        return (struct value){0};

    const char *text = in->texts.data + in->systems[system];

    return value_text(text, strlen(text));
}

/* ---- body ---- */

static bool is_text(struct value v, const char *text)
{
    return v.kind == VALUE_TEXT && v.len == strlen(text) && strncasecmp(v.at, text, v.len) == 0;
}

/* Little-endian units of WIDTH bytes to UTF-8. */
static void decode_units(struct route_input *in, size_t width)
{
    const unsigned char *at = in->m->body;
    /* UTF-16 grows by half at most. */
    char *to = buf_reserve(&in->decoded, in->m->len / width * (width == 2 ? 3 : 4));
    uint32_t high = 0;
    size_t n = 0;

    for (size_t i = 0; i + width <= in->m->len; i += width) {
        uint32_t point = at[i] | (uint32_t)at[i + 1] << 8;

        if (width == 4)
            point |= (uint32_t)at[i + 2] << 16 | (uint32_t)at[i + 3] << 24;
        if (width == 2 && point >= 0xD800 && point <= 0xDBFF) {
            high = point;
            continue;
        }
        if (width == 2 && high && point >= 0xDC00 && point <= 0xDFFF)
            point = 0x10000 + ((high - 0xD800) << 10) + (point - 0xDC00);
        high = 0;
        n += route_text_encode(point > 0x10FFFF ? 0xFFFD : point, to + n);
    }
    buf_commit(&in->decoded, n);
    in->body = in->decoded.data;
    in->body_len = n;
}

static bool decode_body(struct route_input *in)
{
    struct value encoding = route_input_system(in, EDGE_CONTENT_ENCODING);
    static const char mark[] = "\xEF\xBB\xBF";

    if (!is_text(route_input_system(in, EDGE_CONTENT_TYPE), "application/json"))
        return false;
    if (is_text(encoding, "utf-8")) {
        in->body = in->m->body;
        in->body_len = in->m->len;
    } else if (is_text(encoding, "utf-16")) {
        decode_units(in, 2);
    } else if (is_text(encoding, "utf-32")) {
        decode_units(in, 4);
    } else {
        return false;
    }
    if (in->body_len >= 3 && memcmp(in->body, mark, 3) == 0) {
        in->body += 3;
        in->body_len -= 3;
    }
    return in->body_len > 0 && route_json_valid(in->body, in->body_len);
}

static bool need_body(struct route_input *in)
{
    if (in->body_state == BODY_UNREAD)
        in->body_state = decode_body(in) ? BODY_JSON : BODY_BROKEN;
    return in->body_state == BODY_JSON;
}

static struct value number_value(const struct route_json *found)
{
    char digits[400];

    if (found->len >= sizeof(digits))
        return (struct value){0};
    memcpy(digits, found->at, found->len);
    digits[found->len] = '\0';
    return value_number(strtod(digits, NULL));
}

static struct value text_value(struct route_input *in, const struct route_json *found)
{
    if (!memchr(found->at, '\\', found->len))
        return value_text(found->at, found->len);

    char *to = route_input_room(in, found->len);

    return to ? value_text(to, route_json_decode(found, to)) : (struct value){0};
}

static struct value find(struct route_input *in, const char *path)
{
    struct route_json found;

    if (!route_json_find(in->body, in->body_len, path, &found))
        return (struct value){.kind = VALUE_MISSING};
    switch (found.kind) {
    case ROUTE_JSON_NULL:
        return (struct value){.kind = VALUE_NULL};
    case ROUTE_JSON_TRUE:
    case ROUTE_JSON_FALSE:
        return value_bool(found.kind == ROUTE_JSON_TRUE);
    case ROUTE_JSON_NUMBER:
        return number_value(&found);
    case ROUTE_JSON_TEXT:
        return text_value(in, &found);
    case ROUTE_JSON_ARRAY:
    case ROUTE_JSON_OBJECT:
        break;
    }
    return (struct value){0};
}

struct value route_input_body(struct route_input *in, const char *path)
{
    if (!need_body(in))
        return (struct value){0};
    for (size_t i = 0; i < in->n_known; i++)
        if (strcmp(in->known[i].path, path) == 0)
            return in->known[i].value;

    struct value v = find(in, path);

    if (in->n_known < KNOWN_PATHS) {
        in->known[in->n_known].path = path; /* a route's: it outlives the message */
        in->known[in->n_known++].value = v;
    }
    return v;
}

struct value route_input_body_has(struct route_input *in, const char *path)
{
    struct route_json found;

    if (!need_body(in))
        return (struct value){0};
    return value_bool(route_json_find(in->body, in->body_len, path, &found));
}
