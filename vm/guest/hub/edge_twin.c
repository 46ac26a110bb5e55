/* See edge_twin.h. As in the cloud's role, a twin is parsed, changed and printed again each time:
 * nothing but the store knows it. */
#include "vm/guest/hub/edge_twin.h"

#include "core/base/str.h"
#include "vm/guest/hub/edge_patches.h"
#include "vm/guest/hub/twin_json.h"

#define PENDING_MAX (2 * TWIN_SECTION_MAX) /* a hub takes no more at once */
#define VERSION_MAX (1ULL << 53)

/* Text that this program wrote itself; OTHERWISE where there is none. */
static cJSON *parse_own(const struct buf *text, cJSON *(*otherwise)(void))
{
    cJSON *value = text->len > 0 ? json_parse(text->data, text->len, NULL) : NULL;

    return value ? value : otherwise();
}

static void print_over(struct buf *text, const cJSON *value)
{
    buf_clear(text);
    json_print(text, value);
}

bool edge_twin_known(const struct edge_twin_row *row)
{
    return row->desired.len > 0;
}

/* ---- for the client ---- */

cJSON *edge_twin_show_desired(const struct edge_twin_row *row)
{
    cJSON *desired = parse_own(&row->desired, cJSON_CreateObject);

    json_add_u64(desired, "$version", row->desired_version);
    return desired;
}

void edge_twin_show(const struct edge_twin_row *row, struct buf *out)
{
    auto_json cJSON *both = cJSON_CreateObject();
    cJSON *reported = parse_own(&row->reported, cJSON_CreateObject);

    json_add_u64(reported, "$version", row->reported_version);
    json_add(both, "desired", edge_twin_show_desired(row));
    json_add(both, "reported", reported);
    json_print(out, both);
}

/* ---- reports ---- */

static int keep_pending(struct edge_twin_row *row, const cJSON *patch, bool under_way,
                        struct err *err)
{
    auto_json cJSON *pending = parse_own(&row->pending, cJSON_CreateArray);

    edge_patches_add(pending, patch, under_way ? 1 : 0);
    if (twin_json_size(pending) > PENDING_MAX)
        return err_set(err, ERR_NO_SPACE,
                       "more reported properties changed than can wait for the cloud");
    if (pending->child)
        print_over(&row->pending, pending);
    return 0;
}

int edge_twin_report(struct edge_twin_row *row, const char *text, size_t len, const uint64_t *base,
                     bool under_way, struct err *err)
{
    auto_json cJSON *patch = json_parse(text, len, err);
    auto_json cJSON *reported = parse_own(&row->reported, cJSON_CreateObject);

    if (!patch)
        return err_set(err, ERR_INVALID, "reported: not valid JSON");
    if (twin_json_check_patch(patch, TWIN_SECTION_MAX, "reported", err) < 0)
        return -1;
    if (base && *base != row->reported_version)
        return err_set(err, ERR_BUSY, "the reported properties are at another version");
    twin_json_merge(reported, patch);
    if (twin_json_check_size(reported, TWIN_SECTION_MAX, "reported", err) < 0 ||
        keep_pending(row, patch, under_way, err) < 0)
        return -1;
    print_over(&row->reported, reported);
    row->reported_version++;
    return 0;
}

bool edge_twin_pending(const struct edge_twin_row *row, struct buf *out)
{
    auto_json cJSON *pending = parse_own(&row->pending, cJSON_CreateArray);

    if (!pending->child)
        return false;
    json_print(out, pending->child);
    return true;
}

void edge_twin_settle(struct edge_twin_row *row, const struct buf *patch)
{
    auto_json cJSON *pending = parse_own(&row->pending, cJSON_CreateArray);
    auto_buf struct buf next = {0};

    if (!pending->child)
        return;
    json_print(&next, pending->child);
    if (!str_eq(next.data, buf_str(patch)))
        return;
    cJSON_DeleteItemFromArray(pending, 0);
    if (pending->child)
        print_over(&row->pending, pending);
    else
        buf_clear(&row->pending);
}

/* ---- from the cloud ---- */

enum edge_twin_news edge_twin_desired(struct edge_twin_row *row, uint64_t version, const char *text,
                                      size_t len)
{
    if (edge_twin_known(row) && version <= row->desired_version)
        return EDGE_TWIN_STALE;
    if (!edge_twin_known(row) || version != row->desired_version + 1)
        return EDGE_TWIN_GAP;

    auto_json cJSON *patch = json_parse(text, len, NULL);
    auto_json cJSON *desired = parse_own(&row->desired, cJSON_CreateObject);

    if (!cJSON_IsObject(patch))
        return EDGE_TWIN_GAP;
    twin_json_merge(desired, patch);
    print_over(&row->desired, desired);
    row->desired_version = version;
    return EDGE_TWIN_MERGED;
}

/* Takes SECTION's own version out of it. */
static int take_version(cJSON *section, uint64_t *ret_version, struct err *err)
{
    if (json_need_u64(section, "$version", VERSION_MAX, ret_version, err) < 0)
        return -1;
    cJSON_DeleteItemFromObjectCaseSensitive(section, "$version");
    cJSON_DeleteItemFromObjectCaseSensitive(section, "$metadata");
    return 0;
}

static void set_desired(struct edge_twin_row *row, const cJSON *desired, uint64_t version,
                        struct buf *change)
{
    auto_json cJSON *old = parse_own(&row->desired, cJSON_CreateObject);
    auto_json cJSON *patch = twin_json_diff(old, desired);

    if (patch->child) {
        json_add_u64(patch, "$version", version);
        json_print(change, patch);
    }
    print_over(&row->desired, desired);
    row->desired_version = version;
}

/* What the cloud was not told of yet is put on top. */
static void set_reported(struct edge_twin_row *row, cJSON *reported, uint64_t version)
{
    bool is_new = row->reported.len == 0;
    auto_json cJSON *old = parse_own(&row->reported, cJSON_CreateObject);
    auto_json cJSON *pending = parse_own(&row->pending, cJSON_CreateArray);

    for (const cJSON *patch = pending->child; patch; patch = patch->next)
        twin_json_merge(reported, patch);
    if (!is_new && cJSON_Compare(old, reported, true))
        return;
    print_over(&row->reported, reported);
    row->reported_version =
        version > row->reported_version || is_new ? version : row->reported_version + 1;
}

int edge_twin_set(struct edge_twin_row *row, const char *text, size_t len, struct buf *change,
                  struct err *err)
{
    auto_json cJSON *twin = json_parse(text, len, err);
    cJSON *desired = cJSON_GetObjectItemCaseSensitive(twin, "desired");
    cJSON *reported = cJSON_GetObjectItemCaseSensitive(twin, "reported");
    uint64_t desired_version, reported_version;

    if (!twin)
        return -1;
    if (!cJSON_IsObject(desired) || !cJSON_IsObject(reported))
        return err_set(err, ERR_PROTOCOL, "it has no desired or no reported properties");
    if (take_version(desired, &desired_version, err) < 0 ||
        take_version(reported, &reported_version, err) < 0)
        return -1;
    set_desired(row, desired, desired_version, change);
    set_reported(row, reported, reported_version);
    return 0;
}
