/* Log bytes to lines: chunking, time stamps, monsters, hostile bytes. */
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "logs/docker_frames.h"
#include "logs/line_split.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <malloc.h>
#include <string.h>

/* One line of text per entry: "seq stream time cut text". */
static void record(void *arg, const struct log_entry *e)
{
    char at[CLOCK_TEXT_MAX];
    cr_assert_eq(strlen(e->text), e->len);
    cr_assert_leq(e->len, (size_t)LINE_SPLIT_KEEP);
    clock_format(at, sizeof(at), e->at_ms);
    buf_printf(arg, "%" PRIu64 " %u %s%s[%s]\n", e->seq, e->stream, at, e->cut ? " cut " : "",
               e->text);
}

static void feed(struct line_split *s, const char *data, size_t len, size_t chunk)
{
    for (size_t at = 0; at < len; at += chunk)
        line_split_feed(s, 1, false, data + at, at + chunk > len ? len - at : chunk);
}

/* Splits TEXT in every chunk size up to 64 and asserts that all give WANTED. */
static void check(bool timestamps, const char *text, size_t len, const char *wanted)
{
    struct line_split_options options = {.timestamps = timestamps};
    for (size_t chunk = 1; chunk <= 64; chunk++) {
        auto_buf struct buf out = {0};
        auto_line_split struct line_split *s = line_split_new(&options, record, &out);
        feed(s, text, len, chunk);
        line_split_end(s);
        cr_assert_str_eq(buf_str(&out), wanted, "chunks of %zu gave %s", chunk, buf_str(&out));
    }
}
#define CHECK(timestamps, text, wanted) check(timestamps, text, sizeof(text) - 1, wanted)

Test(line_split, gives_lines_whatever_the_chunks)
{
    CHECK(false, "one\ntwo\r\n\nthree", "1 1 [one]\n2 1 [two]\n3 1 []\n4 1 [three]\n");
    CHECK(false, "a\rb\r\r\n", "1 1 [a^Mb^M]\n");
    CHECK(false, "", "");
    CHECK(false, "\n", "1 1 []\n");
}

Test(line_split, takes_the_time_off)
{
    CHECK(true, "2026-11-21T14:31:02.118123456Z hello world\n",
          "1 1 2026-11-21T14:31:02.118Z[hello world]\n");
    CHECK(true, "2026-11-21T15:31:02.118+01:00 a\n", "1 1 2026-11-21T14:31:02.118Z[a]\n");
    CHECK(true, "2026-11-21T14:31:02Z \n2026-11-21T14:31:03Z\r\nx",
          "1 1 2026-11-21T14:31:02.000Z[]\n2 1 [2026-11-21T14:31:03Z]\n3 1 [x]\n");
    CHECK(true, "no time here\n", "1 1 [no time here]\n");
    CHECK(true, "2026-99-21T14:31:02Z x\n", "1 1 [2026-99-21T14:31:02Z x]\n");
    CHECK(true, "a-very-long-first-word-that-is-longer-than-any-time-can-be x\n",
          "1 1 [a-very-long-first-word-that-is-longer-than-any-time-can-be x]\n");
    CHECK(false, "2026-11-21T14:31:02Z x\n", "1 1 [2026-11-21T14:31:02Z x]\n");
}

Test(line_split, makes_hostile_bytes_harmless)
{
    CHECK(false, "\x1b[2J\x1b]0;own\x07\0end\xff\n", "1 1 [^[[2J^[]0;own^G^@end\\xff]\n");
    CHECK(true, "2026-11-21T14:31:02\0Z x\n", "1 1 [2026-11-21T14:31:02^@Z x]\n");
}

Test(line_split, keeps_the_streams_apart)
{
    auto_buf struct buf out = {0};
    auto_line_split struct line_split *s = line_split_new(NULL, record, &out);
    line_split_feed(s, 1, true, "out ", 4);
    line_split_feed(s, 2, true, "err\n", 4);
    line_split_feed(s, 1, true, "put\n", 4);
    line_split_feed(s, 0, true, "in", 2);
    line_split_end(s);
    cr_assert_str_eq(buf_str(&out), "1 2 [err]\n2 1 [out put]\n3 0 [in]\n");
}

Test(line_split, takes_the_time_off_each_piece_of_a_long_line)
{
    struct line_split_options options = {.timestamps = true};
    auto_buf struct buf out = {0};
    auto_line_split struct line_split *s = line_split_new(&options, record, &out);
    static const char *const pieces[] = {
        "2026-11-21T14:31:02Z begin ", "2026-11-21T14:31:03Z middle", "2026-11-21T14:31:04Z  end\n",
        "word", "2026-11-21T14:31:05Z more\n"};
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        for (size_t k = 0; k < strlen(pieces[i]); k++)
            line_split_feed(s, 1, k == 0, pieces[i] + k, 1);
    cr_assert_str_eq(
        buf_str(&out),
        "1 1 2026-11-21T14:31:02.000Z[begin middle end]\n2 1 2026-11-21T14:31:05.000Z[wordmore]\n");
}

Test(line_split, a_ten_megabyte_line_costs_no_memory)
{
    auto_buf struct buf out = {0};
    auto_line_split struct line_split *s = line_split_new(NULL, record, &out);
    char *megabyte = xmalloc(1 << 20);
    memset(megabyte, 'x', 1 << 20);
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 10; i++)
        line_split_feed(s, 1, false, megabyte, 1 << 20);
    size_t after = mallinfo2().uordblks;
    cr_assert_leq(after - before, (size_t)64 << 10);
    cr_assert_eq(out.len, 0);
    line_split_feed(s, 1, false, "\nnext\n", 6);
    cr_assert(str_starts(buf_str(&out), "1 1  cut [xxx"));
    cr_assert(str_ends(buf_str(&out), "x]\n2 1 [next]\n"));
    cr_assert_leq(out.len, (size_t)LINE_SPLIT_KEEP + 64);
    free(megabyte);
}

Test(line_split, bounds_the_text_where_escapes_make_it_longer)
{
    auto_buf struct buf out = {0};
    auto_line_split struct line_split *s = line_split_new(NULL, record, &out);
    char line[LINE_SPLIT_KEEP];
    memset(line, 0xff, sizeof(line)); /* each becomes four bytes */
    line_split_feed(s, 1, false, line, sizeof(line));
    line_split_feed(s, 1, false, "\n", 1);
    cr_assert(str_starts(buf_str(&out), "1 1  cut [\\xff"));
    cr_assert(str_ends(buf_str(&out), "\\xff]\n"));
}

Test(line_split, never_cuts_inside_a_character)
{
    auto_buf struct buf out = {0};
    auto_buf struct buf text = {0};
    auto_line_split struct line_split *s = line_split_new(NULL, record, &out);
    buf_putc(&text, 'a');
    while (text.len < LINE_SPLIT_KEEP + 100)
        buf_puts(&text, "€");
    line_split_feed(s, 1, false, text.data, text.len);
    line_split_end(s);
    cr_assert(str_ends(buf_str(&out), "€]\n"));
    cr_assert_null(strstr(buf_str(&out), "\\x"));
}

Test(line_split, exactly_what_is_kept_is_not_cut)
{
    auto_buf struct buf out = {0};
    auto_line_split struct line_split *s = line_split_new(NULL, record, &out);
    char line[LINE_SPLIT_KEEP];
    memset(line, 'y', sizeof(line));
    line_split_feed(s, 1, false, line, sizeof(line));
    line_split_feed(s, 1, false, "\r\n", 2);
    cr_assert(str_starts(buf_str(&out), "1 1 [yyy"));
}

Test(line_split, works_behind_docker_frames)
{
    auto_buf struct buf out = {0};
    auto_line_split struct line_split *s = line_split_new(NULL, record, &out);
    struct docker_frames f;
    docker_frames_init(&f, DOCKER_MODE_FRAMED, line_split_feed, s);
    cr_assert_eq(docker_frames_feed(
                     &f, "\1\0\0\0\0\0\0\3a\nb\2\0\0\0\0\0\0\2e\n\1\0\0\0\0\0\0\2c\n", 31, NULL),
                 0);
    cr_assert_str_eq(buf_str(&out), "1 1 [a]\n2 2 [e]\n3 1 [bc]\n");
}
