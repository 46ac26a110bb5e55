/* See query_run.h. A walk makes JSON only of the parts of a twin that the condition looks at, and
 * of what a row needs where it is true. */
#include "vm/guest/hub/query_run.h"

#include "core/base/str.h"
#include "core/io/base64.h"
#include "core/io/digest.h"
#include "vm/guest/hub/store_config.h"
#include "vm/guest/hub/twins.h"

#include <inttypes.h>
#include <string.h>

#define TOKEN_MAX      600
#define PAGE_BYTES_MAX (4U << 20)

struct run {
    struct hub *hub;
    const struct query *q;
    /* A match; false ends the walk. */
    bool (*match)(struct run *r, const struct identity *id, const cJSON *twin);
    bool rows_needed; /* MATCH looks at more than the condition does */
    struct query_cursor *cursor;
    struct query_groups *groups;
    cJSON *rows;
    size_t max;
    size_t bytes; /* of ROWS, as text */
    uint64_t count;
    bool more;
    void (*fn)(void *arg, const struct identity *id);
    void *arg;
    struct err err;
    bool failed;
};

static bool on_twin(void *arg, const struct identity *id, const struct twin_row *t)
{
    struct run *r = arg;
    unsigned first = query_condition_parts(r->q), parts = first | query_row_parts(r->q);
    auto_json cJSON *twin = NULL;
    auto_json cJSON *whole = NULL;

    r->failed = twins_document(r->hub, id, t, first, &twin, &r->err) < 0;
    if (r->failed)
        return false;
    if (!query_matches(r->q, twin))
        return true;
    if (!r->rows_needed || parts == first)
        return r->match(r, id, twin);
    r->failed = twins_document(r->hub, id, t, parts, &whole, &r->err) < 0;
    return !r->failed && r->match(r, id, whole);
}

static int walk(struct run *r, const char *hub_key, const char *device, const char *module,
                struct err *err)
{
    struct twin_walk where = {
        .hub = hub_key,
        .modules = query_over_modules(r->q),
        .after_device = device,
        .after_module = module,
    };

    if (store_twin_each(r->hub->store, &where, on_twin, r, err) < 0)
        return -1;
    return r->failed ? err_set(err, r->err.kind, "%s", r->err.msg) : 0;
}

/* ---- pages ---- */

static bool add_row(struct run *r, const struct identity *id, const cJSON *twin)
{
    auto_buf struct buf text = {0};
    cJSON *row;

    if (r->cursor->given == query_top(r->q))
        return false;
    if (r->max == 0 || r->bytes > PAGE_BYTES_MAX) {
        r->more = true;
        return false;
    }
    row = query_row(r->q, twin);
    json_push(r->rows, row);
    json_print(&text, row);
    r->bytes += text.len;
    STR_SET(r->cursor->device, id->device);
    STR_SET(r->cursor->module, id->module);
    r->cursor->given++;
    r->max--;
    return true;
}

static bool add_to_group(struct run *r, const struct identity *id, const cJSON *twin)
{
    (void)id;
    r->failed = query_groups_add(r->groups, twin, &r->err) < 0;
    return !r->failed;
}

/* All twins make the groups, whichever page is asked for. */
static int grouped_page(struct run *r, const char *hub_key, cJSON **ret, bool *ret_more,
                        struct err *err)
{
    auto_query_groups struct query_groups *groups = query_groups_new(r->q);
    uint64_t total;
    size_t left;

    r->groups = groups;
    r->match = add_to_group;
    r->rows_needed = true;
    if (walk(r, hub_key, "", "", err) < 0)
        return -1;
    total = query_groups_count(groups);
    if (total > query_top(r->q))
        total = query_top(r->q);
    left = r->cursor->given < total ? (size_t)(total - r->cursor->given) : 0;
    if (left > r->max)
        left = r->max;
    *ret = query_groups_rows(groups, (size_t)r->cursor->given, left);
    r->cursor->given += left;
    *ret_more = r->cursor->given < total;
    return 0;
}

int query_page(struct hub *hub, const char *hub_key, const struct query *q,
               struct query_cursor *cursor, size_t max, cJSON **ret, bool *ret_more,
               struct err *err)
{
    auto_json cJSON *rows = NULL;
    struct query_cursor from = *cursor;
    struct run r = {
        .hub = hub, .q = q, .match = add_row, .rows_needed = true, .cursor = cursor, .max = max};

    if (query_is_grouped(q))
        return grouped_page(&r, hub_key, ret, ret_more, err);
    r.rows = rows = cJSON_CreateArray();
    if (walk(&r, hub_key, from.device, from.module, err) < 0)
        return -1;
    *ret = steal(rows);
    *ret_more = r.more;
    return 0;
}

/* ---- all ---- */

static bool count_one(struct run *r, const struct identity *id, const cJSON *twin)
{
    (void)id;
    (void)twin;
    return ++r->count < query_top(r->q);
}

int query_count(struct hub *hub, const char *hub_key, const struct query *q, uint64_t *ret,
                struct err *err)
{
    struct query_cursor cursor = {0};
    struct run r = {.hub = hub, .q = q, .match = count_one, .cursor = &cursor, .max = SIZE_MAX};
    auto_json cJSON *rows = NULL;
    bool more;

    if (query_is_grouped(q)) {
        if (grouped_page(&r, hub_key, &rows, &more, err) < 0)
            return -1;
        *ret = cursor.given;
        return 0;
    }
    if (walk(&r, hub_key, "", "", err) < 0)
        return -1;
    *ret = r.count;
    return 0;
}

static bool call(struct run *r, const struct identity *id, const cJSON *twin)
{
    (void)twin;
    r->fn(r->arg, id);
    return true;
}

int query_each(struct hub *hub, const char *hub_key, const struct query *q,
               void (*fn)(void *arg, const struct identity *id), void *arg, struct err *err)
{
    struct run r = {.hub = hub, .q = q, .match = call, .fn = fn, .arg = arg};

    return walk(&r, hub_key, "", "", err);
}

/* ---- cursors ---- */

/* "DIGITS GIVEN DEVICE MODULE" in base64; the digits tell the query. Names have no spaces. */
static void fingerprint(const char *text, char to[DIGEST_HEX_SIZE])
{
    digest_sha256(text, strlen(text), to);
    to[16] = '\0';
}

void query_cursor_write(const struct query_cursor *cursor, const char *text, struct buf *out)
{
    auto_buf struct buf plain = {0};
    char digits[DIGEST_HEX_SIZE];

    fingerprint(text, digits);
    buf_printf(&plain, "%s %" PRIu64 " %s %s", digits, cursor->given, cursor->device,
               cursor->module);
    base64_encode(plain.data, plain.len, out);
}

/* The next word of *AT, cut off in place; "" at the end. */
static const char *next_word(char **at)
{
    char *word = *at;
    size_t len = strcspn(word, " ");

    *at = word + len + (word[len] == ' ');
    word[len] = '\0';
    return word;
}

int query_cursor_read(const char *token, const char *text, struct query_cursor *ret,
                      struct err *err)
{
    auto_buf struct buf plain = {0};
    struct query_cursor cursor = {0};
    char digits[DIGEST_HEX_SIZE];
    bool ok = strlen(token) <= TOKEN_MAX &&
              base64_decode(token, strlen(token), &plain, NULL) == 0 && plain.len > 0 &&
              strlen(plain.data) == plain.len;
    char *at = plain.data;

    fingerprint(text, digits);
    ok = ok && str_eq(next_word(&at), digits) &&
         str_to_u64(next_word(&at), UINT64_MAX, &cursor.given) &&
         str_copy(cursor.device, sizeof(cursor.device), next_word(&at)) &&
         str_copy(cursor.module, sizeof(cursor.module), next_word(&at));
    if (!ok)
        return err_set(err, ERR_INVALID, "x-ms-continuation: is not one of this query");
    *ret = cursor;
    return 0;
}
