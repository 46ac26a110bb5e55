/* Public areas of TPMs as any client may send them, as bytes: what is accepted must be usable. */
#include "core/azure/tpm_credential.h"
#include "core/io/base64.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char key[TPM_CREDENTIAL_KEY];
    auto_buf struct buf text = {0};
    auto_buf struct buf blob = {0};
    struct tpm_public p = {0};
    struct err err = {0};

    base64_encode(data, size, &text);
    if (tpm_public_read(buf_str(&text), &p, &err) < 0) {
        assert(err.kind == ERR_INVALID || err.kind == ERR_UNSUPPORTED);
        return 0;
    }
    /* A modulus that is no RSA key may still be refused. */
    (void)tpm_credential_wrap(&p, &p, key, "hub/devices/d", &blob, NULL);
    return 0;
}
