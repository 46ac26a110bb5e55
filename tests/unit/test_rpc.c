/* Lines and messages of the wire. */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/rpc/frame.h"
#include "core/rpc/message.h"

#include <criterion/criterion.h>
#include <string.h>

static void expect_line(struct frame *f, const char *text)
{
    const char *line = NULL;
    size_t len = 0;
    cr_assert_eq(frame_next(f, &line, &len, NULL), 1, "expected the line %s", text);
    cr_assert_eq(len, strlen(text));
    cr_assert_eq(memcmp(line, text, len), 0);
}

Test(frame, cuts_lines_however_the_bytes_arrive)
{
    static const char text[] = "one\n\ntwo\nthree\n";
    for (size_t piece = 1; piece <= sizeof(text) - 1; piece++) {
        struct frame f = {0};
        auto_buf struct buf got = {0};
        for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
            size_t n = sizeof(text) - 1 - at < piece ? sizeof(text) - 1 - at : piece;
            const char *line = NULL;
            size_t len = 0;
            frame_push(&f, text + at, n);
            while (frame_next(&f, &line, &len, NULL) == 1) {
                buf_append(&got, line, len);
                buf_putc(&got, '|');
            }
        }
        cr_assert_str_eq(buf_str(&got), "one|two|three|", "in pieces of %zu", piece);
        frame_done(&f);
    }
}

Test(frame, takes_the_longest_line_and_refuses_one_byte_more)
{
    auto_free char *block = xmalloc(FRAME_MAX + 1);
    memset(block, 'x', FRAME_MAX + 1);
    const char *line = NULL;
    size_t len = 0;
    struct err err = {0};

    struct frame f = {0};
    frame_push(&f, block, FRAME_MAX);
    cr_assert_eq(frame_next(&f, &line, &len, &err), 0);
    frame_push(&f, "\n", 1);
    cr_assert_eq(frame_next(&f, &line, &len, &err), 1);
    cr_assert_eq(len, FRAME_MAX);
    frame_push(&f, "ok\n", 3);
    expect_line(&f, "ok");
    frame_done(&f);

    frame_push(&f, block, FRAME_MAX + 1);
    cr_assert_eq(frame_next(&f, &line, &len, &err), -1);
    cr_assert_eq(err.kind, ERR_PROTOCOL);
    frame_done(&f);
}

static int parse(const char *text, struct message *m, uint64_t *id, struct err *err)
{
    return message_parse(text, strlen(text), m, id, err);
}

Test(message, tells_calls_events_results_and_errors_apart)
{
    auto_message struct message call = {0};
    auto_message struct message event = {0};
    auto_message struct message result = {0};
    auto_message struct message error = {0};
    cr_assert_eq(
        parse("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"vm.start\",\"params\":{\"vm\":\"a\"}}",
              &call, NULL, NULL),
        0);
    cr_assert_eq(call.type, MESSAGE_CALL);
    cr_assert_eq(call.id, 7);
    cr_assert_str_eq(call.method, "vm.start");
    cr_assert_not_null(call.params);
    cr_assert_eq(parse("{\"jsonrpc\":\"2.0\",\"method\":\"event.log\"}", &event, NULL, NULL), 0);
    cr_assert_eq(event.type, MESSAGE_EVENT);
    cr_assert_eq(parse("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}", &result, NULL, NULL), 0);
    cr_assert_eq(result.type, MESSAGE_RESULT);
    cr_assert_eq(parse("{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":2,\"message\":\"no "
                       "\\u001b[2J\",\"data\":{\"hint\":\"look\"}}}",
                       &error, NULL, NULL),
                 0);
    cr_assert_eq(error.type, MESSAGE_ERROR);
    cr_assert_eq(error.error.kind, ERR_NOT_FOUND);
    cr_assert_str_eq(error.error.msg, "no ^[[2J");
    cr_assert_str_eq(error.error.hint, "look");
}

Test(message, error_survives_the_wire)
{
    struct err sent = {0};
    err_set(&sent, ERR_BUSY, "VM \"a\" is busy");
    err_hint(&sent, "wait");
    auto_json cJSON *json = message_error(3, &sent);
    auto_buf struct buf text = {0};
    json_print(&text, json);
    auto_message struct message m = {0};
    cr_assert_eq(message_parse(text.data, text.len, &m, NULL, NULL), 0);
    cr_assert_eq(m.error.kind, ERR_BUSY);
    cr_assert_str_eq(m.error.msg, sent.msg);
    cr_assert_str_eq(m.error.hint, sent.hint);
}

Test(message, refuses_what_is_no_message)
{
    static const char *const bad[] = {
        "",
        "x",
        "[]",
        "42",
        "{}",
        "{\"jsonrpc\":\"2.0\"}",
        "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"a\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":-1,\"method\":\"a\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"a\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":[1]}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":3}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"} x",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct message m = {0};
        struct err err = {0};
        cr_assert_eq(parse(bad[i], &m, NULL, &err), -1, "%s", bad[i]);
        cr_assert_eq(err.kind, ERR_PROTOCOL, "%s", bad[i]);
        cr_assert_neq(err.msg[0], '\0');
    }
    uint64_t id = 0;
    struct message m = {0};
    cr_assert_eq(
        parse("{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"a\",\"params\":[1]}", &m, &id, NULL), -1);
    cr_assert_eq(id, 9, "the id is known, so that the caller gets an answer");
}
