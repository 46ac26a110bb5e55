/* What the runtime knows of containers, with an engine that has a broken one: after a power cut
 * podman answers the list with an error that names it, until it is removed. */
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/http_server.h"
#include "vm/guest/edged/containers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ID          "3d6094c34d9c6c016ce243e2bd0ac320ec0ac471d601221183cf898fcbe09a96"
#define DEADLINE_MS 20000

static const char *const answers[] = {
    "acquiring lock for container " ID ": busy", /* will pass */
    "getting graph driver info \"" ID "\": readlink: invalid argument",
};
static bool broken = true;
static unsigned lists, complaints, removals, others, too_early;

static void on_request(struct http_exchange *x, void *arg)
{
    const char *path = http_exchange_path(x);

    (void)arg;
    if (str_eq(http_exchange_method(x), "DELETE")) {
        if (strstr(path, "/containers/" ID))
            removals++;
        else
            others++;
        too_early += complaints < 3;
        broken = removals < 2; /* the first try fails */
        http_reply_message(x, broken ? 500 : 204, "%s", broken ? "try again" : "");
    } else if (strstr(path, "/events")) {
        http_reply_start(x, 200, "application/json", NULL, NULL);
    } else if (broken) {
        complaints += ++lists > 3;
        http_reply_message(x, 500, "%s", answers[lists > 3]);
    } else {
        http_reply(x, 200, "application/json", "[]", 2);
    }
}

static void on_changed(void *arg)
{
    (void)arg;
}

static void on_deadline(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

int main(void)
{
    static const struct http_limits limits = {0};
    char dir[] = "/tmp/berth-containers-XXXXXX", path[64];
    uv_loop_t loop;
    uv_timer_t timer;
    struct err err;
    bool late = false;

    (void)uv_loop_init(&loop);
    (void)uv_timer_init(&loop, &timer);
    timer.data = &late;
    (void)uv_timer_start(&timer, on_deadline, DEADLINE_MS, 0);
    if (!mkdtemp(dir))
        return 1;
    (void)str_format(path, sizeof(path), "%s/docker.sock", dir);

    struct http_server *server = http_server_new(&loop, &limits, on_request, NULL);
    struct docker *docker = docker_new(&loop, path);

    if (http_server_listen_unix(server, path, 0600, (uid_t)-1, (gid_t)-1, &err) < 0) {
        printf("not ok the engine listens: %s\n", err.msg);
        return 1;
    }

    struct containers *cs = containers_new(&loop, docker, on_changed, NULL);

    while (!late && !containers_ready(cs))
        (void)uv_run(&loop, UV_RUN_ONCE);
    printf("%s a broken container is removed, so that the others are known\n",
           containers_ready(cs) && removals == 2 ? "ok" : "not ok");
    printf("%s and no other is, nor one that the engine merely names\n",
           others == 0 && too_early == 0 ? "ok" : "not ok");

    bool fine = containers_ready(cs) && removals == 2 && others == 0 && too_early == 0;

    containers_free(cs);
    http_server_free(server);
    docker_free(docker);
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    (void)unlink(path);
    (void)rmdir(dir);
    return !fine;
}
