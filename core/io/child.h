/* Other programs: run one and take what it prints, start one that outlives us and wait until it
 * says that it is ready, or keep one that serves us. Nothing goes through a shell. Children get no
 * descriptor of ours but the ones named here. */
#ifndef BERTH_IO_CHILD_H
#define BERTH_IO_CHILD_H

#include "core/base/buf.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct child;

struct child_options {
    const char *const *argv; /* NULL-terminated; argv[0] is a path, or a name looked up in PATH.
                                Never a secret in it */
    const char *const
        *env;          /* "NAME=VALUE", NULL-terminated, on top of our environment; NULL: none */
    const char *cwd;   /* NULL: ours */
    const void *input; /* for its standard input; NULL: /dev/null */
    size_t input_len;
    size_t output_max;   /* of each of stdout and stderr; what is beyond is read and dropped. 0: 64
                            KiB */
    uint64_t timeout_ms; /* then SIGTERM, 2 s later SIGKILL. 0: none */
};

struct child_result {
    int status; /* exit status; -1 where a signal ended it */
    int signal; /* that signal, or 0 */
    bool cut;   /* output_max was reached */
    struct buf out;
    struct buf err;
};

/* The end, once, never from inside child_start. ERR is set where it could not be started
 * (ERR_NOT_FOUND: no such program), took too long (ERR_TIMEOUT), was ended by a signal or exited
 * with a status other than 0 (ERR_REMOTE, with the last line of its stderr in the message). RESULT
 * is borrowed. */
typedef void (*child_done_fn)(void *arg, const struct child_result *result, const struct err *err);

/* Runs it on the loop; options are copied. */
struct child *child_start(uv_loop_t *loop, const struct child_options *options, child_done_fn done,
                          void *arg);

/* Kills it (SIGKILL); DONE does not come. Not from inside DONE. */
void child_cancel(struct child *c);

/* The same, blocking, on any thread. RET (may be NULL) is filled also on failure and freed with
 * child_result_done. */
int child_run(const struct child_options *options, struct child_result *ret, struct err *err);
void child_result_done(struct child_result *r);
#define auto_child_result ATTR_CLEANUP(child_result_done)

/* A daemon of ours, in a session of its own. argv gets descriptor 3 to report on: one line "ready",
 * or one line that says why not; it closes it then. stdin and stdout are /dev/null, stderr is
 * appended to LOG_PATH (0600). Its end does not end us, ours not it. */
struct child_daemon {
    const char *const *argv;
    const char *log_path;
    uint64_t timeout_ms; /* until it is ready; then it is killed. 0: 10 s */
};

/* Once, never from inside child_start_daemon. PID is 0 where ERR is set (ERR_REMOTE: the line it
 * wrote). */
typedef void (*child_ready_fn)(void *arg, pid_t pid, const struct err *err);
void child_start_daemon(uv_loop_t *loop, const struct child_daemon *daemon, child_ready_fn ready,
                        void *arg);

/* A program that serves us: it is told to end when we want, and its end is told to us. argv gets
 * descriptor 3 to report on as a daemon does; stdin and stdout are /dev/null, stderr is read. */
struct child_service;

struct child_service_events {
    void (*on_line)(void *arg, const char *line); /* of its stderr: printable, long ones in parts */
    void (*on_ready)(void *arg, const char *why_not); /* once; "" it is ready, else what it said */
    /* Last, and the owner then frees it. STATUS as a shell has it: 128 + the signal that ended it.
     */
    void (*on_exit)(void *arg, int status);
};

/* Events never come from inside. NULL with ERR (ERR_NOT_FOUND: no such program). */
struct child_service *child_service_start(uv_loop_t *loop, const char *const *argv,
                                          const struct child_service_events *events, void *arg,
                                          struct err *err);
pid_t child_service_pid(const struct child_service *s);
/* SIGTERM, and SIGKILL to all that it started where it is still there after GRACE_MS. */
void child_service_end(struct child_service *s, uint64_t grace_ms);
/* Kills it where it runs; no event comes any more. Also from inside an event; NULL is fine. */
void child_service_free(struct child_service *s);

/* When process PID started, in clock ticks since boot: with it a pid names one process for good. 0
 * where there is none (or only its remains). */
uint64_t child_start_time(pid_t pid);

#endif
