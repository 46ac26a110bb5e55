/* See message.h. */
#include "core/rpc/message.h"

#include "core/base/json.h"
#include "core/base/str.h"

#include <string.h>

#define MESSAGE_ID_MAX (1ULL << 53)

/* Depth is bounded: by json_parse for what came in, by hand for what we build. */
static void wipe_strings(cJSON *json)
{
    for (cJSON *item = json->child; item; item = item->next) {
        if (cJSON_IsString(item) && item->valuestring)
            explicit_bzero(item->valuestring, strlen(item->valuestring));
        wipe_strings(item);
    }
}

void message_free(cJSON *json)
{
    if (json)
        wipe_strings(json);
    cJSON_Delete(json);
}

void message_done(struct message *m)
{
    message_free(m->json);
    *m = (struct message){0};
}

static void parse_error(const cJSON *error, struct err *ret)
{
    const cJSON *data = json_get(error, "data");
    uint64_t code = json_u64(error, "code", ERR_SYSTEM);
    ret->kind = code > ERR_NONE && code < ERR_KIND_COUNT ? (enum err_kind)code : ERR_SYSTEM;
    str_sanitise_to(ret->msg, sizeof(ret->msg), json_str(error, "message", "no reason given"));
    str_sanitise_to(ret->hint, sizeof(ret->hint), json_str(data, "hint", ""));
}

/* Sorts a JSON object into one of the four kinds. The id is already known. */
static int classify(struct message *m, bool has_id, struct err *err)
{
    const cJSON *params = json_get(m->json, "params");
    const cJSON *error = json_get(m->json, "error");
    m->method = json_str(m->json, "method", NULL);
    m->result = json_get(m->json, "result");
    if (m->method) {
        if (params && !cJSON_IsNull(params) && !cJSON_IsObject(params))
            return err_set(err, ERR_PROTOCOL, "\"params\" must be an object");
        m->params = cJSON_IsObject(params) ? params : NULL;
        m->type = has_id ? MESSAGE_CALL : MESSAGE_EVENT;
        return 0;
    }
    if (cJSON_IsObject(error)) {
        m->type = MESSAGE_ERROR;
        parse_error(error, &m->error);
        return 0;
    }
    if (m->result && has_id) {
        m->type = MESSAGE_RESULT;
        return 0;
    }
    return err_set(err, ERR_PROTOCOL, "neither a call nor an answer");
}

int message_parse(const char *line, size_t len, struct message *ret, uint64_t *ret_id,
                  struct err *err)
{
    uint64_t id = 0;
    if (ret_id)
        *ret_id = 0;
    auto_message struct message m = {.json = json_parse(line, len, err)};
    if (!m.json)
        return -1;
    if (!cJSON_IsObject(m.json))
        return err_set(err, ERR_PROTOCOL, "a message must be a JSON object");

    const cJSON *id_item = json_get(m.json, "id");
    bool has_id = id_item && !cJSON_IsNull(id_item);
    if (has_id && json_need_u64(m.json, "id", MESSAGE_ID_MAX, &id, NULL) < 0)
        return err_set(err, ERR_PROTOCOL, "\"id\" must be a whole number");
    if (ret_id)
        *ret_id = id;
    if (!str_eq(json_str(m.json, "jsonrpc", NULL), "2.0"))
        return err_set(err, ERR_PROTOCOL, "\"jsonrpc\" must be \"2.0\"");
    m.id = id;
    if (classify(&m, has_id, err) < 0)
        return -1;
    *ret = m;
    m.json = NULL;
    return 0;
}

static cJSON *envelope(void)
{
    cJSON *json = cJSON_CreateObject();
    json_add_str(json, "jsonrpc", "2.0");
    return json;
}

cJSON *message_event(const char *method, cJSON *take_params)
{
    cJSON *json = envelope();
    json_add_str(json, "method", method);
    if (take_params)
        json_add(json, "params", take_params);
    return json;
}

cJSON *message_call(uint64_t id, const char *method, cJSON *take_params)
{
    cJSON *json = envelope();
    json_add_u64(json, "id", id);
    json_add_str(json, "method", method);
    if (take_params)
        json_add(json, "params", take_params);
    return json;
}

cJSON *message_result(uint64_t id, cJSON *take_result)
{
    cJSON *json = envelope();
    json_add_u64(json, "id", id);
    json_add(json, "result", take_result);
    return json;
}

cJSON *message_error(uint64_t id, const struct err *error)
{
    cJSON *json = envelope();
    if (id)
        json_add_u64(json, "id", id);
    else
        json_add(json, "id", cJSON_CreateNull());
    cJSON *body = json_add_obj(json, "error");
    json_add_u64(body, "code", error->kind);
    json_add_str(body, "message", error->msg);
    cJSON *data = json_add_obj(body, "data");
    json_add_str(data, "kind", err_kind_name(error->kind));
    json_add_str_or_null(data, "hint", error->hint);
    return json;
}
