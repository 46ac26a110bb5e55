/* See edge_message.h. */
#include "vm/guest/hub/edge_message.h"

#include "core/base/percent.h"
#include "core/base/str.h"
#include "vm/guest/hub/topic.h"

#include <string.h>
#include <strings.h>

#define KEY_MAX 24 /* longer than any system property's */

static const struct {
    const char *name; /* in a condition */
    const char *key;  /* in a bag */
} systems[] = {
    [EDGE_CONNECTION_DEVICE] = {"connectionDeviceId", "$.cdid"},
    [EDGE_CONNECTION_MODULE] = {"connectionModuleId", "$.cmid"},
    [EDGE_OUTPUT_NAME] = {"outputName", "$.on"},
    [EDGE_MODEL_ID] = {"modelId", NULL},
    [EDGE_MESSAGE_TYPE] = {"messageType", NULL},
    [EDGE_MESSAGE_ID] = {"messageId", "$.mid"},
    [EDGE_CORRELATION_ID] = {"correlationId", "$.cid"},
    [EDGE_USER_ID] = {"userId", "$.uid"},
    [EDGE_TO] = {"to", "$.to"},
    [EDGE_CONTENT_TYPE] = {"contentType", "$.ct"},
    [EDGE_CONTENT_ENCODING] = {"contentEncoding", "$.ce"},
    [EDGE_CREATION_TIME] = {"creationTime", "$.ctime"},
    [EDGE_EXPIRY_TIME] = {"absolute-expiry-time", "$.exp"},
    [EDGE_MESSAGE_SCHEMA] = {"messageSchema", "$.schema"},
    [EDGE_SUBJECT] = {"dt-subject", "$.sub"},
    [EDGE_INTERFACE_ID] = {"iothub-interface-id", "$.ifid"},
    [EDGE_OPERATION] = {"operation", "iothub-operation"},
    [EDGE_ACK] = {"ack", "ack"},
};
_Static_assert(ARRAY_LEN(systems) == EDGE_SYSTEM_COUNT, "a row for each system property");

enum edge_system edge_system_named(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(systems); i++)
        if (strlen(systems[i].name) == len && strncasecmp(systems[i].name, name, len) == 0)
            return (enum edge_system)i;
    if (len == 3 && strncasecmp(name, "cid", len) == 0) /* as Microsoft's hub knows it */
        return EDGE_CORRELATION_ID;
    return EDGE_SYSTEM_COUNT;
}

enum edge_system edge_system_wired(const char *key)
{
    if (!key[0] || !key[1])
        return EDGE_SYSTEM_COUNT;
    /* Their third characters tell most of them apart. */
    for (size_t i = 0; i < ARRAY_LEN(systems); i++)
        if (systems[i].key && systems[i].key[2] == key[2] && strcmp(systems[i].key, key) == 0)
            return (enum edge_system)i;
    return EDGE_SYSTEM_COUNT;
}

struct output {
    char *to;
    size_t size;
    bool fits;
};

static bool find_output(void *arg, const char *key, const char *value)
{
    struct output *o = arg;

    if (edge_system_wired(key) == EDGE_OUTPUT_NAME)
        o->fits = str_copy(o->to, o->size, value);
    return true;
}

bool edge_message_output(const char *bag, size_t len, char *to, size_t size)
{
    struct output o = {.to = to, .size = size, .fits = true};

    to[0] = '\0';
    return topic_bag_each(bag, len, find_output, &o) && o.fits;
}

/* Whether a part of a bag, "key=value" still encoded, says what the members say. */
static bool is_ours(const char *part, size_t len)
{
    const char *equals = memchr(part, '=', len);
    char key[KEY_MAX];

    if (!percent_decode(part, equals ? (size_t)(equals - part) : len, key, sizeof(key)))
        return false;

    enum edge_system system = edge_system_wired(key);

    return system == EDGE_CONNECTION_DEVICE || system == EDGE_CONNECTION_MODULE ||
           system == EDGE_OUTPUT_NAME;
}

/* Appends a part, set off from what stands behind START. */
static void put(struct buf *out, size_t start, const char *part, size_t len)
{
    if (out->len > start)
        buf_putc(out, '&');
    buf_append(out, part, len);
}

static void put_system(struct buf *out, size_t start, const char *key, const char *value)
{
    if (!value[0])
        return;
    put(out, start, key, strlen(key));
    percent_encode(value, strlen(value), out);
}

void edge_message_bag(const struct edge_message *m, bool upstream, struct buf *out)
{
    size_t start = out->len;

    for (size_t at = 0; at < m->bag_len;) {
        const char *part = m->bag + at;
        const char *end = memchr(part, '&', m->bag_len - at);
        size_t len = end ? (size_t)(end - part) : m->bag_len - at;

        if (len > 0 && !is_ours(part, len))
            put(out, start, part, len);
        at += len + 1;
    }
    put_system(out, start, "%24.on=", m->output);
    if (!upstream) {
        put_system(out, start, "%24.cdid=", m->device);
        put_system(out, start, "%24.cmid=", m->module);
    }
}
