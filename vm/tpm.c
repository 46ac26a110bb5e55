/* See tpm.h. */
#include "vm/tpm.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <string.h>

/* What is between FROM and the next TO; heap string, NULL where it is not there. */
static char *between(const char *text, const char *from, const char *to)
{
    const char *at = text ? strstr(text, from) : NULL;
    const char *end = at ? strstr(at, to) : NULL;
    return end ? xstrndup(at, (size_t)(end - at)) : NULL;
}

bool tpm_model_find(const char *capabilities, char to[TPM_MODEL_MAX])
{
    static const char *const models[] = {"tpm-crb", "tpm-tis"};
    auto_free char *tpm = between(capabilities, "<tpm supported='yes'>", "</tpm>");
    auto_free char *backends = between(tpm, "<enum name='backendModel'>", "</enum>");
    auto_free char *known = between(tpm, "<enum name='model'>", "</enum>");
    if (!backends || !known || !strstr(backends, "<value>emulator</value>"))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(models); i++)
        if (strstr(known, models[i]))
            return str_copy(to, TPM_MODEL_MAX, models[i]);
    return false;
}
