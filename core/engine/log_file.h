/* A local file read from near its end and then as it grows: the serial console's log, the engine's
 * own. Loop thread only. */
#ifndef BERTH_ENGINE_LOG_FILE_H
#define BERTH_ENGINE_LOG_FILE_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct log_file;

struct log_file_options {
    const char *path;
    uint64_t tail; /* lines to begin with, as far as LOG_FILE_BACK bytes hold them */
    bool follow;   /* go on when the end is reached; a file that is replaced or cut is read anew */
};
#define LOG_FILE_BACK (1U << 20)

/* DATA returns false to be called no more until log_file_resume(). END comes once, where FOLLOW is
 * false. Neither comes from inside. */
struct log_file *log_file_open(uv_loop_t *loop, const struct log_file_options *options,
                               bool (*data)(void *arg, const char *data, size_t len),
                               void (*end)(void *arg), void *arg, struct err *err);
void log_file_resume(struct log_file *f);
void log_file_close(struct log_file *f); /* NULL is fine */

#endif
