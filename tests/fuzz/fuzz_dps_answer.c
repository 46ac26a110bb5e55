/* Whatever the provisioning service answers: the first byte chooses the status, the rest is the
 * body. */
#include "core/azure/dps_answer.h"

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct dps_answer *a)
{
    if (a->kind == DPS_ASSIGNING)
        assert(a->operation[0]);
    if (a->kind != DPS_ASSIGNED)
        return;
    assert(a->device.hub[0] && a->device.id[0]);
    for (const char *c = a->device.hub; *c; c++)
        assert(isalnum((unsigned char)*c) || strchr("-._", *c));
    for (const char *c = a->device.id; *c; c++)
        assert((unsigned char)*c > ' ' && (unsigned char)*c < 0x7f && *c != '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 202, 401, 400, 403, 404, 429, 500, 302};
    struct dps_answer answer = {0};
    struct err err = {0};
    if (!size)
        return 0;
    int status = statuses[data[0] % (sizeof(statuses) / sizeof(statuses[0]))];
    if (dps_answer_parse(status, (const char *)data + 1, size - 1, &answer, &err) == 0)
        check(&answer);
    else
        assert(err.kind != ERR_NONE && err.msg[0]);
    dps_answer_done(&answer);
    return 0;
}
