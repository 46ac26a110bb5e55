/* See config_read.h. */
#include "vm/guest/edged/config_read.h"

#include "core/base/mem.h"
#include "core/base/percent.h"
#include "core/base/str.h"

#include <string.h>

#define VALUE_MAX 4096

static const enum toml_type types[] = {
    [CONFIG_TEXT] = TOML_STRING, [CONFIG_FILE] = TOML_STRING,    [CONFIG_SOCKET] = TOML_STRING,
    [CONFIG_BOOL] = TOML_BOOL,   [CONFIG_NUMBER] = TOML_INTEGER, [CONFIG_OTHER] = TOML_TYPE_COUNT,
};

const struct toml *config_find(const struct toml *table, const char *path)
{
    char part[64];
    while (table) {
        const char *dot = strchr(path, '.');
        if (!dot)
            return toml_get(table, path);
        (void)str_format(part, sizeof(part), "%.*s", (int)(dot - path), path);
        table = toml_get(table, part);
        path = dot + 1;
    }
    return NULL;
}

int config_need(const struct toml *value, enum toml_type type, struct err *err)
{
    return value->type == type ? 0 : err_set(err, ERR_INVALID, "must be %s", toml_type_name(type));
}

/* Too long or with a NUL inside is refused rather than cut. */
int config_copy_text(char *to, size_t size, const struct toml *value, struct err *err)
{
    if (config_need(value, TOML_STRING, err) < 0)
        return -1;
    if (value->len == 0)
        return err_set(err, ERR_INVALID, "is empty");
    if (value->len >= size || strlen(value->text) != value->len)
        return err_set(err, ERR_INVALID, "is too long or holds a NUL");
    return str_copy(to, size, value->text) ? 0 : err_set(err, ERR_INVALID, "is too long");
}

/* "SCHEME:///path" to the path. */
static int copy_path(char *to, size_t size, const char *scheme, const struct toml *value,
                     struct err *err)
{
    if (config_need(value, TOML_STRING, err) < 0)
        return -1;
    if (str_starts(value->text, "pkcs11:"))
        return err_set(err, ERR_UNSUPPORTED, "PKCS#11 is not supported by the built-in runtime");
    size_t skip = strlen(scheme);
    if (!str_starts(value->text, scheme) || value->text[skip] != '/')
        return err_set(err, ERR_INVALID, "must begin with %s/", scheme);
    if (!percent_decode(value->text + skip, value->len - skip, to, size))
        return err_set(err, ERR_INVALID, "is too long, or has a %% that begins no escape");
    return 0;
}

int config_copy_file(char *to, size_t size, const struct toml *value, struct err *err)
{
    return copy_path(to, size, "file://", value, err);
}

static int take_number(uint64_t *to, const struct config_key *key, const struct toml *value,
                       struct err *err)
{
    uint64_t max = key->max ? key->max : INT64_MAX;
    if (value->integer < 0 || (uint64_t)value->integer < key->min)
        return err_set(err, ERR_INVALID, "must be %llu or more", (unsigned long long)key->min);
    if ((uint64_t)value->integer > max)
        return err_set(err, ERR_INVALID, "must be %llu or less", (unsigned long long)max);
    if (to)
        *to = (uint64_t)value->integer;
    return 0;
}

static int take_text(char *to, size_t size, enum config_kind kind, const struct toml *value,
                     struct err *err)
{
    if (kind == CONFIG_TEXT)
        return config_copy_text(to, size, value, err);
    return copy_path(to, size, kind == CONFIG_FILE ? "file://" : "unix://", value, err);
}

static int take_value(void *base, const struct config_key *key, const struct toml *value,
                      struct err *err)
{
    char unused[VALUE_MAX]; /* checked only; a password may be among it */
    bool kept = key->size != 0;
    void *at = (char *)base + key->offset;
    int status = 0;
    switch (key->kind) {
    case CONFIG_TEXT:
    case CONFIG_FILE:
    case CONFIG_SOCKET:
        status =
            take_text(kept ? at : unused, kept ? key->size : sizeof(unused), key->kind, value, err);
        explicit_bzero(unused, sizeof(unused));
        return status;
    case CONFIG_NUMBER:
        return take_number(kept ? at : NULL, key, value, err);
    case CONFIG_BOOL:
        if (kept)
            *(bool *)at = value->integer;
        return 0;
    case CONFIG_OTHER:
        return key->take(base, value, err);
    }
    return 0;
}

static int take_key(void *base, const struct config_key *key, const struct toml *value,
                    const char *name, struct err *err)
{
    enum toml_type type = types[key->kind];
    if (type != TOML_TYPE_COUNT && value->type != type)
        return err_set(err, ERR_INVALID, "line %u: %s must be %s", value->line, name,
                       toml_type_name(type));
    if (take_value(base, key, value, err) < 0)
        return err_wrap(err, "line %u: %s", value->line, name);
    return 0;
}

int config_take(void *base, const struct config_key *keys, size_t n, const struct toml *table,
                const char *prefix, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        char name[128];
        const struct toml *value = config_find(table, keys[i].path);
        (void)str_format(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "", keys[i].path);
        if (!value && keys[i].required)
            return err_set(err, ERR_INVALID, "line %u: %s is missing", table->line, name);
        if (value && take_key(base, &keys[i], value, name, err) < 0)
            return -1;
    }
    return 0;
}

void config_pairs_add(struct config_pairs *to, const char *name, const char *value)
{
    to->at = xreallocarray(to->at, to->n + 1, sizeof(*to->at));
    to->at[to->n++] = (struct config_pair){xstrdup(name), xstrdup(value)};
}

static int copy_any(char *to, size_t size, const struct toml *value, struct err *err)
{
    to[0] = '\0';
    return value->type == TOML_STRING && value->len == 0 ? 0
                                                         : config_copy_text(to, size, value, err);
}

int config_take_pairs(struct config_pairs *to, const struct toml *table,
                      int (*copy)(char *to, size_t size, const struct toml *value, struct err *err),
                      struct err *err)
{
    if (config_need(table, TOML_TABLE, err) < 0)
        return -1;
    for (size_t i = 0; i < table->n_children; i++) {
        char text[VALUE_MAX];
        const struct toml *value = table->children[i];
        if ((copy ? copy : copy_any)(text, sizeof(text), value, err) < 0) {
            char name[80];
            str_sanitise_to(name, sizeof(name), value->key);
            return err_wrap(err, "%s (line %u)", name, value->line);
        }
        config_pairs_add(to, value->key, text);
    }
    return 0;
}

void config_pairs_done(struct config_pairs *pairs)
{
    for (size_t i = 0; i < pairs->n; i++) {
        free(pairs->at[i].name);
        secret_free(pairs->at[i].value); /* a proxy's password may be among them */
    }
    free(pairs->at);
    *pairs = (struct config_pairs){0};
}
