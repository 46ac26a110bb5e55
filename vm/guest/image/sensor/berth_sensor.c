// The sample module: prints a JSON reading each second and serves its counters to Prometheus.
//
// It is what the sandbox deploys and what tests watch, so that it can also be a generator with
// sequence numbers (RATE, COUNT), a source of hostile output (LINE=hostile) and a module that dies
// (EXIT_AFTER, EXIT_CODE). Static and alone in its container: it is PID 1 there, which is why it
// handles SIGTERM itself (the kernel gives PID 1 no default action). One thread, one poll loop.

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define METRICS_PORT    9600
#define CLIENTS_MAX     8
#define CLIENT_LIMIT_MS 5000
#define TICK_MS         10
#define RATE_MAX        10000
#define MONSTER_BYTES   ((size_t)10 * 1024 * 1024)

struct options {
    unsigned rate;         // lines a second
    unsigned long count;   // stop printing after so many, 0: never
    bool hostile;          // print what a terminal must never see
    unsigned exit_after_s; // 0: never
    unsigned exit_code;
};

struct client {
    int fd; // -1: free
    uint64_t since_ms;
    size_t len;
    char head[1024];
};

struct sensor {
    struct options options;
    uint64_t start_ms;
    unsigned long readings;
    char out[65536]; // lines of one tick, written together
    size_t out_len;
    int listen_fd;
    struct client clients[CLIENTS_MAX];
};

static const char *const hostile_lines[] = {
    "\033[2J\033[H screen cleared, cursor home",
    "\033]0;title taken over\007 and \033]52;c;YmFk\007 the clipboard",
    "\033P1$r0m\033\\ a device control string",
    "\302\233 31m C1 control, \377\376 not UTF-8, \342\200\256 text turned around",
    "tab\tbackspace\b\b\bcarriage return\rover",
};

static uint64_t now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void on_terminate(int signo)
{
    (void)signo;
    _exit(0);
}

// Writes all; a reader that went away ends the process, as nobody sees it any more.
static void write_all(const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(1);
        data += n;
        len -= (size_t)n;
    }
}

static void out_flush(struct sensor *sensor)
{
    write_all(sensor->out, sensor->out_len);
    sensor->out_len = 0;
}

// Centidegrees on a saw-tooth around 21 degrees: smooth in a plot, and known from the number.
static int temperature_centi(unsigned long sequence)
{
    int step = (int)(sequence % 240);

    return 1900 + (step < 120 ? step : 240 - step) * 4;
}

__attribute__((format(printf, 2, 3))) static void out_printf(struct sensor *sensor, const char *fmt,
                                                             ...)
{
    va_list args;

    if (sizeof(sensor->out) - sensor->out_len < 512)
        out_flush(sensor);
    va_start(args, fmt);
    int n =
        vsnprintf(sensor->out + sensor->out_len, sizeof(sensor->out) - sensor->out_len, fmt, args);
    va_end(args);
    if (n > 0)
        sensor->out_len += (size_t)n;
}

static void reading_print(struct sensor *sensor)
{
    struct timespec ts;
    struct tm tm;
    char when[32];

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    (void)gmtime_r(&ts.tv_sec, &tm);
    (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
    sensor->readings++;
    int centi = temperature_centi(sensor->readings);

    out_printf(sensor, "{\"sequence\":%lu,\"time\":\"%s.%03ldZ\",\"temperature\":%d.%02d}\n",
               sensor->readings, when, ts.tv_nsec / 1000000, centi / 100, centi % 100);
}

static void monster_print(struct sensor *sensor)
{
    char block[4096];

    memset(block, 'M', sizeof(block));
    out_flush(sensor);
    for (size_t done = 0; done < MONSTER_BYTES; done += sizeof(block))
        write_all(block, sizeof(block));
    write_all("\n", 1);
}

static void hostile_print(struct sensor *sensor)
{
    const size_t lines = sizeof(hostile_lines) / sizeof(hostile_lines[0]);
    size_t turn = sensor->readings % (lines + 2);

    if (turn < lines)
        out_printf(sensor, "%s\n", hostile_lines[turn]);
    else if (turn == lines)
        out_printf(sensor, "NUL %c%c bytes\n", 0, 0);
    else if (sensor->readings < lines + 2) // once
        monster_print(sensor);
    reading_print(sensor);
}

// Prints what is due by now: the rate holds on average whatever the length of a tick.
static void readings_due(struct sensor *sensor)
{
    const struct options *options = &sensor->options;
    uint64_t due = (now_ms() - sensor->start_ms) * options->rate / 1000 + 1;

    if (options->count > 0 && due > options->count)
        due = options->count;
    while (sensor->readings < due) {
        if (options->hostile)
            hostile_print(sensor);
        else
            reading_print(sensor);
    }
    out_flush(sensor);
}

static void client_close(struct client *client)
{
    (void)close(client->fd);
    client->fd = -1;
}

static void client_answer(const struct sensor *sensor, struct client *client)
{
    char body[512];
    char reply[1024];
    int centi = temperature_centi(sensor->readings);
    bool found = strncmp(client->head, "GET /metrics", strlen("GET /metrics")) == 0;

    int body_len =
        !found ? 0
               : snprintf(body, sizeof(body),
                          "# HELP berth_sensor_readings_total Readings printed since the start.\n"
                          "# TYPE berth_sensor_readings_total counter\n"
                          "berth_sensor_readings_total %lu\n"
                          "# HELP berth_sensor_temperature_celsius Latest reading.\n"
                          "# TYPE berth_sensor_temperature_celsius gauge\n"
                          "berth_sensor_temperature_celsius %d.%02d\n",
                          sensor->readings, centi / 100, centi % 100);
    int len = snprintf(reply, sizeof(reply),
                       "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4\r\n"
                       "Content-Length: %d\r\nConnection: close\r\n\r\n%.*s",
                       found ? "200 OK" : "404 Not Found", body_len, body_len, body);

    (void)send(client->fd, reply, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
    client_close(client);
}

static void client_read(const struct sensor *sensor, struct client *client)
{
    ssize_t n = recv(client->fd, client->head + client->len, sizeof(client->head) - 1 - client->len,
                     MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        client_close(client);
        return;
    }
    client->len += (size_t)n;
    client->head[client->len] = '\0';
    if (strstr(client->head, "\r\n\r\n") != NULL)
        client_answer(sensor, client);
    else if (client->len == sizeof(client->head) - 1)
        client_close(client);
}

static void client_accept(struct sensor *sensor)
{
    int fd = accept4(sensor->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &sensor->clients[i];

        if (client->fd < 0) {
            *client = (struct client){.fd = fd, .since_ms = now_ms()};
            return;
        }
    }
    (void)close(fd);
}

static int metrics_listen(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(METRICS_PORT)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, CLIENTS_MAX) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

// How long nothing is due, in ms. Clients are looked at once a second for their time limit.
static int wait_ms(const struct sensor *sensor)
{
    const struct options *options = &sensor->options;
    bool printing = options->count == 0 || sensor->readings < options->count;

    if (!printing || options->rate == 0)
        return 1000;
    if (options->rate > 1000 / TICK_MS)
        return TICK_MS;

    uint64_t next = sensor->start_ms + (uint64_t)sensor->readings * 1000 / options->rate;
    uint64_t now = now_ms();

    return next <= now ? 1 : (int)(next - now < 1000 ? next - now : 1000);
}

static void sensor_turn(struct sensor *sensor)
{
    struct pollfd fds[1 + CLIENTS_MAX] = {{.fd = sensor->listen_fd, .events = POLLIN}};

    for (size_t i = 0; i < CLIENTS_MAX; i++)
        fds[1 + i] = (struct pollfd){.fd = sensor->clients[i].fd, .events = POLLIN};
    if (poll(fds, 1 + CLIENTS_MAX, wait_ms(sensor)) > 0) {
        for (size_t i = 0; i < CLIENTS_MAX; i++) {
            if (fds[1 + i].revents != 0)
                client_read(sensor, &sensor->clients[i]);
        }
        if (fds[0].revents != 0)
            client_accept(sensor);
    }
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &sensor->clients[i];

        if (client->fd >= 0 && now_ms() - client->since_ms > CLIENT_LIMIT_MS)
            client_close(client);
    }
    readings_due(sensor);
}

static unsigned long env_number(const char *name, unsigned long otherwise, unsigned long max)
{
    const char *text = getenv(name); // NOLINT(concurrency-mt-unsafe): one thread
    char *end = NULL;

    if (text == NULL || *text < '0' || *text > '9')
        return otherwise;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    return errno != 0 || *end != '\0' || value > max ? otherwise : value;
}

static void options_read(struct options *ret)
{
    const char *line = getenv("LINE"); // NOLINT(concurrency-mt-unsafe): one thread

    ret->rate = (unsigned)env_number("RATE", 1, RATE_MAX);
    ret->count = env_number("COUNT", 0, 1000000000);
    ret->exit_after_s = (unsigned)env_number("EXIT_AFTER", 0, 1000000);
    ret->exit_code = (unsigned)env_number("EXIT_CODE", 0, 255);
    ret->hostile = line != NULL && strcmp(line, "hostile") == 0;
}

int main(void)
{
    static struct sensor sensor;
    struct sigaction action = {.sa_handler = on_terminate};

    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    options_read(&sensor.options);
    sensor.start_ms = now_ms();
    sensor.listen_fd = metrics_listen();
    if (sensor.listen_fd < 0)
        (void)fprintf(stderr, "berth-sensor: no metrics: port %d: %m\n", METRICS_PORT);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        sensor.clients[i].fd = -1;

    const struct options *options = &sensor.options;
    uint64_t end_ms = sensor.start_ms + (uint64_t)options->exit_after_s * 1000;

    for (;;) {
        if (options->exit_after_s > 0 && now_ms() >= end_ms)
            return (int)options->exit_code;
        sensor_turn(&sensor);
    }
}
