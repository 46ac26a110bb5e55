/* Small string work that libc lacks: bounded copies, strict numbers, and the sanitiser through
 * which every foreign byte passes before it reaches a terminal, a log or an error text. Pure; any
 * thread. */
#ifndef BERTH_BASE_STR_H
#define BERTH_BASE_STR_H

#include "core/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* Copies into a fixed field, always terminated. False where it had to be cut (never inside a UTF-8
 * sequence). NULL copies "". */
bool str_copy(char *to, size_t size, const char *from);
#define STR_SET(field, from) ((void)str_copy((field), sizeof(field), (from)))

/* Formats into a fixed field; false where cut. */
bool str_format(char *to, size_t size, const char *fmt, ...) ATTR_PRINTF(3, 4);

/* Whole string as an unsigned decimal within [0, MAX]: no sign, no spaces, no rest. False
 * otherwise. */
bool str_to_u64(const char *s, uint64_t max, uint64_t *ret_value);

/* Cuts white space (space, tab, CR, LF) off both ends in place; returns S's new start within the
 * same block. */
char *str_trim(char *s);

/* Appends LEN foreign bytes as printable UTF-8: C0 and DEL as ^X, C1 and invalid bytes as \xNN,
 * bidirectional and other invisible controls as \u{NNNN}. A tab becomes one space; '\n' is escaped
 * too. */
void str_sanitise(struct buf *out, const char *data, size_t len);
/* The same into a fixed field. */
void str_sanitise_to(char *to, size_t size, const char *from);

/* Decodes one UTF-8 sequence. Returns its length (1..4) and the code point, or 0 where the bytes
 * are not valid UTF-8. */
size_t str_utf8_decode(const char *data, size_t len, uint32_t *ret_point);
bool str_utf8_valid(const char *data, size_t len); /* all of it */

/* FNV-1a of TEXT and its end, on top of HASH; STR_HASH to begin with. */
#define STR_HASH 2166136261U
uint32_t str_hash(uint32_t hash, const char *text);

/* "1.4 GiB", "312 KiB", "0 B" for people. */
void str_bytes(char *to, size_t size, uint64_t bytes);
/* "3 d 04 h", "02:41", "0:07" for people. */
void str_duration(char *to, size_t size, uint64_t seconds);

#endif
