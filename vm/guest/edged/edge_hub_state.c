/* See edge_hub_state.h. */
#include "vm/guest/edged/edge_hub_state.h"

#include "core/base/file.h"
#include "core/base/str.h"
#include "core/io/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_MAX  4096
#define KILL_MS   2000
#define BOOT_FILE "/proc/sys/kernel/random/boot_id"

/* Numbers and start times of processes come back after a boot, and boots resemble each other. */
static void read_boot(char ret[40])
{
    auto_buf struct buf text = {0};
    ret[0] = '\0';
    if (file_read(BOOT_FILE, FILE_MAX, &text, NULL) == 0 && text.len)
        (void)str_copy(ret, 40, str_trim(text.data));
}

int edge_hub_state_write(const char *path, const struct edge_hub_state *s, struct err *err)
{
    auto_json cJSON *json = cJSON_CreateObject();
    auto_buf struct buf text = {0};
    const struct container *c = &s->container;
    char boot[40];
    read_boot(boot);
    json_add_str(json, "hub", s->device.hub);
    json_add_str(json, "device", s->device.id);
    json_add_bool(json, "running", c->state == CONTAINER_RUNNING);
    json_add_u64(json, "pid", (uint64_t)c->pid);
    json_add_u64(json, "ticks", s->pid_ticks);
    json_add_str(json, "boot", boot);
    json_add_u64(json, "started", c->started_ms);
    json_add_u64(json, "finished", c->finished_ms);
    json_add_bool(json, "ended", c->ended);
    json_add_u64(json, "exitCode", (uint64_t)c->exit_code);
    json_add_u64(json, "restarts", s->restart.count);
    json_add_u64(json, "restarted", s->restart.last_ms);
    json_print(&text, json);
    return file_write(path, text.data, text.len, 0600, err);
}

int edge_hub_state_read(const char *path, struct edge_hub_state *ret, struct err *err)
{
    auto_buf struct buf text = {0};
    struct err why;
    *ret = (struct edge_hub_state){.container.state = CONTAINER_CREATED};
    if (file_read(path, FILE_MAX, &text, &why) < 0) {
        if (why.sys == ENOENT)
            return 0;
        *err = why;
        return -1;
    }
    auto_json cJSON *json = json_parse(buf_str(&text), text.len, &why);
    if (!json)
        return err_set(err, ERR_PROTOCOL, "%s: %s", path, why.msg);
    struct container *c = &ret->container;
    JSON_COPY(ret->device.hub, json, "hub");
    JSON_COPY(ret->device.id, json, "device");
    JSON_COPY(ret->boot, json, "boot");
    c->pid = (pid_t)json_u64(json, "pid", 0);
    c->started_ms = json_u64(json, "started", 0);
    c->finished_ms = json_u64(json, "finished", 0);
    c->ended = json_bool(json, "ended", false);
    c->exit_code = (int)json_u64(json, "exitCode", 0);
    if (json_bool(json, "running", false))
        c->state = CONTAINER_RUNNING;
    else if (c->ended)
        c->state = CONTAINER_EXITED;
    ret->pid_ticks = json_u64(json, "ticks", 0);
    ret->restart.count = (uint32_t)json_u64(json, "restarts", 0);
    ret->restart.last_ms = json_u64(json, "restarted", 0);
    return 0;
}

/* By a descriptor, which stands for one process whatever becomes of its number. */
void edge_hub_state_kill(const struct edge_hub_state *s)
{
    char boot[40];
    pid_t pid = s->container.pid;
    read_boot(boot);
    if (pid <= 1 || !s->pid_ticks || !str_eq(s->boot, boot))
        return;
    auto_close int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0 || child_start_time(pid) != s->pid_ticks)
        return;
    struct pollfd end = {.fd = fd, .events = POLLIN};
    if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0)
        (void)poll(&end, 1, KILL_MS);
}
