/* The device API of the Device Provisioning Service over MQTT, plain and through a WebSocket. */
#include "tests/dps_client.h"

#include "core/io/tls_cert.h"

static struct test_hub hub;
static char key[128];
static char dir[] = "/tmp/berth-certs-XXXXXX";

struct login {
    const char *id, *key;
    const char *cert, *cert_key;
    const char *client_id; /* NULL: the id */
    int64_t expires_in_s;  /* 0: in a minute */
    bool websocket;
};

static int login(struct link *l, const struct login *in)
{
    auto_secret struct secret token = {0};
    char sr[200], user[300];

    snprintf(sr, sizeof(sr), "%s/registrations/%s", dps_scope, in->id);
    snprintf(user, sizeof(user), "%s/api-version=2019-03-31&ClientVersion=test", sr);
    if (in->key)
        (void)sas_make(sr, in->key,
                       clock_wall_ms() / 1000 +
                           (uint64_t)(in->expires_in_s ? in->expires_in_s : 60),
                       "registration", &token, NULL);
    return mqtt_login(l, &hub,
                      &(struct mqtt_login){.client_id = in->client_id ? in->client_id : in->id,
                                           .user = user,
                                           .device = in->id,
                                           .password = token.data,
                                           .cert = in->cert,
                                           .cert_key = in->cert_key,
                                           .websocket = in->websocket},
                      NULL);
}

/* Sends a request with QoS 1 and takes its answer; the acknowledgement may come before or after. */
static bool ask(struct link *l, const char *topic, const char *payload, struct buf *topic_back,
                cJSON **ret)
{
    auto_buf struct buf packet = {0};
    bool acknowledged = false, answered = false;

    *ret = NULL;
    (void)mqtt_publish(l, topic, 1, 9, payload, strlen(payload));
    while (!acknowledged || !answered) {
        unsigned first = recv_packet(l, &packet);
        const unsigned char *data = (const unsigned char *)buf_str(&packet);

        if ((first & 0xf0) == 0x40) {
            acknowledged = true;
        } else if ((first & 0xf0) == 0x30) {
            size_t n = (size_t)(data[0] << 8 | data[1]) + 2;

            buf_clear(topic_back);
            buf_append(topic_back, data + 2, n - 2);
            if (first & 6) {
                (void)mqtt_puback(l, (unsigned)(data[n] << 8 | data[n + 1]));
                n += 2;
            }
            *ret = json_parse((const char *)data + n, packet.len - n, NULL);
            answered = true;
        } else {
            return false;
        }
    }
    return true;
}

static void provision(const char *name, const struct login *in)
{
    struct link l = {0};
    auto_buf struct buf topic = {0};
    auto_json cJSON *first = NULL;
    auto_json cJSON *second = NULL;
    char poll[300];
    int code = login(&l, in);
    bool ok = code == 0 && mqtt_subscribe(&l, "$dps/registrations/res/#", 1) == 1 &&
              ask(&l, "$dps/registrations/PUT/iotdps-register/?$rid=a-1", "{\"payload\":7}", &topic,
                  &first);

    if (!report(
            name,
            ok && first &&
                str_starts(buf_str(&topic), "$dps/registrations/res/202/?$rid=a-1&retry-after=") &&
                str_eq(json_str(first, "status", ""), "assigning"),
            buf_str(&topic))) {
        link_close(&l);
        return;
    }
    snprintf(poll, sizeof(poll),
             "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=b&operationId=%s",
             json_str(first, "operationId", ""));
    ok = ask(&l, poll, " ", &topic, &second);

    const cJSON *state = second ? json_get(second, "registrationState") : NULL;

    report("and it is assigned",
           ok && state && str_eq(buf_str(&topic), "$dps/registrations/res/200/?$rid=b") &&
               str_eq(json_str(state, "assignedHub", ""), HUB_HOST) &&
               str_eq(json_str(state, "deviceId", ""), in->id) &&
               json_u64(state, "payload", 0) == 7,
           buf_str(&topic));
    (void)send_packet(&l, 0xe0, NULL);
    link_close(&l);
}

static void refuse(const char *name, const struct login *in)
{
    struct link l = {0};
    char seen[32];
    int code = login(&l, in);

    snprintf(seen, sizeof(seen), "CONNACK %d", code);
    report(name, code == 5, seen);
    link_close(&l);
}

static void test_refused(void)
{
    char scope[32];
    struct login good = {.id = "one", .key = key};

    refuse("a wrong key is refused with CONNACK 5",
           &(struct login){.id = "one", .key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="});
    refuse("so is who is not enrolled", &(struct login){.id = "two", .key = key});
    refuse("so is an expired token",
           &(struct login){.id = "one", .key = key, .expires_in_s = -301});
    refuse("so is another client id",
           &(struct login){.id = "one", .key = key, .client_id = "other"});
    snprintf(scope, sizeof(scope), "%s", dps_scope);
    snprintf(dps_scope, sizeof(dps_scope), "0ne00000000");
    refuse("so is another id scope", &good);
    snprintf(dps_scope, sizeof(dps_scope), "%s", scope);
}

/* The number in the topic of the answer. */
static int status_of(const struct buf *topic)
{
    const char *at = strstr(buf_str(topic), "/res/");

    return at ? (int)strtol(at + 5, NULL, 10) : 0;
}

static void test_errors(void)
{
    struct link l = {0};
    auto_buf struct buf topic = {0};
    cJSON *out = NULL;

    if (login(&l, &(struct login){.id = "one", .key = key}) != 0 ||
        mqtt_subscribe(&l, "$dps/registrations/res/#", 2) != 1) {
        report("QoS 2 is granted as 1", false, NULL);
        return;
    }
    report("QoS 2 is granted as 1", true, NULL);
    (void)ask(&l, "$dps/registrations/PUT/iotdps-register/?$rid=1", "{", &topic, &out);
    report("a body that is no JSON is answered 400",
           status_of(&topic) == 400 && out && json_u64(out, "errorCode", 0) == 400004,
           buf_str(&topic));
    cJSON_Delete(out);
    (void)ask(&l, "$dps/registrations/PUT/iotdps-register/?$rid=2", "{\"registrationId\":\"x\"}",
              &topic, &out);
    report("one for another registration, too", status_of(&topic) == 400, buf_str(&topic));
    cJSON_Delete(out);
    (void)ask(&l, "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=3&operationId=none", " ",
              &topic, &out);
    report("an unknown operation is answered 404",
           status_of(&topic) == 404 && out && json_u64(out, "errorCode", 0) == 404204,
           buf_str(&topic));
    cJSON_Delete(out);
    report("another filter is refused", mqtt_subscribe(&l, "devices/one/messages/#", 1) == 0x80,
           NULL);
    (void)mqtt_publish(&l, "$dps/registrations/PUT/other/?$rid=4", 1, 4, "{}", 2);
    report("another topic ends the connection", link_ends(&l), NULL);
    link_close(&l);
}

static void test_takeover(void)
{
    struct link first = {0}, second = {0};
    struct login in = {.id = "one", .key = key};

    report("a second connection of the same registration ends the first",
           login(&first, &in) == 0 && login(&second, &in) == 0 && link_ends(&first) &&
               mqtt_ping(&second),
           NULL);
    link_close(&first);
    link_close(&second);
}

/* A token counts for five minutes after its end: this one has four seconds left. */
static void test_token_ends(void)
{
    struct link l = {0};

    report("the end of its token ends a connection",
           login(&l, &(struct login){.id = "one", .key = key, .expires_in_s = -296}) == 0 &&
               link_ends(&l),
           NULL);
    link_close(&l);
}

static void test_disabled(void)
{
    struct link l = {0};
    auto_buf struct buf topic = {0};
    auto_json cJSON *out = NULL;
    char off[128];

    (void)enrol_key(&hub, false, "off", ",\"provisioningStatus\":\"disabled\"", off);
    (void)login(&l, &(struct login){.id = "off", .key = off});
    (void)mqtt_subscribe(&l, "$dps/registrations/res/#", 1);
    (void)ask(&l, "$dps/registrations/PUT/iotdps-register/?$rid=1", "{}", &topic, &out);
    report("a disabled enrolment says so",
           status_of(&topic) == 200 && out && str_eq(json_str(out, "status", ""), "disabled"),
           buf_str(&topic));
    link_close(&l);
}

static void test_certificates(void)
{
    char cert[80], cert_key[80];
    auto_buf struct buf pem = {0};
    auto_buf struct buf topic = {0};
    auto_json cJSON *doc = cJSON_CreateObject();
    auto_json cJSON *out = NULL;
    auto_buf struct buf text = {0};
    auto_answer struct answer a = {0};
    struct link l = {0};

    if (!mkdtemp(dir))
        abort();
    snprintf(cert, sizeof(cert), "%s/c.pem", dir);
    snprintf(cert_key, sizeof(cert_key), "%s/c.key", dir);
    if (tls_cert_make_self_signed(cert, cert_key, "cert-1", 30, NULL) < 0 ||
        file_read(cert, 65536, &pem, NULL) < 0)
        abort();

    struct login in = {.id = "cert-1", .cert = cert, .cert_key = cert_key};

    struct link real = {0};

    in.id = "one";
    report("a certificate that nobody knows takes nobody's place",
           login(&real, &(struct login){.id = "one", .key = key}) == 0 && login(&l, &in) == 0 &&
               mqtt_ping(&real),
           NULL);
    in.id = "cert-1";
    link_close(&real);
    link_close(&l);
    report("a certificate that nobody knows may connect",
           login(&l, &in) == 0 && mqtt_subscribe(&l, "$dps/registrations/res/#", 1) == 1 &&
               ask(&l, "$dps/registrations/PUT/iotdps-register/?$rid=1", "{}", &topic, &out),
           buf_str(&topic));
    report("and is told 401",
           status_of(&topic) == 401 && out && json_u64(out, "errorCode", 0) == 401002,
           buf_str(&topic));
    link_close(&l);

    cJSON *attestation = json_add_obj(doc, "attestation");

    json_add_str(attestation, "type", "x509");
    json_add_str(json_add_obj(json_add_obj(json_add_obj(attestation, "x509"), "clientCertificates"),
                              "primary"),
                 "certificate", pem.data);
    json_print(&text, doc);
    (void)service(&hub, "PUT", "/enrollments/cert-1", NULL, text.data, &a);
    provision("once it is enrolled it registers", &in);
    in.websocket = true;
    provision("also through a WebSocket", &in);
    (void)file_remove_tree(dir, NULL);
}

/* The hub's own clients are not mistaken for this service's. */
static void test_neighbour(void)
{
    struct link l = {0};
    char device_key[128];

    device_create(&hub, "registrations", false, device_key);
    report("a device that is called \"registrations\" still reaches the hub",
           mqtt_login(&l, &hub, &(struct mqtt_login){.device = "registrations", .key = device_key},
                      NULL) == 0 &&
               mqtt_ping(&l),
           NULL);
    link_close(&l);
}

int main(void)
{
    json_init();
    if (!hub_begin(&hub) || !report("its record is there", dps_read_record(&hub), NULL))
        return 1;
    (void)enrol_key(&hub, false, "one", "", key);
    provision("a registration is accepted", &(struct login){.id = "one", .key = key});
    provision("also through a WebSocket",
              &(struct login){.id = "one", .key = key, .websocket = true});
    test_refused();
    test_errors();
    test_takeover();
    test_token_ends();
    test_disabled();
    test_certificates();
    test_neighbour();
    return hub_finish(&hub);
}
