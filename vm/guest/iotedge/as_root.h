/* Nobody logs in to the guest as root: what only root may see is asked of the guest's helper, which
 * runs a few of this command's verbs and nothing else. */
#ifndef BERTH_IOTEDGE_AS_ROOT_H
#define BERTH_IOTEDGE_AS_ROOT_H

#include "core/base/err.h"

#include <stdbool.h>

#define AS_ROOT_SOCKET "/run/berth/guest.sock"

/* The verb needs root, this is not root, and the helper may be asked. */
bool as_root_needed(int argc, char **argv);
/* Runs the verb with its arguments there; what it prints is printed. Returns its exit status. */
int as_root_run(int argc, char **argv);
/* What the helper answers to REQUEST, a line, goes into the file FD: whole, or ERR says why not. */
int as_root_fetch(const char *request, int fd, struct err *err);

#endif
