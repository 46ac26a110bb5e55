/* Public keys of a TPM 2.0 as Azure's clients hand them over: base64 of a TPM2B_PUBLIC. Pure; any
 * thread. */
#ifndef BERTH_AZURE_TPM_PUBLIC_H
#define BERTH_AZURE_TPM_PUBLIC_H

#include "core/base/err.h"

#include <stdint.h>

#define TPM_MODULUS_SIZE 256
#define TPM_NAME_SIZE    34 /* number of the hash, and the hash */

#define TPM_ALG_SHA256 0x000b

/* A storage key: the endorsement key or the storage root key of the default templates. */
struct tpm_public {
    unsigned char modulus[TPM_MODULUS_SIZE];
    uint32_t exponent;
    unsigned char name[TPM_NAME_SIZE]; /* by which a TPM knows it */
};

/* ERR_INVALID where BASE64 is no public area; ERR_UNSUPPORTED where it is one of another kind than
 * RSA 2048 with SHA-256 that protects with AES-128-CFB. */
int tpm_public_read(const char *base64, struct tpm_public *ret, struct err *err);

/* How devices with a TPM are mostly named in enrolments: the endorsement key's SHA-256, in base32.
 * ERR_INVALID and ERR_UNSUPPORTED as above. */
#define TPM_REGISTRATION_ID_SIZE 53
int tpm_registration_id(const char *base64, char ret[TPM_REGISTRATION_ID_SIZE], struct err *err);

/* TPM_ALG_SHA256 and the digest of a TPMT_PUBLIC. */
void tpm_public_name(const void *area, size_t len, unsigned char ret[TPM_NAME_SIZE]);

#endif
