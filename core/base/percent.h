/* Percent-encoding as URLs and Azure's tokens and topics use it. Pure; any thread. */
#ifndef BERTH_BASE_PERCENT_H
#define BERTH_BASE_PERCENT_H

#include "core/base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Decodes into TO, terminated; '+' stays '+'. False, with TO unspecified, where it does not fit, an
 * escape is broken or a NUL would come out. */
bool percent_decode(const char *text, size_t len, char *to, size_t size);
/* The same of what a form encoded, as in a query: '+' is a space. */
bool percent_decode_form(const char *text, size_t len, char *to, size_t size);

/* Appends TEXT with everything but letters, digits and -._~ encoded (upper-case hex). */
void percent_encode(const char *text, size_t len, struct buf *out);

#endif
