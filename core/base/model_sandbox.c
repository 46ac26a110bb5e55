/* Names and words of the sandbox's model. */
#include "core/base/model_sandbox.h"

#include "core/base/str.h"

static const char *const auth_names[] = {
    [SANDBOX_AUTH_NONE] = "none",
    [SANDBOX_AUTH_SAS] = "sas",
    [SANDBOX_AUTH_X509_SELF_SIGNED] = "x509-self-signed",
    [SANDBOX_AUTH_X509_CA] = "x509-ca",
    [SANDBOX_AUTH_TPM] = "tpm",
};
_Static_assert(ARRAY_LEN(auth_names) == SANDBOX_AUTH_COUNT, "a name for each way");

const char *sandbox_auth_name(enum sandbox_auth auth)
{
    return auth_names[auth < SANDBOX_AUTH_COUNT ? auth : SANDBOX_AUTH_NONE];
}

enum sandbox_auth sandbox_auth_parse(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(auth_names); i++)
        if (str_eq(auth_names[i], name))
            return (enum sandbox_auth)i;
    return SANDBOX_AUTH_NONE;
}

enum light sandbox_device_light(const struct sandbox_device *d)
{
    if (!d->enabled)
        return LIGHT_WARN;
    return d->connected ? LIGHT_OK : LIGHT_OFF;
}

const char *sandbox_device_word(const struct sandbox_device *d)
{
    if (!d->enabled)
        return "disabled";
    return d->connected ? "connected" : "not connected";
}
