/* What a provisioning service sends to a TPM 2.0 of which it knows nothing but the public keys, so
 * that nobody but this TPM can read it: TPM2_MakeCredential and TPM2_Duplicate in software (TPM 2.0
 * Library, part 1: "Credential Protection" and "Duplication"). Pure; any thread. */
#ifndef BERTH_AZURE_TPM_CREDENTIAL_H
#define BERTH_AZURE_TPM_CREDENTIAL_H

#include "core/azure/tpm_public.h"
#include "core/base/buf.h"

/* Appends TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET: CREDENTIAL (at most 32 bytes), which
 * TPM2_ActivateCredential gives back where both the endorsement key EK and the object NAME are. */
int tpm_credential_make(const struct tpm_public *ek, const unsigned char name[TPM_NAME_SIZE],
                        const void *credential, size_t len, struct buf *out, struct err *err);

/* Appends what Azure's clients call the activation blob: an HMAC-SHA256 KEY of 32 bytes that the
 * TPM with EK and SRK can import and sign with but never give away. URI tells the client what the
 * key is for. */
#define TPM_CREDENTIAL_KEY 32
int tpm_credential_wrap(const struct tpm_public *ek, const struct tpm_public *srk,
                        const unsigned char key[TPM_CREDENTIAL_KEY], const char *uri,
                        struct buf *out, struct err *err);

#endif
