/* What must hold whatever happens to the console: the terminal is put back, and what libraries
 * print to standard error neither tears the screen nor gets lost. Process-wide; one terminal. */
#ifndef BERTH_TUI_TTY_H
#define BERTH_TUI_TTY_H

#include "core/base/err.h"

#include <stddef.h>

/* Remembers FD's settings; RESTORE is written to it if the process dies by a fault or abort().
 * Installs the handlers. */
int tty_guard(int fd, const char *restore, struct err *err);
/* Back to the remembered settings; handlers off. */
void tty_unguard(void);

/* From now on standard error goes into memory (the last of it is kept) until tty_release_stderr,
 * which prints it. */
int tty_capture_stderr(struct err *err);
void tty_release_stderr(void);

#endif
