/* Files that survive a power cut and folders that nobody else reads. Blocking; any thread. */
#ifndef BERTH_BASE_FILE_H
#define BERTH_BASE_FILE_H

#include "core/base/buf.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* Appends the whole file to OUT. ERR_NO_SPACE where it is larger than MAX bytes; a FIFO or a device
 * is ERR_INVALID. */
int file_read(const char *path, size_t max, struct buf *out, struct err *err);

/* Replaces PATH as a whole: temporary file beside it, fsync, rename, fsync of the folder. MODE
 * holds whatever the umask is. On failure the old file is untouched and no temporary file stays. */
int file_write(const char *path, const void *data, size_t len, mode_t mode, struct err *err);

/* Removes what file_write() of a process that was killed left half-written in DIR, for whoever owns
 * it to call at its start: regular files of our user with its kind of name, that nobody writes just
 * now. Where that fails, they stay for another time. */
void file_sweep(const char *dir);

/* Creates PATH and its missing parents with MODE whatever the umask is. An existing folder is left
 * as it is. */
int file_mkdirs(const char *path, mode_t mode, struct err *err);

/* fsync of the folder that holds PATH, after a rename or unlink in it. */
int file_sync_parent(const char *path, struct err *err);

/* Takes an exclusive lock on PATH (created 0600) and returns the descriptor that holds it; closing
 * it releases. ERR_BUSY at once where another process has it and WAIT is false. */
int file_lock(const char *path, bool wait, struct err *err);

/* Removes a file or a whole tree without following links. A path that does not exist is fine. */
int file_remove_tree(const char *path, struct err *err);

bool file_exists(const char *path);

#endif
