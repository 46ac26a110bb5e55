/* What libvirt offers in the way of TPMs (its domain capabilities). Pure. */
#ifndef BERTH_VM_TPM_H
#define BERTH_VM_TPM_H

#include <stdbool.h>

#define TPM_MODEL_MAX 16

/* The model for a TPM 2.0 that swtpm emulates: "tpm-crb" or "tpm-tis". False where there is none.
 * Takes any text. */
bool tpm_model_find(const char *capabilities, char to[TPM_MODEL_MAX]);

#endif
