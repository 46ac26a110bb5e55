/* See sandbox_call.h. */
#include "core/engine/sandbox_call.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/engine.h"
#include "core/rpc/frame.h"

#define ENVELOPE 256 /* bytes that the wire adds to a result, at most */

static void call_free(struct sandbox_call *c)
{
    hub_rest_free(c->rest);
    sandbox_record_done(&c->record);
    cJSON_Delete(c->result);
    if (c->data)
        c->data_free(c->data);
    free(c);
}

struct sandbox_call *sandbox_call_new(struct request *take_req, const cJSON *params,
                                      const char *lister)
{
    struct engine *e = take_req->owner;
    struct err err = {0};
    struct sandbox_call *c = xcalloc(1, sizeof(*c));
    c->req = take_req;
    c->lister = lister;
    if (sandbox_load_running(&c->record, &err) == 0)
        c->rest = hub_rest_new(e->loop, &c->record, json_str(params, "hub", NULL), &err);
    if (c->rest)
        return c;
    sandbox_call_fail(c, &err);
    return NULL;
}

/* An id of 1 to 128 characters. What else the hub wants of it, the hub says. */
static int take_id(const cJSON *params, const char *key, char *to, struct err *err)
{
    const char *id = NULL;
    if (json_need_str(params, key, &id, err) < 0)
        return -1;
    if (!id[0] || !str_copy(to, SANDBOX_ID_MAX, id))
        return err_set(err, ERR_INVALID, "%s: must have 1 to %d characters", key,
                       SANDBOX_ID_MAX - 2);
    return 0;
}

struct sandbox_call *sandbox_call_new_on_device(struct request *take_req, const cJSON *params)
{
    struct err err = {0};
    struct sandbox_call *c = sandbox_call_new(take_req, params, "device list");
    if (!c)
        return NULL;
    if (take_id(params, "deviceId", c->device, &err) == 0 &&
        (!json_get(params, "moduleId") || take_id(params, "moduleId", c->module, &err) == 0))
        return c;
    sandbox_call_fail(c, &err);
    return NULL;
}

char *sandbox_call_path(const struct sandbox_call *c, const char *base, const char *leaf)
{
    const char *parts[6] = {base, c->device};
    size_t n = 2;
    if (c->module[0]) {
        parts[n++] = "modules";
        parts[n++] = c->module;
    }
    parts[n] = leaf;
    return hub_rest_path(parts);
}

void sandbox_call_send(struct sandbox_call *c, const struct hub_rest_request *request,
                       hub_rest_fn done)
{
    hub_rest_send(c->rest, request, done, c);
}

void sandbox_call_get(struct sandbox_call *c, const char *path, hub_rest_fn done)
{
    sandbox_call_send(c, &(struct hub_rest_request){.method = "GET", .path = path}, done);
}

void sandbox_call_reply(struct sandbox_call *take_c, cJSON *take_result)
{
    auto_wiped_buf struct buf text = {0};
    struct err err;
    json_print(&text, take_result);
    if (text.len + ENVELOPE <= FRAME_MAX) {
        request_reply(take_c->req, take_result);
        call_free(take_c);
        return;
    }
    cJSON_Delete(take_result);
    err_set(&err, ERR_NO_SPACE, "the answer has %zu KiB, more than can be shown at once",
            text.len / 1024);
    err_hint(&err, "ask for less of it");
    sandbox_call_fail(take_c, &err);
}

/* What a person can do about a refusal that only has the hub's words. */
static void add_hint(const struct sandbox_call *c, struct err *err)
{
    if (err->hint[0])
        return;
    if (err->kind == ERR_NOT_FOUND && c->device[0] && c->record.n_hubs > 1)
        err_hint(err, "the sandbox has %zu hubs: --hub chooses; `berth sandbox show` names them",
                 c->record.n_hubs);
    else if (err->kind == ERR_NOT_FOUND && c->lister[0])
        err_hint(err, "`berth sandbox %s` shows what there is", c->lister);
    else if (err->kind == ERR_UNREACHABLE)
        err_hint(err, "`berth sandbox device list` shows which devices are connected");
    else if (err->kind == ERR_BUSY)
        err_hint(err, "look at it as it is now, then try again");
}

void sandbox_call_fail(struct sandbox_call *take_c, const struct err *err)
{
    struct err told = *err;
    add_hint(take_c, &told);
    request_fail(take_c->req, &told);
    call_free(take_c);
}

void sandbox_call_done(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    (void)text;
    (void)len;
    if (err)
        sandbox_call_fail(c, err);
    else
        sandbox_call_reply(c, cJSON_CreateObject());
}
