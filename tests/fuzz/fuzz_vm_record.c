/* A VM's record after a bad disk: whatever is accepted can be written and read back, and names no
 * path outside. */
#include "vm/plan.h"
#include "vm/record.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vm_record r, again;
    struct err err = {0};
    auto_buf struct buf text = {0};
    if (record_parse((const char *)data, size, &r, &err) < 0) {
        assert(err.msg[0]);
        return 0;
    }
    assert(plan_check_name(r.name, NULL) == 0);
    assert(strcmp(r.slot, "slot-a") == 0 || strcmp(r.slot, "slot-b") == 0);
    record_print(&r, &text);
    assert(record_parse(text.data, text.len, &again, &err) == 0);
    assert(strcmp(r.name, again.name) == 0 && r.ssh_port == again.ssh_port);
    return 0;
}
