/* For benchmarks: mosquitto as the peer, without persistence, with the certificate of a hub. */
#ifndef BERTH_TESTS_MOSQUITTO_H
#define BERTH_TESTS_MOSQUITTO_H

#include "tests/hub_link.h"

#include <poll.h>
#include <sys/prctl.h>

/* It stands for a hub in PEER, to be ended with hub_end(). False where it is not installed. */
static inline bool mosquitto_start(struct test_hub *peer, const struct test_hub *cloud)
{
    char path[100];
    FILE *f;

    *peer = *cloud;
    peer->mqtt_port = free_port();
    (void)snprintf(path, sizeof(path), "%s/mosquitto.conf", peer->dir);
    f = fopen(path, "we");
    if (!f)
        return false;
    (void)fprintf(f,
                  "listener %u 127.0.0.1\ncafile %s/ca.pem\ncertfile %s/server.pem\n"
                  "keyfile %s/server.key\nallow_anonymous true\npersistence false\n"
                  "set_tcp_nodelay true\nuser root\nlog_dest none\nmax_queued_messages 0\n",
                  peer->mqtt_port, peer->dir, peer->dir, peer->dir);
    (void)fclose(f);
    peer->pid = fork();
    if (peer->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl("/usr/sbin/mosquitto", "mosquitto", "-c", path, NULL);
        _exit(127);
    }
    for (int i = 0; i < 200; i++) {
        struct link l;

        if (link_open(&l, peer, peer->mqtt_port)) {
            link_close(&l);
            return true;
        }
        (void)poll(NULL, 0, 20);
    }
    return false;
}

#endif
