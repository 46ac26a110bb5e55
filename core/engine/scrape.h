/* What modules and the runtime serve for Prometheus on port 9600, into the VM's figures: one after
 * the other, seldom, and not again for a while where a module serves nothing. Loop thread only. */
#ifndef BERTH_ENGINE_SCRAPE_H
#define BERTH_ENGINE_SCRAPE_H

#include "core/base/model.h"

struct guest;
struct metrics;
struct scrape;

/* GUEST and METRICS must outlive it. */
struct scrape *scrape_new(struct guest *guest, struct metrics *metrics);
void scrape_free(struct scrape *s); /* NULL is fine */

/* The guest was looked at: a new round over its modules, if it is time. */
void scrape_round(struct scrape *s, const struct vm_status *status);

#endif
