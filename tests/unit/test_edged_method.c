/* Direct methods of the agent: what they take and refuse, what becomes of a log's frames, and what
 * is remembered of background work. */
#include "core/base/str.h"
#include "logs/docker_frames.h"
#include "vm/guest/edged/method_request.h"
#include "vm/guest/edged/method_task.h"
#include "vm/guest/edged/method_text.h"

#include <criterion/criterion.h>
#include <string.h>
#include <zlib.h>

#define NOW  1700000000ULL
#define HEAD "{\"schemaVersion\":\"1.0\","

static int parse(const char *text, bool upload, struct method_request *r, struct err *err)
{
    auto_json cJSON *json = json_parse(text, strlen(text), NULL);
    return method_request_parse(json, upload, NOW, r, err);
}

static void accept(const char *text, struct method_request *r)
{
    struct err err = {0};
    cr_assert_eq(parse(text, false, r, &err), 0, "%s", err.msg);
}

Test(method_request, takes_everything)
{
    struct method_request r;
    accept(HEAD "\"items\":[{\"id\":\"Temp|edge.*\",\"filter\":{\"tail\":10,\"since\":\"2 hours\","
                "\"until\":\"2023-11-14T22:00:00Z\",\"loglevel\":3,\"regex\":\"x+\"}},{\"id\":"
                "\"all\"}],\"encoding\":\"GZIP\",\"contentType\":\"Json\"}",
           &r);
    cr_assert_eq(r.n, 2);
    cr_assert(r.gzip && r.json);
    const struct method_item *item = method_request_find(&r, "mytempsensor");
    cr_assert_eq(item, &r.items[0], "an id is a pattern, not anchored, in any case");
    cr_assert_eq(item->query.tail, 10);
    cr_assert_eq(item->query.since_s, NOW - 7200);
    cr_assert_eq(item->query.until_s, 1699999200);
    cr_assert_eq(item->level, 3);
    cr_assert(filter_passes(item->pattern, "axxb", 4));
    cr_assert_eq(method_request_find(&r, "other"), &r.items[1]);
    method_request_done(&r);
}

Test(method_request, takes_one_item_without_an_array_and_names_in_any_case)
{
    struct method_request r;
    accept("{\"SchemaVersion\":\"1.1\",\"Items\":{\"Id\":\"^one$\",\"Filter\":{\"Tail\":\"3\","
           "\"since\":1600000000}}}",
           &r);
    cr_assert_eq(r.n, 1);
    cr_assert_not(r.gzip);
    cr_assert_not(r.json);
    cr_assert_not_null(method_request_find(&r, "One"));
    cr_assert_null(method_request_find(&r, "oneself"));
    cr_assert_eq(r.items[0].query.tail, 3);
    cr_assert_eq(r.items[0].query.since_s, 1600000000);
    cr_assert_eq(r.items[0].level, METHOD_LEVEL_ANY);
    method_request_done(&r);
}

Test(method_request, refuses_and_names_the_member)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "must be a JSON object"},
        {"[]", "must be a JSON object"},
        {"{\"items\":[{\"id\":\"all\"}]}", "schemaVersion"},
        {"{\"schemaVersion\":\"2.0\",\"items\":[{\"id\":\"all\"}]}", "schemaVersion \"2.0\""},
        {"{\"schemaVersion\":\"10\",\"items\":[{\"id\":\"all\"}]}", "schemaVersion \"10\""},
        {HEAD "\"x\":1}", "items is missing"},
        {HEAD "\"items\":[]}", "items is missing"},
        {HEAD "\"items\":[{}]}", "items[0]: id is missing"},
        {HEAD "\"items\":[{\"id\":\"all\"},7]}", "items[1]: must be an object"},
        {HEAD "\"items\":[{\"id\":\"(\"}]}", "items[0]: id: the pattern"},
        {HEAD "\"items\":[{\"id\":\"all\",\"filter\":{\"regex\":\"[\"}}]}", "filter.regex"},
        {HEAD "\"items\":[{\"id\":\"all\",\"filter\":{\"tail\":-1}}]}", "filter.tail"},
        {HEAD "\"items\":[{\"id\":\"all\",\"filter\":{\"loglevel\":8}}]}", "filter.loglevel"},
        {HEAD "\"items\":[{\"id\":\"all\",\"filter\":{\"since\":\"soon\"}}]}", "filter.since"},
        {HEAD "\"items\":[{\"id\":\"all\"}],\"encoding\":\"zip\"}", "encoding must be none or"},
        {HEAD "\"items\":[{\"id\":\"all\"}],\"contentType\":\"xml\"}", "contentType must be"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct method_request r;
        struct err err = {0};
        cr_assert_lt(parse(cases[i].text, false, &r, &err), 0, "accepted: %s", cases[i].text);
        cr_expect_eq(err.kind, ERR_INVALID);
        cr_expect(strstr(err.msg, cases[i].message), "\"%s\" does not say \"%s\"", err.msg,
                  cases[i].message);
    }
}

Test(method_request, wants_an_address_with_a_signature_and_keeps_it_out_of_errors)
{
    static const char *const bad[] = {
        "",
        "\"sasUrl\":\"http://a.blob.core.windows.net/c?sig=secret\",",
        "\"sasUrl\":\"https://a.blob.core.windows.net/c\",",
        "\"sasUrl\":\"https://a/c?sig=secret\\r\\nX: y\",",
    };
    struct method_request r;
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char text[300];
        (void)str_format(text, sizeof(text), HEAD "%s\"items\":[{\"id\":\"all\"}]}", bad[i]);
        cr_assert_lt(parse(text, true, &r, &err), 0, "accepted: %s", text);
        cr_expect(strstr(err.msg, "sasUrl"));
        cr_expect_null(strstr(err.msg, "secret"));
    }
    cr_assert_eq(
        parse(HEAD "\"sasUrl\":\"https://a/c?sig=s\",\"items\":{\"id\":\"all\"}}", true, &r, &err),
        0, "%s", err.msg);
    cr_assert_str_eq(r.url, "https://a/c?sig=s");
    method_request_done(&r);
}

/* ------------------------------------------------------------------------------- text */

static void put_frame(struct buf *out, char stream, const char *text, size_t len)
{
    const char head[8] = {stream, 0, 0, 0, 0, 0, (char)(len >> 8), (char)len};
    buf_append(out, head, sizeof(head));
    buf_append(out, text, len);
}

/* In pieces of every size, since a stream may be cut anywhere. */
static char *render(const struct method_item *item, bool json, bool gzip, const struct buf *in)
{
    char *first = NULL;
    for (size_t piece = 1; piece <= in->len; piece += 1 + piece / 2) {
        struct docker_frames frames;
        struct method_text *t = method_text_new(&(struct method_text_options){
            .item = item, .gzip = gzip, .json = json, .hub = "h", .device = "d", .module = "m"});
        docker_frames_init(&frames, DOCKER_MODE_DETECT, method_text_feed, t);
        for (size_t at = 0; at < in->len; at += piece) {
            size_t n = in->len - at < piece ? in->len - at : piece;
            cr_assert_eq(docker_frames_feed(&frames, in->data + at, n, NULL), 0);
        }
        method_text_end(t);
        if (gzip) {
            unsigned char text[4096];
            z_stream zip = {0};
            struct buf *out = method_text_out(t);
            cr_assert_eq(inflateInit2(&zip, 15 + 16), Z_OK);
            zip.next_in = (unsigned char *)out->data;
            zip.avail_in = (unsigned)out->len;
            zip.next_out = text;
            zip.avail_out = sizeof(text);
            cr_assert_eq(inflate(&zip, Z_FINISH), Z_STREAM_END);
            buf_clear(out);
            buf_append(out, text, zip.total_out);
            (void)inflateEnd(&zip);
        }
        char *text = buf_steal(method_text_out(t));
        method_text_free(t);
        if (first)
            cr_assert_str_eq(text, first, "in pieces of %zu", piece);
        first ? free(text) : (void)(first = text);
    }
    return first;
}

static const struct method_item everything = {.level = METHOD_LEVEL_ANY};

Test(method_text, tells_lines_of_both_streams)
{
    auto_buf struct buf in = {0};
    put_frame(&in, 1, "one\r\n", 5);
    put_frame(&in, 1, "tw", 2);
    put_frame(&in, 2, "<3> err\n", 8);
    put_frame(&in, 1, "o\nbad \xff\0\n", 9);
    put_frame(&in, 1, "open", 4);
    auto_free char *plain = render(&everything, false, false, &in);
    auto_free char *zipped = render(&everything, false, true, &in);
    cr_assert_str_eq(plain, "one\n<3> err\ntwo\nbad \xef\xbf\xbd\xef\xbf\xbd\nopen\n");
    cr_assert_str_eq(zipped, plain);
}

Test(method_text, tells_json_with_the_engines_time)
{
    auto_buf struct buf in = {0};
    put_frame(&in, 2, "2026-11-21T14:00:00.000000001Z <4> \"x\"\n", 40);
    put_frame(&in, 1, "2026-11-21T14:00:01Z y\n", 23);
    auto_free char *text = render(&everything, true, false, &in);
    cr_assert_str_eq(
        text,
        "[{\"iothub\":\"h\",\"device\":\"d\",\"id\":\"m\",\"stream\":\"stderr\",\"loglevel\":4,"
        "\"text\":\"\\\"x\\\"\",\"timestamp\":\"2026-11-21T14:00:00.000000001Z\"},"
        "{\"iothub\":\"h\",\"device\":\"d\",\"id\":\"m\",\"stream\":\"stdout\",\"loglevel\":6,"
        "\"text\":\"y\",\"timestamp\":\"2026-11-21T14:00:01Z\"}]");
    auto_free char *zipped = render(&everything, true, true, &in);
    cr_assert_str_eq(zipped, text);
}

Test(method_text, filters_by_level_as_equal_and_by_pattern)
{
    struct method_request r;
    auto_buf struct buf in = {0};
    put_frame(&in, 1, "<3> a\n<4> b\nplain a\n<2> a\n", 26);
    accept(HEAD "\"items\":{\"id\":\"all\",\"filter\":{\"loglevel\":3}}}", &r);
    auto_free char *level = render(&r.items[0], false, false, &in);
    cr_assert_str_eq(level, "<3> a\n");
    method_request_done(&r);
    accept(HEAD "\"items\":{\"id\":\"all\",\"filter\":{\"loglevel\":6,\"regex\":\"a$\"}}}", &r);
    auto_free char *both = render(&r.items[0], false, false, &in);
    cr_assert_str_eq(both, "plain a\n");
    method_request_done(&r);
    accept(HEAD "\"items\":{\"id\":\"all\",\"filter\":{\"regex\":\"nothing\"}}}", &r);
    auto_free char *none = render(&r.items[0], true, false, &in);
    cr_assert_str_eq(none, "[]");
    method_request_done(&r);
}

Test(method_text, cuts_a_line_without_end)
{
    char piece[1024];
    memset(piece, 'x', sizeof(piece));
    struct method_text *t = method_text_new(&(struct method_text_options){.item = &everything});
    for (int i = 0; i < 200; i++)
        method_text_feed(t, 1, i == 0, piece, sizeof(piece));
    method_text_end(t);
    const struct buf *out = method_text_out(t);
    cr_assert_eq(out->len, 200 * sizeof(piece) + 4, "%zu", out->len); /* 64 + 64 + 64 + 8 KiB */
    method_text_free(t);
}

/* ------------------------------------------------------------------------------- tasks */

static bool says(const struct method_tasks *t, const char *id, const char *status)
{
    auto_json cJSON *json = method_task_json(method_task_find(t, id), id);
    return str_eq(json_str(json, "status", ""), status) &&
           str_eq(json_str(json, "correlationId", ""), id);
}

Test(method_task, remembers_how_it_ended_and_forgets_the_oldest)
{
    static struct method_tasks t;
    char first[UUID_SIZE], second[UUID_SIZE];
    STR_SET(first, method_task_begin(&t)->id);
    STR_SET(second, method_task_begin(&t)->id);
    cr_assert_eq(strlen(first), 36);
    cr_assert_str_neq(first, second);
    cr_assert(says(&t, first, "Running"));
    method_task_end(&t, first, "");
    method_task_end(&t, second, "no room");
    cr_assert(says(&t, first, "Completed"));
    cr_assert(says(&t, second, "Failed"));
    cr_assert_str_eq(method_task_find(&t, second)->message, "no room");
    cr_assert(says(&t, "", "Unknown"));
    for (int i = 0; i < METHOD_TASKS_MAX - 1; i++)
        (void)method_task_begin(&t);
    cr_assert(says(&t, first, "Unknown"));
    cr_assert(says(&t, second, "Failed"));
    method_task_end(&t, first, "late");
}
