/* Enrolments as a service client may send them, the first byte telling whether of a group: what is
 * accepted must come back the same through the database, and through a GET and PUT. */
#include "vm/guest/hub/dps_enrolment.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(const struct dps_enrolment *e, enum dps_show what, struct buf *to)
{
    auto_json cJSON *out = dps_enrolment_show(e, what);

    json_print(to, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const hubs[] = {"sandbox.berth.internal", "second.hub", NULL};
    bool group = size > 0 && data[0] == 'g';
    auto_json cJSON *body = size > 1 ? json_parse((const char *)data + 1, size - 1, NULL) : NULL;
    auto_dps_enrolment struct dps_enrolment e = {0};
    auto_dps_enrolment struct dps_enrolment back = {0};
    auto_dps_enrolment struct dps_enrolment again = {0};
    auto_enrolment_row struct enrolment_row row = {0};
    auto_buf struct buf first = {0};
    auto_buf struct buf second = {0};
    auto_buf struct buf third = {0};
    auto_buf struct buf seen = {0};

    if (!cJSON_IsObject(body) || dps_enrolment_read(body, group, "e1", hubs, NULL, &e, NULL) < 0)
        return 0;
    print(&e, DPS_SHOW_STORED, &first);
    dps_enrolment_pack(&e, &row);
    assert(dps_enrolment_unpack(&row, &back, NULL) == 0);
    print(&back, DPS_SHOW_STORED, &second);
    assert(strcmp(first.data, second.data) == 0);

    print(&e, DPS_SHOW_PUBLIC, &seen);

    auto_json cJSON *shown = json_parse(seen.data, seen.len, NULL);

    assert(shown && dps_enrolment_read(shown, group, "e1", hubs, &e, &again, NULL) == 0);
    print(&again, DPS_SHOW_STORED, &third);
    assert(strcmp(first.data, third.data) == 0);
    return 0;
}
