/* See rest.h: queries over twins, page by page. */
#include "core/base/str.h"
#include "vm/guest/hub/query_run.h"
#include "vm/guest/hub/rest.h"

#define PAGE_MAX 100

/* Who asks for more gets what a page holds. */
static int read_page_size(const struct rest *r, uint64_t *ret, struct err *err)
{
    const char *text = http_exchange_header(r->x, "x-ms-max-item-count");
    uint64_t size = PAGE_MAX;

    if (text && (!str_to_u64(text, UINT32_MAX, &size) || size == 0))
        return err_set(err, ERR_INVALID, "x-ms-max-item-count: must be 1 to %d", PAGE_MAX);
    *ret = size < PAGE_MAX ? size : PAGE_MAX;
    return 0;
}

static int run(struct rest *r, cJSON **ret, struct err *err)
{
    const char *token = http_exchange_header(r->x, "x-ms-continuation");
    auto_query struct query *q = NULL;
    auto_buf struct buf next = {0};
    struct query_cursor cursor = {0};
    const char *text = NULL;
    uint64_t max = 0;
    bool more = false;

    if (json_need_str(r->body, "query", &text, err) < 0 || read_page_size(r, &max, err) < 0 ||
        query_parse(text, &q, err) < 0 ||
        (token && token[0] && query_cursor_read(token, text, &cursor, err) < 0) ||
        query_page(r->hub, rest_hub_key(r), q, &cursor, max, ret, &more, err) < 0)
        return -1;
    http_reply_header(r->x, "x-ms-item-type", query_is_raw(q) ? "raw" : "twin");
    if (more) {
        query_cursor_write(&cursor, text, &next);
        http_reply_header(r->x, "x-ms-continuation", next.data);
    }
    return 0;
}

static void query_run(struct rest *r)
{
    auto_json cJSON *rows = NULL;
    struct err err = {0};

    if (run(r, &rows, &err) < 0)
        rest_fail(r, &err);
    else
        rest_reply_json(r->x, 200, rows);
}

static const struct rest_route routes[] = {
    {"POST", "devices/query", RIGHT_SERVICE | RIGHT_REGISTRY_READ, true, query_run},
};

const struct rest_table rest_queries = {
    .routes = routes, .n = ARRAY_LEN(routes), .fail = rest_fail};
