/* cJSON with bounds and with errors that name the member. cJSON stays inside *_json.c files and
 * protocol code: parse at the boundary into plain structs, build at the boundary from plain
 * structs. */
#ifndef BERTH_BASE_JSON_H
#define BERTH_BASE_JSON_H

#include "core/base/buf.h"
#include "core/base/err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 32

DEFINE_AUTO(json, cJSON, cJSON_Delete)
#define auto_json ATTR_CLEANUP(json_freep)

/* Once at the start of a program, before any JSON: what cJSON frees is wiped first, since
 * connection strings pass through it. */
void json_init(void);

/* Parses exactly one value of at most JSON_DEPTH_MAX levels; anything but white space behind it is
 * an error. DATA need not be terminated. The caller bounds LEN. NULL with ERR_PROTOCOL on bad text
 * (the offset is named). Free with cJSON_Delete. */
cJSON *json_parse(const char *data, size_t len, struct err *err) ATTR_USE_RESULT;

/* Compact text, appended. */
void json_print(struct buf *out, const cJSON *value);

/* Members. The required ones fail with ERR_INVALID naming KEY where it is missing or of another
 * type; strings are borrowed from OBJ. */
int json_need_str(const cJSON *obj, const char *key, const char **ret_value, struct err *err);
int json_need_u64(const cJSON *obj, const char *key, uint64_t max, uint64_t *ret_value,
                  struct err *err);
int json_need_obj(const cJSON *obj, const char *key, const cJSON **ret_value, struct err *err);
int json_need_array(const cJSON *obj, const char *key, const cJSON **ret_value, struct err *err);

/* Optional members: the fallback where KEY is missing, null or of another type. */
const char *json_str(const cJSON *obj, const char *key, const char *fallback);
uint64_t json_u64(const cJSON *obj, const char *key, uint64_t fallback);
double json_num(const cJSON *obj, const char *key, double fallback);
bool json_bool(const cJSON *obj, const char *key, bool fallback);
const cJSON *json_get(const cJSON *obj, const char *key); /* case-sensitive; NULL where missing */

/* Copies an optional string member into a fixed field ("" where missing). */
#define JSON_COPY(field, obj, key) STR_SET(field, json_str((obj), (key), ""))

/* Builders. Add to OBJ; NULL or "" strings become null where _or_null says so. Whole numbers keep
 * 53 bits. */
void json_add_str(cJSON *obj, const char *key, const char *value);
void json_add_str_or_null(cJSON *obj, const char *key, const char *value);
void json_add_u64(cJSON *obj, const char *key, uint64_t value);
void json_add_num(cJSON *obj, const char *key, double value);
void json_add_bool(cJSON *obj, const char *key, bool value);
cJSON *json_add_obj(cJSON *obj, const char *key);
cJSON *json_add_array(cJSON *obj, const char *key);
/* Attach a finished value under KEY, or at the end of an array. Takes it. */
void json_add(cJSON *obj, const char *key, cJSON *take_value);
void json_push(cJSON *array, cJSON *take_value);

#endif
