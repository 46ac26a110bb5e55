/* What errors of IoT Hub, of TLS and of the network mean to a technician: a table of data. Pure;
 * any thread. */
#ifndef BERTH_AZURE_CLOUD_ERROR_H
#define BERTH_AZURE_CLOUD_ERROR_H

#include <stdbool.h>
#include <stddef.h>

struct cloud_error {
    const char *id;      /* stable word, for scripts and help: "key_refused" */
    const char *match;   /* any of these words, lower case, separated by '|', in the text */
    const char *meaning; /* one sentence: what happened */
    const char *causes;  /* most likely first, separated by "; " */
    const char *next;    /* what to do */
    bool passing;        /* may be gone by itself: trying again makes sense */
};

/* The row for TEXT (any case; what the runtime or the hub said), or NULL where none fits. The table
 * is in order: the more specific row comes first. */
const struct cloud_error *cloud_error_find(const char *text);

/* For help and for tests. */
const struct cloud_error *cloud_error_at(size_t index); /* NULL behind the last */

#endif
