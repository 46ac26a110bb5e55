/* Takes secrets out of what leaves the machine in a support bundle: keys, tokens, passwords,
 * connection strings, private keys, modules' environment. What a secret is called decides, so that
 * one that goes by another name is not seen: the bundle says so. What was redacted once stays as it
 * is. Pure. */
#ifndef BERTH_IOTEDGE_REDACT_H
#define BERTH_IOTEDGE_REDACT_H

#include "core/base/json.h"

#include <stdbool.h>
#include <stddef.h>

#define REDACT_LINE_MAX (64U << 10)

struct redact; /* one stream of text */

/* DATA: whole lines; borrowed for the call. */
typedef void (*redact_fn)(void *arg, const char *data, size_t len);

struct redact *redact_new(redact_fn fn, void *arg);
void redact_free(struct redact *r); /* NULL is fine */
/* Pieces of any size. What of a line is beyond REDACT_LINE_MAX is dropped, and said so: a secret
 * might be cut in two. */
void redact_feed(struct redact *r, const char *data, size_t len);
void redact_end(struct redact *r); /* a last line without an end goes out */

/* A text as a whole, appended. */
void redact_text(const char *text, size_t len, struct buf *out);
/* In place, every level: members by their names, "NAME=VALUE" in arrays called Env, and what
 * redact_text finds in names and in the other strings. */
void redact_json(cJSON *value);
/* config.toml as a configuration that says the same but for its secrets, appended. ERR_INVALID
 * where it is no TOML: then nothing of it may be shown. */
int redact_toml(const char *text, size_t len, struct buf *out, struct err *err);

/* redact_names.c: whether a value called NAME is a secret; whether one of the environment is none.
 */
bool redact_is_secret(const char *name, size_t len);
bool redact_env_is_known(const char *name, size_t len);
#define REDACT_MARK "REDACTED"

#endif
