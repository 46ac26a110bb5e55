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

/* The journal and the states of units are for everybody who may be here. */
static bool is_for_root(int argc, char **argv)
{
    if (str_eq(argv[0], "system"))
        return argc > 1 && !str_eq(argv[1], "logs") && !str_eq(argv[1], "status");
    return str_eq(argv[0], "check");
}

bool as_root_needed(int argc, char **argv)
{
    return is_for_root(argc, argv) && geteuid() != 0 && access(AS_ROOT_SOCKET, W_OK) == 0;
}

static int ask(const struct buf *request, struct buf *answer, struct err *err)
{
    const struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = AS_ROOT_SOCKET};
    const struct timeval limit = {.tv_sec = ANSWER_S};
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t n;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
        connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ||
        send(fd, request->data, request->len, MSG_NOSIGNAL) != (ssize_t)request->len ||
        shutdown(fd, SHUT_WR) < 0)
        return err_sys(err, errno, "the guest's helper");
    do {
        char *to_read = buf_reserve(answer, 4096);

        n = recv(fd, to_read, 4096, 0);
        if (n < 0)
            return err_sys(err, errno, "the guest's helper");
        buf_commit(answer, (size_t)n);
    } while (n > 0 && answer->len < ANSWER_MAX);
    return 0;
}

/* "ok STATUS", and behind it what the verb printed; or "error WHY". */
static int show(const struct buf *answer, struct err *err)
{
    static const char ok[] = "ok ", error[] = "error ";
    const char *text = buf_str(answer), *end = strchr(text, '\n');
    auto_free char *line = end ? xstrndup(text, (size_t)(end - text)) : xstrdup(text);
    uint64_t status;

    if (str_starts(line, error))
        return err_set(err, ERR_REMOTE, "%s", line + sizeof(error) - 1);
    if (!end || !str_starts(line, ok) || !str_to_u64(line + sizeof(ok) - 1, 255, &status))
        return err_set(err, ERR_PROTOCOL, "the guest's helper gave no answer");
    (void)fwrite(end + 1, 1, answer->len - (size_t)(end + 1 - text), stdout);
    return (int)status;
}

int as_root_run(int argc, char **argv)
{
    auto_buf struct buf request = {0}, answer = {0};
    struct err err = {0};
    int status;

    buf_puts(&request, "iotedge");
    for (int i = 0; i < argc; i++)
        buf_printf(&request, " %s", argv[i]);
    buf_puts(&request, "\n");
    status = ask(&request, &answer, &err) < 0 ? -1 : show(&answer, &err);
    return status < 0 ? say_error(&err) : status;
}
