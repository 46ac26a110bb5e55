/* See edge_endpoint.h. */
#include "vm/guest/hub/edge_endpoint.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <string.h>

static const char *const kinds[] = {
    [EDGE_TO_UPSTREAM] = "upstream/",
    [EDGE_TO_INPUT] = "input/",
    [EDGE_TO_DEVICE] = "device/",
};

/* ---- table ---- */

static size_t bucket_of(enum edge_endpoint_kind kind, const char *device, const char *module,
                        const char *input)
{
    uint32_t hash = str_hash(str_hash(str_hash(STR_HASH, device), module), input);

    return (hash + (uint32_t)kind) % EDGE_SINK_BUCKETS;
}

struct edge_sink *edge_sinks_find(const struct edge_sinks *s, enum edge_endpoint_kind kind,
                                  const char *device, const char *module, const char *input)
{
    struct edge_sink *sink = s->buckets[bucket_of(kind, device, module, input)];

    while (sink && !(sink->endpoint.kind == kind && str_eq(sink->endpoint.device, device) &&
                     str_eq(sink->endpoint.module, module) && str_eq(sink->endpoint.input, input)))
        sink = sink->chain;
    return sink;
}

static const char *keep(char **room, const char *text)
{
    size_t size = strlen(text) + 1;
    char *at = memcpy(*room, text, size);

    *room += size;
    return at;
}

/* E's texts are copied. */
static struct edge_sink *add(struct edge_sinks *s, const struct edge_endpoint *e)
{
    struct edge_sink *sink =
        xcalloc(1, sizeof(*sink) + strlen(e->device) + strlen(e->module) + strlen(e->input) + 3);
    struct edge_sink **at = &s->buckets[bucket_of(e->kind, e->device, e->module, e->input)];
    char *room = sink->names;

    sink->endpoint = (struct edge_endpoint){
        .number = e->number,
        .kind = e->kind,
        .device = keep(&room, e->device),
        .module = keep(&room, e->module),
        .input = keep(&room, e->input),
    };
    if (e->number >= s->n_numbers) {
        size_t n = (size_t)e->number + 1;

        s->numbers = xreallocarray(s->numbers, n, sizeof(struct edge_sink *));
        while (s->n_numbers < n)
            s->numbers[s->n_numbers++] = NULL;
    }
    s->numbers[e->number] = sink;
    s->n++;
    sink->chain = *at;
    *at = sink;
    return sink;
}

struct edge_sink *edge_sinks_need(struct edge_sinks *s, enum edge_endpoint_kind kind,
                                  const char *device, const char *module, const char *input)
{
    struct edge_sink *sink = edge_sinks_find(s, kind, device, module, input);
    struct edge_endpoint e = {.kind = kind, .device = device, .module = module, .input = input};
    auto_buf struct buf name = {0};

    if (sink || (kind != EDGE_TO_INPUT && s->n >= EDGE_ENDPOINTS_MAX))
        return sink;
    buf_puts(&name, kinds[kind]);
    if (kind == EDGE_TO_INPUT)
        buf_printf(&name, "%s/%s", module, input);
    else
        buf_printf(&name, "%s%s%s", device, module[0] ? "/" : "", module);
    e.number = outbox_endpoint(s->outbox, name.data);
    return add(s, &e);
}

/* ---- the outbox's names ---- */

struct finding {
    struct edge_sinks *sinks;
    const char *own;
};

/* "input/MODULE/INPUT" and the like; another name is not one of ours, and nobody's either. */
static void on_name(void *arg, unsigned number, const char *name)
{
    const struct finding *f = arg;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct edge_endpoint e = {.number = number, .kind = (enum edge_endpoint_kind)i};

        if (!str_starts(name, kinds[i]))
            continue;

        auto_free char *first = xstrdup(name + strlen(kinds[i]));
        char *second = strchr(first, '/');

        if (second)
            *second++ = '\0';
        e.device = e.kind == EDGE_TO_INPUT ? f->own : first;
        e.module = e.kind == EDGE_TO_INPUT ? first : second;
        e.input = e.kind == EDGE_TO_INPUT ? second : "";
        if (!e.module)
            e.module = "";
        if (e.input)
            edge_sinks_touch(f->sinks, add(f->sinks, &e));
    }
}

void edge_sinks_init(struct edge_sinks *s, struct outbox *outbox, const char *own)
{
    struct finding f = {.sinks = s, .own = own};

    *s = (struct edge_sinks){.outbox = outbox};
    outbox_each_endpoint(outbox, on_name, &f);
}

void edge_sinks_done(struct edge_sinks *s)
{
    for (size_t i = 0; i < s->n_numbers; i++)
        free(s->numbers[i]);
    free(s->numbers);
}

/* ---- what they got ---- */

void edge_sinks_touch(struct edge_sinks *s, struct edge_sink *sink)
{
    if (sink->touched)
        return;
    sink->touched = s->touched ? s->touched : sink;
    s->touched = sink;
}

struct edge_sink *edge_sinks_touched(struct edge_sinks *s)
{
    struct edge_sink *sink = s->touched;

    if (!sink)
        return NULL;
    s->touched = sink->touched == sink ? NULL : sink->touched;
    sink->touched = NULL;
    return sink;
}

uint64_t edge_sinks_count(const struct edge_sinks *s, const struct edge_sink *sink)
{
    uint64_t n = 0;

    for (unsigned p = 0; p < ROUTE_PRIORITIES; p++)
        n += outbox_count(s->outbox, sink->endpoint.number, p);
    return n;
}
