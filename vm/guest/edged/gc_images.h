/* Which images may go: since when each is without a use, over several looks. Pure. */
#ifndef BERTH_EDGED_GC_IMAGES_H
#define BERTH_EDGED_GC_IMAGES_H

#include "core/base/json.h"
#include "vm/guest/edged/deployment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GC_IMAGES_MAX 512
#define GC_ID_MAX     80

struct gc_image {
    char id[GC_ID_MAX];
    uint64_t unused_ms; /* since this time; 0: in use at the last look */
    bool seen;          /* at the last look */
};

struct gc_images {
    struct gc_image at[GC_IMAGES_MAX];
    size_t n;
};

/* A look: the engine's answers to GET /images/json and GET /containers/json?all=true. D NULL: no
 * deployment is known, and then every image counts as used. Images that are gone are forgotten. */
void gc_images_look(struct gc_images *images, const cJSON *list, const cJSON *containers,
                    const struct deployment *d, uint64_t now_ms);
bool gc_images_due(const struct gc_image *image, uint64_t age_s, uint64_t now_ms);

/* For the file. */
cJSON *gc_images_json(const struct gc_images *images);
void gc_images_parse(const cJSON *json, struct gc_images *ret);

/* When the clean-up of a day of EVERY_S that begins at MINUTE (UTC) comes next. */
uint64_t gc_next_ms(uint64_t now_ms, uint64_t last_ms, uint64_t every_s, uint32_t minute);

#endif
