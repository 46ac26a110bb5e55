/* See redact.h: the names. */
#include "vm/guest/iotedge/redact.h"

#include "core/base/attr.h"

#include <ctype.h>
#include <string.h>

#define NAME_MAX_LEN 64

/* In lower case, without '_' and '-': a name that ends so is a secret's. */
static const char *const endings[] = {
    "sharedaccesskey", "accountkey",    "primarykey",       "secondarykey", "symmetrickey",
    "accesskey",       "apikey",        "secretkey",        "privatekey",   "deviceidpk",
    "signingkey",      "encryptionkey", "connectionstring", "password",     "passwd",
    "passphrase",      "pwd",           "secret",           "token",        "credential",
    "credentials",     "authorization", "cookie",           "registryauth", "pkcs11pin",
    "pinvalue",
};
/* And one that is just this. */
static const char *const wholes[] = {"sig", "sas", "pw", "pass"};

/* Environment that the runtime itself gives to modules, and what shows how they are set up. */
static const char *const known_env[] = {
    "PATH",
    "HOME",
    "HOSTNAME",
    "TERM",
    "container",
    "LANG",
    "EdgeDeviceHostName",
    "RuntimeLogLevel",
    "UpstreamProtocol",
    "OptimizeForPerformance",
    "storageFolder",
    "Mode",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
};

static bool ends_with(const char *text, size_t len, const char *ending)
{
    size_t n = strlen(ending);
    return len >= n && memcmp(text + len - n, ending, n) == 0;
}

bool redact_is_secret(const char *name, size_t len)
{
    char plain[NAME_MAX_LEN];
    size_t n = 0;
    if (len > sizeof(plain)) { /* its end decides */
        name += len - sizeof(plain);
        len = sizeof(plain);
    }
    for (size_t i = 0; i < len; i++)
        if (name[i] != '_' && name[i] != '-')
            plain[n++] = (char)tolower((unsigned char)name[i]);
    for (size_t i = 0; i < ARRAY_LEN(endings); i++)
        if (ends_with(plain, n, endings[i]))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(wholes); i++)
        if (n == strlen(wholes[i]) && memcmp(plain, wholes[i], n) == 0)
            return true;
    return false;
}

bool redact_env_is_known(const char *name, size_t len)
{
    static const char own[] = "IOTEDGE_";
    if (len > strlen(own) && memcmp(name, own, strlen(own)) == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(known_env); i++)
        if (len == strlen(known_env[i]) && memcmp(name, known_env[i], len) == 0)
            return true;
    return false;
}
