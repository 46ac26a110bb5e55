/* Finds the engine, or starts it: connect, take the lock, connect again, spawn `berthd` with a
 * ready pipe, connect. However many clients come at once, one engine runs in the end. */
#ifndef BERTH_RPC_LAUNCH_H
#define BERTH_RPC_LAUNCH_H

#include "core/base/err.h"

#include <sys/un.h>

/* A non-blocking socket for the engine at PATH, to listen or to connect, and its address. */
int launch_socket(const char *path, struct sockaddr_un *ret_address, struct err *err);

/* Connects to the engine's socket at PATH without waiting. Returns a non-blocking descriptor, or
 * -1: ERR_NOT_FOUND where no engine listens (no socket, or one that a dead engine left), else
 * another kind. */
int launch_connect(const char *path, struct err *err);

/* The same, and starts an engine where none listens. Blocks for some seconds at worst: for the
 * thread pool. CANCEL_FD becomes readable when nobody wants the result any more (-1: never). */
int launch_engine(const char *path, int cancel_fd, struct err *err);

#endif
