/* Bytes of a client, in pieces, through framing, parsing and dispatch with harmless methods: one
 * answer a line at most, no crash, bounded memory. */
#include "core/base/json.h"
#include "core/engine/dispatch.h"
#include "core/rpc/frame.h"
#include "core/rpc/message.h"

#include <stdlib.h>
#include <string.h>

static size_t answers;

static void call_echo(struct request *req, const cJSON *params)
{
    request_reply(req, params ? cJSON_Duplicate(params, true) : cJSON_CreateObject());
}

static void call_fail(struct request *req, const cJSON *params)
{
    struct err err = {0};
    err_set(&err, ERR_NOT_FOUND, "nothing called \"%.100s\"", json_str(params, "name", ""));
    request_fail(req, &err);
}

static const struct rpc_method methods[] = {
    {"hello", call_echo}, {"echo", call_echo}, {"fail", call_fail}, {NULL, NULL}};
static const struct rpc_method *const tables[] = {methods, NULL};

/* What goes out must be a message that the other side understands. */
static void take_answer(void *sink, uint64_t client, const cJSON *message)
{
    auto_buf struct buf text = {0};
    auto_message struct message m = {0};
    (void)sink;
    (void)client;
    answers++;
    json_print(&text, message);
    if (text.len < FRAME_MAX && message_parse(text.data, text.len, &m, NULL, NULL) < 0)
        abort();
}

static const struct dispatch dispatch = {.tables = tables, .send = take_answer};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dispatch_peer peer = {.client = 1};
    struct frame frame = {0};
    size_t lines = 0;
    answers = 0;
    size_t piece = size ? 1 + data[0] % 61U : 1;
    for (size_t at = 0; at < size; at += piece) {
        const char *line = NULL;
        size_t len = 0;
        frame_push(&frame, data + at, size - at < piece ? size - at : piece);
        while (frame_next(&frame, &line, &len, NULL) == 1) {
            lines++;
            dispatch_line(&dispatch, &peer, line, len);
        }
    }
    frame_done(&frame);
    if (answers != lines)
        abort();
    return 0;
}
