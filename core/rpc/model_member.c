/* See model_member.h. */
#include "core/rpc/model_member.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/rpc/model_json.h"

#include <math.h>
#include <string.h>

/* ---- encode ---- */

/* Reads a member as TYPE, whatever its alignment: the structs are plain data. */
#define LOAD(type, from)                                 \
    ({                                                   \
        type load_value;                                 \
        memcpy(&load_value, (from), sizeof(load_value)); \
        load_value;                                      \
    })

static void add_percent(cJSON *obj, const char *key, double value)
{
    if (value >= 0 && isfinite(value))
        json_add_num(obj, key, value);
    else
        json_add(obj, key, cJSON_CreateNull());
}

static void encode_list(cJSON *obj, const struct member *m, const char *base)
{
    cJSON *array = json_add_array(obj, m->key);
    size_t n = LOAD(size_t, base + m->count_offset);
    for (size_t i = 0; i < n && i < m->max; i++)
        json_push(array, member_encode(m->of, base + m->offset + i * m->size));
}

static void encode_number(cJSON *obj, const struct member *m, const char *at)
{
    if (m->type == MEMBER_U16)
        json_add_u64(obj, m->key, LOAD(uint16_t, at));
    else if (m->type == MEMBER_U32)
        json_add_u64(obj, m->key, LOAD(uint32_t, at));
    else if (m->type == MEMBER_U64)
        json_add_u64(obj, m->key, LOAD(uint64_t, at));
    else if (m->type == MEMBER_SIZE)
        json_add_u64(obj, m->key, LOAD(size_t, at));
    else
        json_add_num(obj, m->key, LOAD(int, at));
}

static void encode_member(cJSON *obj, const struct member *m, const char *base)
{
    const char *at = base + m->offset;
    switch (m->type) {
    case MEMBER_TEXT:
        json_add_str(obj, m->key, at);
        break;
    case MEMBER_TEXT_OPT:
        json_add_str_or_null(obj, m->key, at);
        break;
    case MEMBER_BOOL:
        json_add_bool(obj, m->key, LOAD(bool, at));
        break;
    case MEMBER_PERCENT:
    case MEMBER_COUNT:
        add_percent(obj, m->key, LOAD(int, at));
        break;
    case MEMBER_RATIO:
        add_percent(obj, m->key, LOAD(double, at));
        break;
    case MEMBER_WORD:
        json_add_str(obj, m->key, m->words->name(LOAD(unsigned, at)));
        break;
    case MEMBER_ERROR: {
        struct err error = LOAD(struct err, at);
        json_add(obj, m->key, error.kind ? model_json_error(&error) : cJSON_CreateNull());
        break;
    }
    case MEMBER_LIST:
        encode_list(obj, m, base);
        break;
    case MEMBER_STRUCT:
        json_add(obj, m->key, member_encode(m->of, at));
        break;
    case MEMBER_INT:
    case MEMBER_U16:
    case MEMBER_U32:
    case MEMBER_U64:
    case MEMBER_SIZE:
        encode_number(obj, m, at);
        break;
    }
}

cJSON *member_encode(const struct member *members, const void *value)
{
    cJSON *obj = cJSON_CreateObject();
    if (!obj)
        abort();
    for (const struct member *m = members; m->key; m++)
        encode_member(obj, m, value);
    return obj;
}

/* ---- decode ---- */

#define STORE(type, to, value)                           \
    do {                                                 \
        type store_value = (type)(value);                \
        memcpy((to), &store_value, sizeof(store_value)); \
    } while (0)

static void decode_list(const struct member *m, const cJSON *array, char *base)
{
    size_t n = 0;
    if (cJSON_IsArray(array)) {
        for (const cJSON *item = array->child; item && n < m->max; item = item->next)
            member_decode(m->of, item, base + m->offset + n++ * m->size);
    }
    STORE(size_t, base + m->count_offset, n);
}

/* A percentage or -1; what is not a number in [0, MAX] is unknown. */
static double percent_of(const cJSON *obj, const char *key, double max)
{
    double value = json_num(obj, key, -1);
    return value >= 0 && value <= max ? value : -1;
}

static int int_of(const cJSON *obj, const char *key)
{
    double value = json_num(obj, key, 0);
    return value >= INT32_MIN && value <= INT32_MAX ? (int)value : 0;
}

static uint64_t whole_of(const cJSON *obj, const char *key, uint64_t max)
{
    uint64_t value = json_u64(obj, key, 0);
    return value <= max ? value : 0;
}

static void decode_number(const struct member *m, const cJSON *obj, char *at)
{
    if (m->type == MEMBER_U16)
        STORE(uint16_t, at, whole_of(obj, m->key, UINT16_MAX));
    else if (m->type == MEMBER_U32)
        STORE(uint32_t, at, whole_of(obj, m->key, UINT32_MAX));
    else if (m->type == MEMBER_U64)
        STORE(uint64_t, at, whole_of(obj, m->key, UINT64_MAX));
    else if (m->type == MEMBER_SIZE)
        STORE(size_t, at, whole_of(obj, m->key, SIZE_MAX));
    else
        STORE(int, at, int_of(obj, m->key));
}

static void decode_error(const cJSON *json, char *at)
{
    struct err error = {0};
    if (cJSON_IsObject(json))
        model_parse_error(json, &error);
    STORE(struct err, at, error);
}

static void decode_member(const struct member *m, const cJSON *obj, char *base)
{
    char *at = base + m->offset;
    switch (m->type) {
    case MEMBER_TEXT:
    case MEMBER_TEXT_OPT:
        str_sanitise_to(at, m->size, json_str(obj, m->key, ""));
        break;
    case MEMBER_BOOL:
        STORE(bool, at, json_bool(obj, m->key, false));
        break;
    case MEMBER_PERCENT:
        STORE(int, at, percent_of(obj, m->key, 100));
        break;
    case MEMBER_COUNT:
        STORE(int, at, percent_of(obj, m->key, INT32_MAX));
        break;
    case MEMBER_RATIO:
        STORE(double, at, percent_of(obj, m->key, 1e6));
        break;
    case MEMBER_WORD:
        STORE(unsigned, at, m->words->parse(json_str(obj, m->key, "")));
        break;
    case MEMBER_ERROR:
        decode_error(json_get(obj, m->key), at);
        break;
    case MEMBER_LIST:
        decode_list(m, json_get(obj, m->key), base);
        break;
    case MEMBER_STRUCT:
        member_decode(m->of, json_get(obj, m->key), at);
        break;
    case MEMBER_INT:
    case MEMBER_U16:
    case MEMBER_U32:
    case MEMBER_U64:
    case MEMBER_SIZE:
        decode_number(m, obj, at);
        break;
    }
}

void member_decode(const struct member *members, const cJSON *json, void *value)
{
    for (const struct member *m = members; m->key; m++)
        decode_member(m, json, value);
}
