/* See redact.h: JSON and TOML, whose members have names. */
#include "vm/guest/iotedge/redact.h"

#include "core/base/str.h"
#include "core/base/toml.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* ------------------------------------------------------------------------------- JSON */

static void replace(cJSON *item, const char *text)
{
    cJSON_SetValuestring(item, text);
}

static void redact_string(cJSON *item)
{
    auto_buf struct buf out = {0};
    redact_text(item->valuestring, strlen(item->valuestring), &out);
    if (!str_eq(buf_str(&out), item->valuestring))
        replace(item, buf_str(&out));
}

/* "NAME=VALUE" */
static void redact_env(cJSON *item)
{
    auto_buf struct buf out = {0};
    const char *text = item->valuestring, *value = strchr(text, '=');
    if (value && !redact_env_is_known(text, (size_t)(value - text))) {
        buf_append(&out, text, (size_t)(value - text) + 1);
        buf_puts(&out, REDACT_MARK);
        replace(item, buf_str(&out));
    }
    redact_string(item);
}

static bool is_env(const char *name)
{
    return name && strcasecmp(name, "env") == 0;
}

/* Of a command: behind "--password". */
static bool follows_secret(const cJSON *list, const cJSON *item)
{
    const char *before =
        item != list->child && cJSON_IsString(item->prev) ? item->prev->valuestring : "";
    return before[0] == '-' && redact_is_secret(before, strlen(before));
}

/* A label's name is as free as its value. */
static void redact_name(cJSON *item)
{
    auto_buf struct buf out = {0};
    redact_text(item->string, strlen(item->string), &out);
    if (str_eq(buf_str(&out), item->string))
        return;
    cJSON_free(item->string);
    item->string = buf_steal(&out);
}

void redact_json(cJSON *value)
{
    if (cJSON_IsString(value))
        redact_string(value);
    for (cJSON *item = value ? value->child : NULL; item; item = item->next) {
        const char *name = item->string;
        if (!cJSON_IsString(item))
            redact_json(item);
        else if (name ? redact_is_secret(name, strlen(name)) : follows_secret(value, item))
            replace(item, REDACT_MARK);
        else if (cJSON_IsArray(value) && is_env(value->string))
            redact_env(item);
        else
            redact_string(item);
        if (name)
            redact_name(item);
    }
}

/* ------------------------------------------------------------------------------- TOML */

static void put_text(struct buf *out, const char *text)
{
    cJSON *string = cJSON_CreateString(text); /* JSON's escapes are TOML's as well */
    json_print(out, string);
    cJSON_Delete(string);
}

static void put_redacted(struct buf *out, const char *text)
{
    auto_buf struct buf clean = {0};
    redact_text(text, strlen(text), &clean);
    put_text(out, buf_str(&clean));
}

static void put_key(struct buf *out, const char *key)
{
    bool bare = *key;
    for (const char *c = key; *c; c++)
        bare = bare && (isalnum((unsigned char)*c) || *c == '_' || *c == '-');
    if (bare)
        buf_puts(out, key);
    else
        put_text(out, key);
}

/* What a string of the configuration may show. SECRET: a table around it has a secret's name;
 * then only where the secret is kept may be told. */
static bool is_hidden(const char *key, bool secret)
{
    static const char *const own[] = {"value", "endorsement", "owner"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (str_eq(key, own[i]))
            return true;
    return secret ? !str_eq(key, "uri") : redact_is_secret(key, strlen(key));
}

static void put_value(struct buf *out, const struct toml *node, bool secret, bool env);

static void put_env(struct buf *out, const struct toml *node)
{
    const char *equals = node->key ? NULL : strchr(node->text, '=');
    const char *name = node->key ? node->key : node->text;
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    if (redact_env_is_known(name, n)) {
        put_redacted(out, node->text);
    } else if (equals) {
        auto_buf struct buf pair = {0};
        buf_append(&pair, name, n);
        buf_puts(&pair, "=" REDACT_MARK);
        put_text(out, buf_str(&pair));
    } else {
        put_text(out, REDACT_MARK);
    }
}

static void put_member(struct buf *out, const struct toml *node, bool secret, bool env)
{
    put_key(out, node->key);
    buf_puts(out, " = ");
    put_value(out, node, secret, env);
}

static void put_children(struct buf *out, const struct toml *node, bool secret, bool env)
{
    bool table = node->type == TOML_TABLE;
    buf_puts(out, table ? "{ " : "[");
    for (size_t i = 0; i < node->n_children; i++) {
        buf_puts(out, i ? ", " : "");
        if (table)
            put_member(out, node->children[i], secret, env);
        else
            put_value(out, node->children[i], secret, env);
    }
    buf_puts(out, table ? " }" : "]");
}

static void put_value(struct buf *out, const struct toml *node, bool secret, bool env)
{
    const char *key = node->key ? node->key : "";
    switch (node->type) {
    case TOML_STRING:
        if (env && !secret)
            put_env(out, node);
        else if (is_hidden(key, secret))
            put_text(out, REDACT_MARK);
        else
            put_redacted(out, node->text);
        break;
    case TOML_INTEGER:
        buf_printf(out, "%lld", (long long)node->integer);
        break;
    case TOML_FLOAT:
        buf_printf(out, "%g", node->number);
        break;
    case TOML_BOOL:
        buf_puts(out, node->integer ? "true" : "false");
        break;
    case TOML_TIME:
        buf_puts(out, node->text);
        break;
    case TOML_ARRAY:
    case TOML_TABLE:
        put_children(out, node, secret || redact_is_secret(key, strlen(key)),
                     env || is_env(node->key));
        break;
    case TOML_TYPE_COUNT:
        break;
    }
}

static void put_line(struct buf *out, const struct toml *node, bool secret, bool env)
{
    put_member(out, node, secret, env);
    buf_putc(out, '\n');
}

static void put_section(struct buf *out, const struct toml *table)
{
    buf_puts(out, "\n[");
    put_key(out, table->key);
    buf_puts(out, "]\n");
    for (size_t i = 0; i < table->n_children; i++)
        put_line(out, table->children[i], redact_is_secret(table->key, strlen(table->key)),
                 is_env(table->key));
}

int redact_toml(const char *text, size_t len, struct buf *out, struct err *err)
{
    auto_toml struct toml *root = toml_parse(text, len, err);
    if (!root)
        return -1;
    for (size_t i = 0; i < root->n_children; i++)
        if (root->children[i]->type != TOML_TABLE) /* in front of all headers */
            put_line(out, root->children[i], false, false);
    for (size_t i = 0; i < root->n_children; i++)
        if (root->children[i]->type == TOML_TABLE)
            put_section(out, root->children[i]);
    return 0;
}
