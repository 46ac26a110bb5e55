/* The edge hub's scope: the cloud's answer (first byte even), or the file in which it is kept. What
 * is read is written and read again, and is the same then. */
#include "vm/guest/hub/edge_scope_json.h"

#include "vm/guest/hub/topic.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(void *arg, const struct edge_identity *id)
{
    assert(identity_id_valid(id->device) && (!id->module[0] || identity_id_valid(id->module)));
    assert(id->primary.data && strlen(id->primary.data) == id->primary.len);
    (void)edge_scope_table_put(arg, id, 1);
}

static void write_and_read(const struct edge_scope_table *table)
{
    struct edge_scope_table *again = edge_scope_table_new();
    struct buf text = {0}, second = {0};

    edge_scope_json_save("hub", "edge", table, &text);
    assert(edge_scope_json_load(text.data, text.len, "hub", "edge", again, NULL) == 0);
    edge_scope_json_save("hub", "edge", again, &second);
    assert(second.len == text.len && memcmp(second.data, text.data, text.len) == 0);
    edge_scope_table_free(again);
    buf_done(&text);
    buf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct edge_scope_table *table = edge_scope_table_new();
    const char *text = (const char *)data + 1;
    struct buf link = {0};
    struct err err = {0};

    if (size == 0) {
        edge_scope_table_free(table);
        return 0;
    }
    if ((data[0] & 1 ? edge_scope_json_load(text, size - 1, "hub", "edge", table, &err)
                     : edge_scope_json_answer(text, size - 1, put, table, &link, &err)) == 0)
        write_and_read(table);
    else
        assert(err.kind != ERR_NONE && err.msg[0]);
    edge_scope_table_free(table);
    buf_done(&link);
    return 0;
}
