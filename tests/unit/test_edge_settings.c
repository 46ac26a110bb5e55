#include "vm/guest/hub/edge_settings.h"

#include "core/base/str.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NEEDED                                                               \
    "\"hub\":\"h.example\",\"device\":\"edge-1\",\"hostname\":\"gw.local\"," \
    "\"workload\":\"/run/w.sock\",\"socket\":\"/run/hub.sock\",\"listen\":[\"127.0.0.1\"]"

static int parse(const char *text, struct edge_settings **ret, struct err *err)
{
    return edge_settings_parse(text, strlen(text), "/dir", ret, err);
}

Test(edge_settings, fills_in_what_is_usual)
{
    struct edge_settings *s = NULL;
    struct err err = {0};

    cr_assert_eq(parse("{" NEEDED "}", &s, &err), 0, "%s", err.msg);
    cr_expect_str_eq(s->dir, "/dir");
    cr_expect_str_eq(s->device, "edge-1");
    cr_expect_str_eq(s->proxy, "");
    cr_expect_str_eq(s->ca_file, "");
    cr_expect_str_eq(s->listen[0], "127.0.0.1");
    cr_expect_null(s->listen[1]);
    cr_expect_eq(s->mqtt_port, 8883);
    cr_expect_eq(s->https_port, 443);
    cr_expect_eq(s->mqtt_listen_port, 8883);
    cr_expect_eq(s->https_listen_port, 443);
    cr_expect_eq(s->max_clients, 100);
    cr_expect_not(s->websocket);
    edge_settings_free(s);
}

Test(edge_settings, takes_everything_that_can_be_said)
{
    struct edge_settings *s = NULL;
    struct err err = {0};

    cr_assert_eq(parse("{" NEEDED ",\"mqttPort\":1883,\"httpsPort\":8443,\"caFile\":\"/ca.pem\","
                       "\"upstreamProtocol\":\"MqttWs\",\"proxy\":\"http://u:p@proxy:3128\","
                       "\"mqttListenPort\":0,\"httpsListenPort\":4443,\"maxClients\":7,"
                       "\"later\":{}}",
                       &s, &err),
                 0, "%s", err.msg);
    cr_expect_eq(s->mqtt_port, 1883);
    cr_expect_eq(s->https_port, 8443);
    cr_expect(s->websocket);
    cr_expect_str_eq(s->proxy, "http://u:p@proxy:3128");
    cr_expect_str_eq(s->ca_file, "/ca.pem");
    cr_expect_eq(s->mqtt_listen_port, 0);
    cr_expect_eq(s->https_listen_port, 4443);
    cr_expect_eq(s->max_clients, 7);
    edge_settings_free(s);
}

/* The last member of a name counts for nobody: cJSON finds the first. */
Test(edge_settings, names_the_member_that_is_wrong)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[]", "object"},
        {"{}", "hub: must be"},
        {"{\"hub\":\"a b\"," NEEDED "}", "hub: must be"},
        {"{\"hub\":7," NEEDED "}", "hub: must be"},
        {"{\"device\":\"\"," NEEDED "}", "device: must be"},
        {"{\"hostname\":\"a/b\"," NEEDED "}", "hostname: must be"},
        {"{\"workload\":\"w.sock\"," NEEDED "}", "workload: must be"},
        {"{\"socket\":\"/0123456789012345678901234567890123456789012345678901234567890123456789"
         "0123456789012345678901234567890123456789\"," NEEDED "}",
         "socket: must be"},
        {"{\"caFile\":\"ca.pem\"," NEEDED "}", "caFile: must be"},
        {"{\"proxy\":[]," NEEDED "}", "proxy: must be"},
        {"{\"mqttPort\":0," NEEDED "}", "mqttPort: must be 1 to 65535"},
        {"{\"httpsListenPort\":65536," NEEDED "}", "httpsListenPort: must be 0 to 65535"},
        {"{\"mqttListenPort\":\"1\"," NEEDED "}", "mqttListenPort: must be"},
        {"{\"maxClients\":0," NEEDED "}", "maxClients: must be 1 to"},
        {"{\"upstreamProtocol\":\"Amqp\"," NEEDED "}", "upstreamProtocol: must be"},
        {"{\"listen\":[]," NEEDED "}", "listen: must be"},
        {"{\"listen\":[\"localhost\"]," NEEDED "}", "listen: must be"},
        {"{\"listen\":[\"::\",1]," NEEDED "}", "listen: must be"},
        {"{\"listen\":\"::\"," NEEDED "}", "listen"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct edge_settings *s = NULL;
        struct err err = {0};

        cr_expect_eq(parse(cases[i].text, &s, &err), -1, "%s", cases[i].text);
        cr_expect_not_null(strstr(err.msg, cases[i].says), "%s: %s", cases[i].text, err.msg);
        cr_expect_null(s);
    }
}

Test(edge_settings, keeps_a_password_out_of_what_it_says)
{
    struct edge_settings *s = NULL;
    struct err err = {0};
    char path[] = "/tmp/berth-settings-XXXXXX";
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_gt(dprintf(fd, "{\"proxy\":[\"http://u:canary@p\"]," NEEDED "}"), 0);
    cr_expect_eq(edge_settings_read(path, "/dir", &s, &err), -1);
    cr_expect_not_null(strstr(err.msg, path));
    cr_expect_null(strstr(err.msg, "canary"));
    close(fd);
    unlink(path);
    cr_expect_eq(edge_settings_read(path, "/dir", &s, &err), -1);
    cr_expect_eq(err.kind, ERR_NOT_FOUND);
}
