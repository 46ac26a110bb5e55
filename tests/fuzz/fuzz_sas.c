/* Tokens as any client may send them before it is known to anyone. */
#include "core/azure/sas.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sas s = {0};
    struct err err = {0};

    if (sas_parse((const char *)data, size, &s, &err) == 0) {
        (void)sas_signed_by(&s, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
        (void)sas_covers(&s, "hub/devices/dev1");
        (void)sas_expired(&s, 1700000000);
    }
    return 0;
}
