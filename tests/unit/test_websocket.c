#include "core/io/digest.h"
#include "core/io/websocket.h"
#include "tests/support/frames.h"

#include <criterion/criterion.h>
#include <string.h>

#define MAX 100000

static struct websocket *w;
static struct buf plain, wire;

static void begin(void)
{
    w = websocket_new(MAX);
}

static void finish(void)
{
    websocket_free(w);
    buf_done(&plain);
    buf_done(&wire);
}

TestSuite(websocket, .init = begin, .fini = finish);

static void feed_raw(const void *data, size_t len)
{
    buf_clear(&wire);
    websocket_feed(w, data, len, &plain, &wire);
}

static void feed(enum opcode opcode, bool fin, const char *data)
{
    auto_buf struct buf frame = {0};

    frame_put(&frame, opcode, fin, data, strlen(data));
    feed_raw(frame.data, frame.len);
}

static bool midway(void)
{
    uint64_t number;

    return websocket_midway(w, &number);
}

static bool said(const char *bytes, size_t len)
{
    return wire.len == len && memcmp(buf_str(&wire), bytes, len) == 0;
}

static bool closed_with(unsigned code)
{
    websocket_end(w, &wire);

    const unsigned char frame[] = {0x88, 2, (unsigned char)(code >> 8), (unsigned char)code};

    return websocket_state(w) == WEBSOCKET_BROKEN && said((const char *)frame, sizeof(frame));
}

Test(websocket, joins_messages_and_fragments_to_one_stream)
{
    feed(BINARY, true, "one ");
    feed(BINARY, false, "two ");
    cr_assert(midway());
    feed(MORE, false, "");
    feed(MORE, true, "three");
    cr_assert_str_eq(buf_str(&plain), "one two three");
    cr_assert_not(midway());
    cr_assert_eq(wire.len, 0);
}

Test(websocket, understands_any_split_of_any_length)
{
    static const size_t sizes[] = {0, 1, 125, 126, 4095, 4096, 4097, 65535, 65536, MAX};
    static char data[MAX];
    static const size_t steps[] = {1, 2, 3, 7, 4096, SIZE_MAX};

    for (size_t i = 0; i < MAX; i++)
        data[i] = (char)(i * 7);
    for (size_t i = 0; i < ARRAY_LEN(sizes) * ARRAY_LEN(steps); i++) {
        size_t size = sizes[i / ARRAY_LEN(steps)], step = steps[i % ARRAY_LEN(steps)];
        auto_buf struct buf frame = {0};

        frame_put(&frame, BINARY, true, data, size);
        for (size_t at = 0; at < frame.len; at += step) {
            feed_raw(frame.data + at, step < frame.len - at ? step : frame.len - at);
            cr_assert_eq(midway(), step < frame.len - at, "%zu of %zu", at, size);
            if (step >= frame.len)
                break;
        }
        cr_assert_eq(plain.len, size);
        cr_assert_arr_eq(buf_str(&plain), data, size);
        buf_clear(&plain);
    }
}

Test(websocket, counts_messages_so_that_each_has_its_own_deadline)
{
    uint64_t before, after;

    feed_raw("\x82", 1);
    (void)websocket_midway(w, &before);
    feed_raw("\x80\x12\x34\x56\x78\x82", 6); /* its end, and the beginning of the next */
    cr_assert(websocket_midway(w, &after));
    cr_assert_neq(before, after);
    feed_raw("\x80\x12\x34\x56\x78", 5);
    feed(BINARY, false, "a");
    (void)websocket_midway(w, &before);
    feed(PING, true, "");
    feed(MORE, false, "b");
    cr_assert(websocket_midway(w, &after));
    cr_assert_eq(before, after, "neither pings nor fragments win time");
}

Test(websocket, answers_pings_with_their_payload_also_between_fragments)
{
    feed(BINARY, false, "a");
    feed(PING, true, "hello");
    cr_assert(said("\x8a\x05hello", 7));
    cr_assert(midway());
    feed(MORE, true, "b");
    feed(PONG, true, "unasked");
    cr_assert_eq(wire.len, 0);
    cr_assert_str_eq(buf_str(&plain), "ab");
}

Test(websocket, returns_a_goodbye_behind_the_last_word)
{
    static const char bye[] = "\x03\xe8 bye";
    static const char answer[] = "\x82\x01x\x88\x06\x03\xe8 bye";

    feed(BINARY, true, "last");
    feed(PING, true, "!");
    cr_assert(said("\x8a\x01!", 3));
    feed(CLOSE, true, bye);
    cr_assert_eq(websocket_state(w), WEBSOCKET_ENDED);
    feed(BINARY, true, "too late");
    cr_assert_str_eq(buf_str(&plain), "last");
    websocket_write(w, "x", 1, &wire);
    websocket_end(w, &wire);
    cr_assert(said(answer, strlen(answer)));
    websocket_write(w, "x", 1, &wire);
    websocket_end(w, &wire);
    cr_assert_eq(wire.len, strlen(answer), "nothing after our own");
}

Test(websocket, returns_a_goodbye_without_a_reason)
{
    feed(CLOSE, true, "");
    cr_assert_eq(websocket_state(w), WEBSOCKET_ENDED);
    websocket_end(w, &wire);
    cr_assert(said("\x88\x00", 2));
}

Test(websocket, says_goodbye_once)
{
    websocket_end(w, &wire);
    websocket_end(w, &wire);
    websocket_write(w, "x", 1, &wire);
    cr_assert(said("\x88\x02\x03\xe8", 4));
    feed(PING, true, "");
    cr_assert_eq(wire.len, 0);
}

Test(websocket, writes_one_message_of_any_length)
{
    auto_buf struct buf data = {0};

    websocket_write(w, "abc", 3, &wire);
    cr_assert(said("\x82\x03"
                   "abc",
                   5));
    buf_clear(&wire);
    websocket_write(w, "", 0, &wire);
    cr_assert_eq(wire.len, 0);
    for (int i = 0; i < 70000; i++)
        buf_putc(&data, 'x');
    websocket_write(w, data.data, data.len, &wire);
    cr_assert_eq(wire.len, 70010);
    cr_assert_arr_eq(wire.data, "\x82\x7f\0\0\0\0\0\x01\x11\x70x", 11);
}

Test(websocket, writes_while_a_message_comes_in)
{
    feed(BINARY, false, "a");
    websocket_write(w, "out", 3, &wire);
    feed(MORE, true, "b");
    cr_assert_str_eq(buf_str(&plain), "ab");
}

Test(websocket, refuses_text)
{
    feed(TEXT, true, "hello");
    cr_assert(closed_with(1003));
    cr_assert_eq(plain.len, 0);
    feed(BINARY, true, "x");
    cr_assert_eq(plain.len, 0);
}

Test(websocket, refuses_a_frame_that_is_too_large_by_its_header)
{
    feed_raw("\x82\xff\0\0\0\0\x40\0\0\0maskx", 15); /* 1 GiB, and its first byte */
    cr_assert(closed_with(1009));
}

Test(websocket, refuses_fragments_that_are_too_large_together)
{
    static char half[MAX / 2 + 1];
    auto_buf struct buf frames = {0};

    frame_put(&frames, BINARY, false, half, sizeof(half));
    frame_put(&frames, MORE, true, half, sizeof(half));
    feed_raw(frames.data, frames.len);
    cr_assert(closed_with(1009));
    cr_assert_eq(plain.len, sizeof(half));
}

/* What RFC 6455 calls a failed connection. */
Test(websocket, refuses_what_breaks_the_protocol)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t len;
    } cases[] = {
        {"no mask",
         "\x82\x01"
         "a",
         3},
        {"a reserved bit, as of an extension that was not agreed upon", "\xc2\x80mask", 6},
        {"a reserved opcode", "\x83\x80mask", 6},
        {"a reserved control opcode", "\x8b\x80mask", 6},
        {"a fragment of nothing", "\x80\x80mask", 6},
        {"a message within a message", "\x02\x80mask\x82\x80mask", 12},
        {"a ping in fragments", "\x09\x80mask", 6},
        {"a long ping", "\x89\xfe\x00\x7emask", 8},
        {"a length longer than need be", "\x82\xfe\x00\x01mask", 8},
        {"a negative length", "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xffmask", 14},
        {"a close code that nobody may send", "\x88\x82\0\0\0\0\x03\xed", 8},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        websocket_free(w);
        w = websocket_new(MAX);
        feed_raw(cases[i].bytes, cases[i].len);
        cr_assert(closed_with(1002), "%s", cases[i].what);
    }
}

Test(websocket, signs_the_handshake_as_the_standard_has_it)
{
    static const char seed[] = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char accept[DIGEST_SHA1_BASE64_SIZE];

    digest_sha1_base64(seed, strlen(seed), accept);
    cr_assert_str_eq(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

Test(websocket, speaks_as_a_client_to_a_server)
{
    struct websocket *client = websocket_client_new(MAX);
    auto_buf struct buf out = {0}, heard = {0}, back = {0};

    websocket_write(client, "hello", 5, &out);
    cr_assert_eq((unsigned char)out.data[1], 0x80 | 5, "masked");
    feed_raw(out.data, out.len);
    cr_assert_str_eq(buf_str(&plain), "hello");
    websocket_write(w, "you", 3, &back);
    websocket_feed(client, back.data, back.len, &heard, &out);
    cr_assert_str_eq(buf_str(&heard), "you");
    buf_clear(&out);
    websocket_feed(client, "\x89\2hi", 4, &heard, &out);
    cr_assert_eq(out.len, 8, "a masked pong");
    websocket_feed(client, "\x88\2\x03\xe8", 4, &heard, &out);
    cr_assert_eq(websocket_state(client), WEBSOCKET_ENDED);
    cr_assert_eq(out.len, 8, "the goodbye waits for the owner's last word");
    websocket_end(client, &out);
    cr_assert_eq(out.len, 16);
    feed_raw(out.data, out.len);
    cr_assert_eq(websocket_state(w), WEBSOCKET_ENDED, "both frames are well formed");
    websocket_free(client);
}

Test(websocket, as_a_client_takes_no_masked_frame)
{
    struct websocket *client = websocket_client_new(MAX);
    auto_buf struct buf out = {0}, heard = {0};

    websocket_feed(client, "\x82\x81\1\2\3\4x", 7, &heard, &out);
    cr_assert_eq(websocket_state(client), WEBSOCKET_BROKEN);
    cr_assert_eq(heard.len, 0);
    websocket_free(client);
}
