/* Blobs of a storage account, written with an address that carries its own permission (SAS), in
 * blocks, so that a log of any size costs the memory of one. Loop thread only. */
#ifndef BERTH_EDGED_METHOD_UPLOAD_H
#define BERTH_EDGED_METHOD_UPLOAD_H

#include "core/base/err.h"
#include "vm/guest/edged/config.h"
#include "vm/guest/edged/device.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define METHOD_BLOCK_BYTES (1U << 20)

struct method_upload;

/* ERR is NULL where the piece is stored. The upload may be freed from inside. */
typedef void (*method_upload_fn)(void *arg, const struct err *err);

/* "HUB/DEVICE/WHAT-2026-11-21--14-31-02.END" */
char *method_upload_name(const struct device *device, const char *what, const char *end)
    ATTR_MALLOC;

/* URL: the container's, "https://HOST[:PORT]/CONTAINER?SIGNATURE". NULL with ERR where it, or
 * CONFIG's trust or proxy, cannot be used. */
struct method_upload *method_upload_new(uv_loop_t *loop, const struct config *config,
                                        const char *url, const char *blob, method_upload_fn fn,
                                        void *arg, struct err *err);
void method_upload_free(struct method_upload *u); /* what is under way ends; NULL is fine */

/* The next piece; FN then comes once, never from inside. DATA stays as it is until then. With the
 * LAST one the blob is there. */
void method_upload_put(struct method_upload *u, const void *data, size_t len, bool last);

#endif
