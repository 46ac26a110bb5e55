/* Events of the sandbox, from the hub's answer to the line that a person reads: bounded, and
 * without a byte that a terminal acts on. */
#include "core/base/json.h"
#include "core/engine/sandbox_entry.h"
#include "tui/event_json.h"

#include <assert.h>

static void on_event(void *arg, const struct hub_event *e)
{
    auto_json cJSON *entry = sandbox_entry_json(e);
    auto_buf struct buf text = {0}, line = {0};
    (void)arg;
    assert(e->sequence && e->n_own <= e->n_properties);
    assert(e->n_properties <= HUB_EVENT_PROPERTIES_MAX);
    json_print(&text, entry);
    assert(text.len <= SANDBOX_ENTRY_MAX);
    event_json_line(entry, &line);
    for (size_t i = 0; i < line.len; i++)
        assert((unsigned char)line.data[i] >= 0x20 && line.data[i] != 0x7F);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t last = 0;
    (void)hub_read_events((const char *)data, size, on_event, NULL, &last, NULL);
    return 0;
}
