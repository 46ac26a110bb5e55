/* What screens ask about the sandbox: see request.h. */
#include "core/base/json.h"
#include "core/base/json_text.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/rpc/model_sandbox.h"
#include "tui/request.h"
#include "tui/request_private.h"

#include <string.h>

#define DEVICES_MAX     200 /* on a screen */
#define MODULES_COUNTED 50  /* devices whose modules are counted */
#define INVOKE_S        30
#define INVOKE_MS       60000

/* For the hub on screen. */
static cJSON *params_hub(struct ui *ui)
{
    cJSON *params = cJSON_CreateObject();
    if (ui_view(ui)->hub[0])
        json_add_str(params, "hub", ui_view(ui)->hub);
    return params;
}

static cJSON *params_device(struct ui *ui, const char *device, const char *module)
{
    cJSON *params = params_hub(ui);
    json_add_str(params, "deviceId", device);
    if (module[0])
        json_add_str(params, "moduleId", module);
    return params;
}

void request_sandbox(struct ui *ui, const char *verb)
{
    char method[32], what[48];
    cJSON *params = cJSON_CreateObject();
    (void)str_format(method, sizeof(method), "sandbox.%s", verb);
    (void)str_format(what, sizeof(what), "%s the sandbox", verb);
    request_add_by(params);
    request_ask(ui, REPLY_JOB, what, method, params, 0);
}

void request_devices(struct ui *ui)
{
    cJSON *params = params_hub(ui);
    json_add_u64(params, "max", DEVICES_MAX);
    json_add_u64(params, "countModules", MODULES_COUNTED);
    request_ask(ui, REPLY_DEVICES, "list the devices", "sandbox.device_list", params, 0);
}

void request_device(struct ui *ui, const char *device)
{
    request_ask(ui, REPLY_DEVICE, "read the device", "sandbox.device_show",
                params_device(ui, device, ""), 0);
}

void request_device_create(struct ui *ui, const struct sandbox_device *device,
                           const char *thumbprint)
{
    cJSON *params = params_device(ui, device->id, "");
    json_add_bool(params, "edge", device->edge);
    json_add_str(params, "auth", sandbox_auth_name(device->auth));
    if (thumbprint)
        json_add_str(params, "thumbprint", thumbprint);
    request_ask(ui, REPLY_DEVICE, "make the device", "sandbox.device_create", params, 0);
}

void request_device_set(struct ui *ui, const char *device, bool enabled)
{
    char what[160];
    cJSON *params = params_device(ui, device, "");
    json_add_bool(params, "enabled", enabled);
    (void)str_format(what, sizeof(what), "%s %s", enabled ? "enable" : "disable", device);
    request_ask(ui, REPLY_DONE, what, "sandbox.device_set", params, 0);
}

void request_device_delete(struct ui *ui, const char *device)
{
    char what[160];
    (void)str_format(what, sizeof(what), "delete %s", device);
    request_ask(ui, REPLY_DONE, what, "sandbox.device_delete", params_device(ui, device, ""), 0);
}

void request_twin(struct ui *ui, const char *device, const char *module)
{
    request_ask(ui, REPLY_DOCUMENT, "read the twin", "sandbox.twin_get",
                params_device(ui, device, module), 0);
}

bool request_invoke(struct ui *ui, const char *device, const char *module, const char *method,
                    const char *payload, struct err *err)
{
    cJSON *value = payload[0] ? json_parse(payload, strlen(payload), err) : NULL;
    if (payload[0] && !value)
        return false;
    cJSON *params = params_device(ui, device, module);
    json_add_str(params, "method", method);
    json_add_u64(params, "timeoutS", INVOKE_S);
    if (value)
        json_add(params, "payload", value);
    request_ask(ui, REPLY_DOCUMENT, "invoke the method", "sandbox.invoke", params, INVOKE_MS);
    return true;
}

void request_events_follow(struct ui *ui, const char *device, unsigned tail)
{
    cJSON *params = cJSON_CreateObject();
    json_add_bool(params, "follow", true);
    json_add_u64(params, "tail", tail);
    if (device[0])
        json_add_str(params, "deviceId", device);
    request_ask(ui, REPLY_STREAM, "follow the events", "sandbox.events_follow", params, 0);
}

void request_events_stop(struct ui *ui, const char *stream)
{
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "stream", stream);
    const struct ui_ops *ops = ui_ops(ui);
    ops->call(ops->arg, "sandbox.events_stop", params, 0, NULL, NULL);
}

/* ---- what comes back */

static size_t parse_list(const cJSON *list, struct sandbox_device *to, size_t max)
{
    size_t n = 0;
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, list)
    {
        if (n == max)
            break;
        model_parse_device(item, &to[n++]);
    }
    return n;
}

static void copy_section(cJSON *to, const cJSON *from, const char *key)
{
    cJSON *section = cJSON_Duplicate(json_get(from, key), true);
    cJSON_DeleteItemFromObjectCaseSensitive(section, "$metadata");
    json_add(to, key, section ? section : cJSON_CreateObject());
}

/* What a person looks for in a twin, in that order; when each value was set is left to `berth
 * sandbox twin show`. Never NULL. */
static cJSON *twin_shown(const cJSON *twin)
{
    cJSON *shown = cJSON_CreateObject();
    copy_section(shown, json_get(twin, "properties"), "desired");
    copy_section(shown, json_get(twin, "properties"), "reported");
    if (json_get(twin, "tags"))
        copy_section(shown, twin, "tags");
    json_add_str(shown, "etag", json_str(twin, "etag", ""));
    return shown;
}

/* A method's answer has a status and a payload; else it is a twin. */
static void take_document(struct reply *reply, const cJSON *result, struct buf *text)
{
    const cJSON *payload = json_get(result, "payload");
    auto_json cJSON *twin = payload ? NULL : twin_shown(result);
    double status = json_num(result, "status", 0);
    reply->module = json_str(result, "moduleId", "");
    reply->status = status > 0 && status < 10000 ? (unsigned)status : 0;
    json_text(text, payload ? payload : twin, true);
    reply->text = buf_str(text);
}

void request_deliver_sandbox(struct ui *ui, uint64_t screen_id, struct reply *reply,
                             const cJSON *result)
{
    struct sandbox_device *devices = xcalloc(DEVICES_MAX, sizeof(*devices));
    auto_buf struct buf text = {0};
    if (reply->kind == REPLY_DEVICES) {
        reply->n_devices = parse_list(json_get(result, "devices"), devices, DEVICES_MAX);
        reply->total = json_u64(result, "total", reply->n_devices);
    } else if (reply->kind == REPLY_DEVICE) {
        model_parse_device(result, &devices[0]);
        reply->n_devices =
            1 + parse_list(json_get(result, "moduleList"), devices + 1, DEVICES_MAX - 1);
        reply->connection = json_str(result, "connectionString", NULL);
        reply->existed = json_bool(result, "existed", false);
    } else {
        take_document(reply, result, &text);
    }
    reply->devices = devices;
    ui_reply(ui, screen_id, reply);
    free(devices);
}
