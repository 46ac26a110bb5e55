/* See dispatch.h. */
#include "core/engine/dispatch.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "core/rpc/message.h"

#include <assert.h>

static size_t open_requests;

size_t dispatch_open(void)
{
    return open_requests;
}

static void send_error(const struct dispatch *d, uint64_t client, uint64_t id,
                       const struct err *err)
{
    auto_json cJSON *message = message_error(id, err);
    d->send(d->sink, client, message);
}

static const struct rpc_method *method_find(const struct dispatch *d, const char *name)
{
    for (const struct rpc_method *const *table = d->tables; *table; table++)
        for (const struct rpc_method *method = *table; method->name; method++)
            if (str_eq(method->name, name))
                return method;
    return NULL;
}

int dispatch_check_hello(const cJSON *params, struct err *err)
{
    uint64_t theirs = 0;
    if (json_need_u64(params, "protocol", UINT32_MAX, &theirs, err) < 0)
        return -1;
    if (theirs == BERTH_PROTOCOL)
        return 0;
    bool older = theirs < BERTH_PROTOCOL;
    err_set(err, ERR_UNSUPPORTED,
            "this console is %s than the engine that runs (protocol %llu, engine %d)",
            older ? "older" : "newer", (unsigned long long)theirs, BERTH_PROTOCOL);
    return err_hint(
        err,
        older
            ? "update the console, or use the berth that belongs to the engine"
            : "end the old engine with its own `berth engine stop`; the new one starts by itself");
}

static int check_call(const struct dispatch *d, struct dispatch_peer *peer, const struct message *m,
                      const struct rpc_method **ret_method, struct err *err)
{
    if (m->type != MESSAGE_CALL)
        return err_set(err, ERR_PROTOCOL, "the engine takes calls only, with a method and an id");
    bool hello = str_eq(m->method, "hello");
    if (!peer->greeted && !hello)
        return err_set(err, ERR_PROTOCOL, "the first call must be \"hello\"");
    if (hello && dispatch_check_hello(m->params, err) < 0)
        return -1;
    *ret_method = method_find(d, m->method);
    if (*ret_method)
        return 0;
    char name[64];
    str_sanitise_to(name, sizeof(name), m->method);
    return err_set(err, ERR_UNSUPPORTED, "this engine has no method \"%s\"", name);
}

void dispatch_line(const struct dispatch *d, struct dispatch_peer *peer, const char *line,
                   size_t len)
{
    struct err err = {0};
    uint64_t id = 0;
    auto_message struct message m = {0};
    const struct rpc_method *method = NULL;
    if (message_parse(line, len, &m, &id, &err) < 0 || check_call(d, peer, &m, &method, &err) < 0) {
        send_error(d, peer->client, id, &err);
        return;
    }
    assert(method);
    peer->greeted = true;
    struct request *req = xcalloc(1, sizeof(*req));
    open_requests++;
    req->owner = d->owner;
    req->client = peer->client;
    req->id = m.id;
    req->dispatch = d;
    method->call(req, m.params);
}

static void request_done(struct request *take_req)
{
    open_requests--;
    free(take_req);
}

void request_reply(struct request *take_req, cJSON *take_result)
{
    auto_json cJSON *message = message_result(take_req->id, take_result);
    take_req->dispatch->send(take_req->dispatch->sink, take_req->client, message);
    request_done(take_req);
}

void request_reply_empty(struct request *take_req)
{
    request_reply(take_req, cJSON_CreateObject());
}

void request_fail(struct request *take_req, const struct err *err)
{
    send_error(take_req->dispatch, take_req->client, take_req->id, err);
    request_done(take_req);
}
