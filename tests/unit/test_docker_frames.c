/* Docker's framed log stream: any chunking, hostile sizes, raw streams. */
#include "core/base/buf.h"
#include "logs/docker_frames.h"

#include <criterion/criterion.h>
#include <string.h>

/* What came out: "1:" before each frame, then its bytes. */
static void record(void *arg, uint8_t stream, bool first, const char *data, size_t len)
{
    if (first)
        buf_printf(arg, "|%u:", stream);
    buf_append(arg, data, len);
}

static void add_frame(struct buf *to, uint8_t stream, const char *text)
{
    size_t n = strlen(text);
    unsigned char header[8] = {stream, 0, 0, 0, 0, 0, (unsigned char)(n >> 8), (unsigned char)n};
    buf_append(to, header, sizeof(header));
    buf_puts(to, text);
}

Test(docker_frames, gives_the_same_whatever_the_chunks)
{
    auto_buf struct buf wire = {0};
    add_frame(&wire, 1, "one\n");
    add_frame(&wire, 2, "two ");
    add_frame(&wire, 1, "");
    add_frame(&wire, 3, "daemon");
    for (size_t chunk = 1; chunk <= wire.len; chunk++) {
        auto_buf struct buf out = {0};
        struct docker_frames f;
        docker_frames_init(&f, DOCKER_MODE_FRAMED, record, &out);
        for (size_t at = 0; at < wire.len; at += chunk)
            cr_assert_eq(docker_frames_feed(&f, wire.data + at,
                                            at + chunk > wire.len ? wire.len - at : chunk, NULL),
                         0);
        cr_assert_eq(docker_frames_end(&f, NULL), 0);
        cr_assert_str_eq(buf_str(&out), "|1:one\n|2:two |2:daemon", "chunks of %zu", chunk);
    }
}

Test(docker_frames, passes_a_frame_of_four_gigabytes_on_as_it_comes)
{
    auto_buf struct buf out = {0};
    struct docker_frames f;
    docker_frames_init(&f, DOCKER_MODE_FRAMED, record, &out);
    cr_assert_eq(docker_frames_feed(&f, "\1\0\0\0\xff\xff\xff\xffxyz", 11, NULL), 0);
    cr_assert_str_eq(buf_str(&out), "|1:xyz");
    struct err err = {0};
    cr_assert_eq(docker_frames_end(&f, &err), -1);
    cr_assert_eq(err.kind, ERR_PROTOCOL);
}

Test(docker_frames, refuses_a_wrong_header_for_good)
{
    auto_buf struct buf out = {0};
    struct docker_frames f;
    struct err err = {0};
    docker_frames_init(&f, DOCKER_MODE_FRAMED, record, &out);
    cr_assert_eq(docker_frames_feed(&f, "\1\0\0\0\0\0\0\1aHTTP/1.1", 17, &err), -1);
    cr_assert_eq(err.kind, ERR_PROTOCOL);
    cr_assert_eq(docker_frames_feed(&f, "\1\0\0\0\0\0\0\1b", 9, &err), -1);
    cr_assert_str_eq(buf_str(&out), "|1:a");
}

Test(docker_frames, takes_a_tty_stream_as_it_is)
{
    static const char *const texts[] = {"plain text\r\n", "a", "\1\0\0\0", "\2\0x",
                                        "\1\1\0\0\0\0\0\4more"};
    static const size_t lens[] = {12, 1, 4, 3, 12};
    for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++)
        for (size_t chunk = 1; chunk <= lens[i]; chunk++) {
            auto_buf struct buf out = {0};
            struct docker_frames f;
            docker_frames_init(&f, DOCKER_MODE_DETECT, record, &out);
            for (size_t at = 0; at < lens[i]; at += chunk)
                cr_assert_eq(docker_frames_feed(&f, texts[i] + at,
                                                at + chunk > lens[i] ? lens[i] - at : chunk, NULL),
                             0);
            cr_assert_eq(docker_frames_end(&f, NULL), 0);
            cr_assert_eq(out.len, lens[i] + 3, "text %zu, chunks of %zu", i, chunk);
            cr_assert_eq(memcmp(out.data, "|1:", 3), 0);
            cr_assert_eq(memcmp(out.data + 3, texts[i], lens[i]), 0);
        }
}

Test(docker_frames, detects_frames)
{
    auto_buf struct buf out = {0};
    struct docker_frames f;
    docker_frames_init(&f, DOCKER_MODE_DETECT, record, &out);
    cr_assert_eq(docker_frames_feed(&f, "\2\0\0\0\0\0\0\2hi", 10, NULL), 0);
    cr_assert_eq(docker_frames_end(&f, NULL), 0);
    cr_assert_str_eq(buf_str(&out), "|2:hi");
    cr_assert_eq(f.mode, DOCKER_MODE_FRAMED);
}

Test(docker_frames, an_empty_stream_is_fine)
{
    struct docker_frames f;
    docker_frames_init(&f, DOCKER_MODE_DETECT, record, NULL);
    cr_assert_eq(docker_frames_end(&f, NULL), 0);
    docker_frames_init(&f, DOCKER_MODE_FRAMED, record, NULL);
    cr_assert_eq(docker_frames_end(&f, NULL), 0);
}
