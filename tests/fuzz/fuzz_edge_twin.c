/* The twin of a client of the edge hub: each line is what the cloud (t: the twin, d: a change of
 * the desired properties) or the client (r: a report, u: one while another is under way) says, or
 * a call that was answered (s). What is shown can always be read again, and waits for the cloud in
 * a few patches. */
#include "core/base/json.h"
#include "vm/guest/hub/edge_twin.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct edge_twin_row *row)
{
    auto_buf struct buf text = {0};

    edge_twin_show(row, &text);

    auto_json cJSON *twin = json_parse(text.data, text.len, NULL);
    auto_json cJSON *pending =
        row->pending.len > 0 ? json_parse(row->pending.data, row->pending.len, NULL) : NULL;

    assert(json_get(json_get(twin, "desired"), "$version"));
    assert(json_get(json_get(twin, "reported"), "$version"));
    assert(row->pending.len == 0 || (cJSON_IsArray(pending) && pending->child));
    assert(cJSON_GetArraySize(pending) <= 3);
}

static void say(struct edge_twin_row *row, char what, const char *text, size_t len)
{
    auto_buf struct buf out = {0};
    struct err err = {0};

    if (what == 't' && edge_twin_set(row, text, len, &out, &err) < 0)
        assert(err.msg[0] && out.len == 0);
    if (what == 'd')
        (void)edge_twin_desired(row, row->desired_version + 1, text, len);
    if ((what == 'r' || what == 'u') &&
        edge_twin_report(row, text, len, NULL, what == 'u', &err) < 0)
        assert(err.msg[0]);
    if (what == 's' && edge_twin_pending(row, &out))
        edge_twin_settle(row, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct edge_twin_row row = {0};
    const char *at = (const char *)data, *end = at + size;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));

        stop = stop ? stop : end;
        if (stop > at)
            say(&row, at[0], at + 1, (size_t)(stop - at - 1));
        check(&row);
        at = stop + 1;
    }
    edge_twin_row_done(&row);
    return 0;
}
