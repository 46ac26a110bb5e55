/* How many log lines a second the pure part of the path takes: Docker frames -> lines -> ring ->
 * filter, beside a peer: memchr over the same bytes, which is the least that any splitter must do.
 * Best of five runs each, in turns. */
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "logs/docker_frames.h"
#include "logs/filter.h"
#include "logs/line_ring.h"
#include "logs/line_split.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINES 200000
#define RUNS  5
#define CHUNK 32768

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_stream(struct buf *to)
{
    for (int i = 0; i < LINES; i++) {
        char line[200];
        int n = snprintf(line, sizeof(line),
                         "2026-11-21T14:31:02.%09dZ "
                         "{\"seq\":%d,\"at\":\"2026-11-21T14:31:02.118Z\",\"temperature\":21.4,"
                         "\"humidity\":48.2,\"level\":\"info\"}\n",
                         i % 1000000000, i);
        unsigned char header[8] = {1, 0, 0, 0, 0, 0, (unsigned char)(n >> 8), (unsigned char)n};
        buf_append(to, header, sizeof(header));
        buf_append(to, line, (size_t)n);
    }
}

struct sink {
    struct line_ring *ring;
    struct filter *filter;
    uint64_t passed;
};

static void take(void *arg, const struct log_entry *entry)
{
    struct sink *sink = arg;
    if (sink->ring)
        (void)line_ring_push(sink->ring, entry);
    if (sink->filter)
        sink->passed += filter_passes(sink->filter, entry->text, entry->len);
}

static double run(const struct buf *stream, struct sink *sink)
{
    struct line_split_options options = {.timestamps = true};
    auto_line_split struct line_split *split = line_split_new(&options, take, sink);
    struct docker_frames frames;
    double begin = now();
    docker_frames_init(&frames, DOCKER_MODE_FRAMED, line_split_feed, split);
    for (size_t at = 0; at < stream->len; at += CHUNK)
        if (docker_frames_feed(&frames, stream->data + at,
                               at + CHUNK > stream->len ? stream->len - at : CHUNK, NULL) < 0)
            abort();
    return now() - begin;
}

static double run_peer(const struct buf *stream, uint64_t *lines)
{
    double begin = now();
    const char *end = stream->data + stream->len;
    for (const char *at = stream->data; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        ++*lines;
    return now() - begin;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

int main(void)
{
    auto_buf struct buf stream = {0};
    auto_line_ring struct line_ring *ring = line_ring_new(100000, 16U << 20);
    auto_filter struct filter *filter =
        filter_new(&(struct filter_options){.show = "temp.*2[0-9]\\.", .hide = "error|fail"}, NULL);
    double split = 1e9;
    double whole = 1e9;
    double peer = 1e9;
    uint64_t lines = 0;
    make_stream(&stream);
    for (int i = 0; i < RUNS; i++) {
        line_ring_clear(ring);
        split = least(split, run(&stream, &(struct sink){0}));
        peer = least(peer, run_peer(&stream, &lines));
        whole = least(whole, run(&stream, &(struct sink){.ring = ring, .filter = filter}));
    }
    (void)printf(
        "log frames and lines            %8.0f lines/s  (%.0f MB/s; bare memchr %.0f MB/s)\n",
        LINES / split, (double)stream.len / split / 1e6, (double)stream.len / peer / 1e6);
    (void)printf("  with ring and two patterns    %8.0f lines/s\n", LINES / whole);
    return lines ? 0 : 1;
}
