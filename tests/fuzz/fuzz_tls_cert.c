/* What a user or a service call gives as a certificate: as text, and as the bytes that the text
 * stands for. */
#include "core/io/tls_cert.h"

#include "core/base/mem.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, size_t len)
{
    struct tls_cert_info info;

    if (tls_cert_read(text, len, &info, NULL) == 0 &&
        (strlen(info.sha1) != 40 || strlen(info.sha256) != 64 ||
         !memchr(info.common_name, '\0', sizeof(info.common_name))))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xmalloc(size / 3 * 4 + 5);
    int len = EVP_EncodeBlock((unsigned char *)text, data, (int)size);

    check((const char *)data, size);
    check(text, (size_t)len);
    free(text);
    return 0;
}
