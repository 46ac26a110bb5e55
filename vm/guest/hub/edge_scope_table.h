/* The identities of a device's scope, in order of their names, each in one block of memory: about
 * 250 bytes for a leaf device with two keys. Plain data; one thread. */
#ifndef BERTH_HUB_EDGE_SCOPE_TABLE_H
#define BERTH_HUB_EDGE_SCOPE_TABLE_H

#include "vm/guest/hub/edge_scope.h"

#include <stddef.h>

#define EDGE_SCOPE_MAX 10000

struct edge_scope_table;

struct edge_scope_table *edge_scope_table_new(void);
void edge_scope_table_free(struct edge_scope_table *t); /* wipes the keys; NULL is fine */

size_t edge_scope_table_count(const struct edge_scope_table *t);
/* NULL where there is none; good until it is put anew or removed. */
const struct edge_identity *edge_scope_table_find(const struct edge_scope_table *t,
                                                  const char *device, const char *module);
void edge_scope_table_each(const struct edge_scope_table *t,
                           void (*fn)(void *arg, const struct edge_identity *id), void *arg);

enum edge_scope_put { SCOPE_PUT_NEW, SCOPE_PUT_SAME, SCOPE_PUT_CHANGED, SCOPE_PUT_FULL };

/* A copy of ID, which was seen in ROUND. */
enum edge_scope_put edge_scope_table_put(struct edge_scope_table *t, const struct edge_identity *id,
                                         unsigned round);
/* False where it was not there. */
bool edge_scope_table_remove(struct edge_scope_table *t, const char *device, const char *module);
/* Removes what was last seen in another round than this; FN is called for each, when it is out of
 * the table. */
void edge_scope_table_sweep(struct edge_scope_table *t, unsigned round,
                            void (*fn)(void *arg, const struct edge_identity *id), void *arg);

#endif
