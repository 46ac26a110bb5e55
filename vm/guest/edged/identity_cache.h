/* The generations of a device's modules, as the hub last told them, in a file that is written
 * whole. Blocking; loop thread. */
#ifndef BERTH_EDGED_IDENTITY_CACHE_H
#define BERTH_EDGED_IDENTITY_CACHE_H

#include "core/base/err.h"
#include "vm/guest/edged/device.h"

#include <stdbool.h>
#include <stddef.h>

#define IDENTITY_MODULES_MAX    64 /* an IoT Hub allows 50 a device */
#define IDENTITY_GENERATION_MAX 128

struct identity_cache;

/* Empty where there is no file, or it is of another device, or it is damaged: ERR (kind not
 * ERR_NONE) then says so. DEVICE is borrowed. */
struct identity_cache *identity_cache_load(const char *state_dir, const struct device *device,
                                           struct err *err);
void identity_cache_free(struct identity_cache *c); /* NULL is fine */

const char *identity_cache_get(const struct identity_cache *c, const char *module); /* or NULL */
const char *identity_cache_at(const struct identity_cache *c, size_t at); /* a name, or NULL */
/* GENERATION NULL: forgets the module. Writes the file where anything changed. */
int identity_cache_set(struct identity_cache *c, const char *module, const char *generation,
                       struct err *err);

#endif
