/* A device of the sandbox for shell tests: answers methods, prints messages, sends telemetry.
 *
 *   hub_device HUB-DIR MQTT-PORT
 *
 * Standard input: its connection string, then a line for each message that it sends. It prints
 * `connected`, `method NAME PAYLOAD`, `message BODY`, `sent`. A method is answered with what it was
 * called with and status 200, one called "refuse" with 404, one called "silent" not at all. Ends
 * with its standard input, or when the hub ends the connection. */
#include "tests/hub_client.h"

#include "core/azure/connstr.h"

#include <poll.h>

static void say(const char *fmt, ...) ATTR_PRINTF(1, 2);

static void say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vprintf(fmt, ap);
    va_end(ap);
    (void)putchar('\n');
    (void)fflush(stdout);
}

static bool read_line(char *to, size_t size)
{
    if (!fgets(to, (int)size, stdin))
        return false;
    to[strcspn(to, "\r\n")] = '\0';
    return true;
}

static bool log_in(struct link *l, const struct test_hub *h, const struct connstr *c)
{
    const struct mqtt_login login = {.device = c->device_id, .key = c->key.data};
    char filter[300];
    int code = mqtt_login(l, h, &login, NULL);
    if (code != 0) {
        say("refused %d", code);
        return false;
    }
    (void)str_format(filter, sizeof(filter), "devices/%s/messages/devicebound/#", c->device_id);
    if (mqtt_subscribe(l, "$iothub/methods/POST/#", 0) != 0 || mqtt_subscribe(l, filter, 1) < 0)
        return false;
    say("connected");
    return true;
}

/* "$iothub/methods/POST/NAME/?$rid=N" */
static void answer_method(struct link *l, const char *topic, const struct buf *payload)
{
    const char *name = topic + strlen("$iothub/methods/POST/");
    const char *rid = strstr(name, "/?$rid=");
    char reply[200], method[100];
    if (!rid)
        return;
    (void)str_format(method, sizeof(method), "%.*s", (int)(rid - name), name);
    say("method %s %s", method, buf_str(payload));
    if (str_eq(method, "silent"))
        return;
    (void)str_format(reply, sizeof(reply), "$iothub/methods/res/%d/%s",
                     str_eq(method, "refuse") ? 404 : 200, rid + 1);
    (void)mqtt_publish(l, reply, 0, 0, buf_str(payload), payload->len);
}

/* A PUBLISH of the hub's; QoS 1 is acknowledged. */
static void take_publish(struct link *l, unsigned first, const struct buf *body)
{
    auto_buf struct buf topic = {0}, payload = {0}, ack = {0};
    size_t n = body->len < 2
                   ? 0
                   : (size_t)((unsigned char)body->data[0] << 8 | (unsigned char)body->data[1]);
    size_t at = 2 + n + (first & 6 ? 2 : 0);
    if (at > body->len)
        return;
    buf_append(&topic, body->data + 2, n);
    buf_append(&payload, body->data + at, body->len - at);
    if (first & 6) {
        buf_append(&ack, body->data + 2 + n, 2);
        (void)send_packet(l, 0x40, &ack);
    }
    if (str_starts(buf_str(&topic), "$iothub/methods/POST/"))
        answer_method(l, buf_str(&topic), &payload);
    else
        say("message %s", buf_str(&payload));
}

static bool send_telemetry(struct link *l, const char *device)
{
    static char line[65536];
    char topic[300];
    if (!read_line(line, sizeof(line)))
        return false;
    (void)str_format(topic, sizeof(topic), "devices/%s/messages/events/", device);
    return mqtt_publish(l, topic, 1, 1, line, strlen(line));
}

static void serve(struct link *l, const char *device)
{
    auto_buf struct buf body = {0};
    bool open = true;
    while (open && !l->ended) {
        struct pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {l->fd, POLLIN, 0}};
        bool waiting = l->in.len > 0 || SSL_pending(l->ssl) > 0;
        if (!waiting && poll(fds, 2, -1) < 0)
            return;
        if (waiting || fds[1].revents) {
            unsigned first = recv_packet(l, &body);
            if ((first & 0xf0) == 0x30)
                take_publish(l, first, &body);
            else if (first == 0x40)
                say("sent");
        } else if (fds[0].revents) {
            open = send_telemetry(l, device);
        }
    }
}

int main(int argc, char **argv)
{
    static char line[CONNSTR_MAX];
    struct test_hub h = {0};
    struct link l = {0};
    auto_connstr struct connstr c = {0};
    uint64_t port = 0;
    (void)setvbuf(stdin, NULL, _IONBF, 0); /* poll() must see every line */
    if (argc != 3 || !str_to_u64(argv[2], UINT16_MAX, &port) || !read_line(line, sizeof(line)) ||
        connstr_parse(line, strlen(line), &c, NULL) < 0)
        return 2;
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    STR_SET(h.dir, argv[1]);
    h.mqtt_port = (uint16_t)port;
    if (!log_in(&l, &h, &c))
        return 1;
    serve(&l, c.device_id);
    link_close(&l);
    return 0;
}
