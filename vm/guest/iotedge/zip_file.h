/* A zip archive that grows entry by entry into a file. Blocking. */
#ifndef BERTH_IOTEDGE_ZIP_FILE_H
#define BERTH_IOTEDGE_ZIP_FILE_H

#include "core/base/attr.h"
#include "core/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct zip_file;

/* Replaces what is in PATH. NOW_MS: the time that its entries carry. */
struct zip_file *zip_file_new(const char *path, uint64_t now_ms, struct err *err);
/* The entry before ends. NAME is a relative path of ASCII. */
int zip_file_begin(struct zip_file *z, const char *name, struct err *err);
int zip_file_write(struct zip_file *z, const void *data, size_t len, struct err *err);
/* All of it is written, or ERR says why not; Z is gone in any case. */
int zip_file_end(struct zip_file *z, struct err *err);

#endif
