/* See as_root.h. */
#include "vm/guest/iotedge/as_root.h"

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/iotedge/say.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_S   120
#define ANSWER_MAX (1U << 20)
#define FETCH_S    600 /* the helper's own limit */
#define FETCH_MAX  (1ULL << 30)

/* The journal and the states of units are for everybody who may be here. */
static bool is_for_root(int argc, char **argv)
{
    if (str_eq(argv[0], "system"))
        return argc > 1 && !str_eq(argv[1], "logs") && !str_eq(argv[1], "status");
    return str_eq(argv[0], "check") || str_eq(argv[0], "support-bundle");
}

bool as_root_needed(int argc, char **argv)
{
    return is_for_root(argc, argv) && geteuid() != 0 && access(AS_ROOT_SOCKET, W_OK) == 0;
}

/* Sends REQUEST and opens the answer: "ok NUMBER" and then a body, or "error WHY". The stream
 * stands at the body. */
static FILE *ask(const char *request, time_t limit_s, uint64_t max, uint64_t *ret_number,
                 struct err *err)
{
    static const char ok[] = "ok ", error[] = "error ";
    const struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = AS_ROOT_SOCKET};
    const struct timeval limit = {.tv_sec = limit_s};
    const ssize_t len = (ssize_t)strlen(request);
    char line[1024];
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FILE *answer = NULL;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
        connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ||
        send(fd, request, (size_t)len, MSG_NOSIGNAL) != len || shutdown(fd, SHUT_WR) < 0 ||
        !(answer = fdopen(fd, "r"))) {
        err_sys(err, errno, "the guest's helper");
        return NULL;
    }
    fd = -1; /* the stream's */
    errno = 0;
    if (!fgets(line, sizeof(line), answer))
        err_sys(err, errno ? errno : ECONNRESET, "the guest's helper");
    else if (str_starts(line, error))
        err_set(err, ERR_REMOTE, "%s", str_trim(line) + sizeof(error) - 1);
    else if (!str_starts(line, ok) || !str_to_u64(str_trim(line) + sizeof(ok) - 1, max, ret_number))
        err_set(err, ERR_PROTOCOL, "the guest's helper gave no answer");
    else
        return answer;
    (void)fclose(answer);
    return NULL;
}

/* Copies at most MAX bytes of FROM. Returns how many there were. */
static int copy(FILE *from, uint64_t max, int to, uint64_t *ret_n, struct err *err)
{
    char room[16384];
    size_t n;

    for (*ret_n = 0; *ret_n < max && (n = fread(room, 1, sizeof(room), from)) > 0; *ret_n += n)
        for (size_t at = 0; at < n;) {
            ssize_t written = write(to, room + at, n - at);

            if (written < 0)
                return err_sys(err, errno, "write what the guest's helper answers");
            at += (size_t)written;
        }
    return ferror(from) ? err_sys(err, errno, "the guest's helper") : 0;
}

int as_root_run(int argc, char **argv)
{
    auto_buf struct buf request = {0};
    struct err err = {0};
    uint64_t status, n;

    buf_puts(&request, "iotedge");
    for (int i = 0; i < argc; i++)
        buf_printf(&request, " %s", argv[i]);
    buf_puts(&request, "\n");

    FILE *answer = ask(buf_str(&request), ANSWER_S, 255, &status, &err);

    if (!answer)
        return say_error(&err);
    int copied = copy(answer, ANSWER_MAX, STDOUT_FILENO, &n, &err);

    (void)fclose(answer);
    return copied < 0 ? say_error(&err) : (int)status;
}

int as_root_fetch(const char *request, int fd, struct err *err)
{
    uint64_t len, n = 0;
    FILE *answer = ask(request, FETCH_S, FETCH_MAX, &len, err);

    if (!answer)
        return -1;
    int status = copy(answer, FETCH_MAX, fd, &n, err);

    (void)fclose(answer);
    if (status == 0 && n != len)
        status = err_set(err, ERR_REMOTE, "the guest's helper broke off");
    return status;
}
