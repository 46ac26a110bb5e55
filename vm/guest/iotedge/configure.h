/* The parts of `iotedge config`. */
#ifndef BERTH_IOTEDGE_CONFIGURE_H
#define BERTH_IOTEDGE_CONFIGURE_H

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/err.h"
#include "core/base/toml.h"
#include "vm/guest/edged/config.h"
#include "vm/guest/iotedge/iotedge.h"

/* A configuration for a device's connection string, appended; it passed the runtime's own reader.
 * The caller wipes OUT. ERR_INVALID says what is wrong with the string, without showing it. */
int configure_write(const char *string, size_t len, struct buf *out, struct err *err);

/* configure_wait.c: which process of the runtime answers, by its start. */
struct configure_start {
    char time[CLOCK_TEXT_MAX]; /* "": none answers */
};
void configure_start_read(const struct iotedge *o, struct configure_start *ret);
/* Waits until another process than BEFORE answers, then says as whom it is connected, or why it is
 * not. ERR_TIMEOUT where none came. */
int configure_wait(const struct iotedge *o, const struct configure_start *before, struct err *err);

#endif
