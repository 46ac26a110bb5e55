/* See edge_scope_table.h. A sorted array: it is searched at every connect, and changes seldom. */
#include "vm/guest/hub/edge_scope_table.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <string.h>

#define TEXTS 7

struct entry {
    struct edge_identity id;
    unsigned round;
    size_t len;
    char texts[];
};

struct edge_scope_table {
    struct entry **entries;
    size_t n, room;
};

/* ---- entries ---- */

static struct entry *entry_new(const struct edge_identity *id, unsigned round)
{
    const char *from[TEXTS] = {
        id->device,         id->module,         id->generation,     id->primary.data,
        id->secondary.data, id->thumbprints[0], id->thumbprints[1],
    };
    char *to[TEXTS];
    size_t len = 0;

    for (size_t i = 0; i < TEXTS; i++)
        len += strlen(from[i]) + 1;

    struct entry *e = xmalloc(sizeof(*e) + len);

    *e = (struct entry){.id = *id, .round = round, .len = len};
    len = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        to[i] = e->texts + len;
        memcpy(to[i], from[i], strlen(from[i]) + 1);
        len += strlen(from[i]) + 1;
    }
    e->id.device = to[0];
    e->id.module = to[1];
    e->id.generation = to[2];
    e->id.primary = (struct secret){.data = to[3], .len = strlen(to[3])};
    e->id.secondary = (struct secret){.data = to[4], .len = strlen(to[4])};
    e->id.thumbprints[0] = to[5];
    e->id.thumbprints[1] = to[6];
    return e;
}

static void entry_free(struct entry *e)
{
    explicit_bzero(e->texts, e->len);
    free(e);
}

static bool same(const struct entry *a, const struct entry *b)
{
    return a->id.auth == b->id.auth && a->id.enabled == b->id.enabled && a->id.edge == b->id.edge &&
           a->len == b->len && memcmp(a->texts, b->texts, a->len) == 0;
}

/* ---- the array ---- */

/* Where it is, or would be. */
static size_t place(const struct edge_scope_table *t, const char *device, const char *module,
                    bool *ret_there)
{
    size_t low = 0, high = t->n;

    *ret_there = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct edge_identity *id = &t->entries[middle]->id;
        int order = strcmp(id->device, device);

        if (order == 0)
            order = strcmp(id->module, module);
        *ret_there = *ret_there || order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert(struct edge_scope_table *t, size_t at, struct entry *e)
{
    if (t->n == t->room) {
        t->room = t->room ? t->room * 2 : 16;
        t->entries = xreallocarray(t->entries, t->room, sizeof(struct entry *));
    }
    memmove(t->entries + at + 1, t->entries + at, (t->n - at) * sizeof(struct entry *));
    t->entries[at] = e;
    t->n++;
}

struct edge_scope_table *edge_scope_table_new(void)
{
    return xcalloc(1, sizeof(struct edge_scope_table));
}

void edge_scope_table_free(struct edge_scope_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        entry_free(t->entries[i]);
    free(t->entries);
    free(t);
}

size_t edge_scope_table_count(const struct edge_scope_table *t)
{
    return t->n;
}

const struct edge_identity *edge_scope_table_find(const struct edge_scope_table *t,
                                                  const char *device, const char *module)
{
    bool there;
    size_t at = place(t, device, module, &there);

    return there ? &t->entries[at]->id : NULL;
}

void edge_scope_table_each(const struct edge_scope_table *t,
                           void (*fn)(void *arg, const struct edge_identity *id), void *arg)
{
    for (size_t i = 0; i < t->n; i++)
        fn(arg, &t->entries[i]->id);
}

enum edge_scope_put edge_scope_table_put(struct edge_scope_table *t, const struct edge_identity *id,
                                         unsigned round)
{
    bool there;
    size_t at = place(t, id->device, id->module, &there);

    if (!there && t->n == EDGE_SCOPE_MAX)
        return SCOPE_PUT_FULL;

    struct entry *e = entry_new(id, round);

    if (!there) {
        insert(t, at, e);
        return SCOPE_PUT_NEW;
    }

    bool changed = !same(t->entries[at], e);

    entry_free(t->entries[at]);
    t->entries[at] = e;
    return changed ? SCOPE_PUT_CHANGED : SCOPE_PUT_SAME;
}

bool edge_scope_table_remove(struct edge_scope_table *t, const char *device, const char *module)
{
    bool there;
    size_t at = place(t, device, module, &there);

    if (!there)
        return false;
    entry_free(t->entries[at]);
    t->n--;
    memmove(t->entries + at, t->entries + at + 1, (t->n - at) * sizeof(struct entry *));
    return true;
}

void edge_scope_table_sweep(struct edge_scope_table *t, unsigned round,
                            void (*fn)(void *arg, const struct edge_identity *id), void *arg)
{
    size_t kept = 0, gone = 0;
    struct entry **removed = xcalloc(t->n + 1, sizeof(struct entry *));

    for (size_t i = 0; i < t->n; i++)
        if (t->entries[i]->round == round)
            t->entries[kept++] = t->entries[i];
        else
            removed[gone++] = t->entries[i];
    t->n = kept;
    for (size_t i = 0; i < gone; i++) {
        fn(arg, &removed[i]->id);
        entry_free(removed[i]);
    }
    free(removed);
}
