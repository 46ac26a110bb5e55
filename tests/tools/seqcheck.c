/* Checks a log stream for lines that were lost, doubled or out of order: reads the output of `berth
 * logs -f --json MODULE` from standard input, where the module's lines are readings with a sequence
 * number ({"sequence":17,...}), and compares three counts: the readings' own numbers, the stream's,
 * and the gaps it admits to.
 *
 *   seqcheck [--count N] [--first N]
 *
 * --count: stop after N readings (else at the end of input). --first: the number that the first
 * reading must have. Prints one line of JSON; exit code 0 if nothing was lost, doubled or out of
 * order, 1 if something was, 2 for wrong usage. */
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tally {
    uint64_t readings, other;           /* lines that are readings, and those that are not */
    uint64_t lost, doubled, disordered; /* by the readings' numbers */
    uint64_t gaps;                      /* lines that the stream says it lost */
    uint64_t stream_wrong;              /* stream numbers that do not go on */
    uint64_t last, last_seq, first;
    uint64_t begun_ms, ended_ms;
};

/* The first reading may have any number (a tail), unless it is given. */
static void take_reading(struct tally *t, uint64_t number)
{
    if (t->readings++ == 0) {
        t->begun_ms = clock_mono_ms();
        if (t->first && number > t->first)
            t->lost += number - t->first;
        t->first = number;
    } else if (number == t->last) {
        t->doubled++;
    } else if (number < t->last) {
        t->disordered++;
        return;
    } else {
        t->lost += number - t->last - 1;
    }
    t->last = number;
    t->ended_ms = clock_mono_ms();
}

static void take_line(struct tally *t, const char *line, size_t len)
{
    auto_json cJSON *entry = json_parse(line, len, NULL);
    const char *text = json_str(entry, "text", "");
    uint64_t seq = json_u64(entry, "seq", 0);
    uint64_t gap = json_u64(entry, "gap", 0);
    if (!entry || !seq) {
        t->other++;
        return;
    }
    t->gaps += gap;
    if (t->last_seq && seq != t->last_seq + 1 + gap)
        t->stream_wrong++;
    t->last_seq = seq;

    auto_json cJSON *reading = *text == '{' ? json_parse(text, strlen(text), NULL) : NULL;
    if (cJSON_IsNumber(json_get(reading, "sequence")))
        take_reading(t, json_u64(reading, "sequence", 0));
    else
        t->other++;
}

static bool option(int argc, char **argv, int *i, const char *name, uint64_t *value)
{
    if (!str_eq(argv[*i], name) || *i + 1 >= argc)
        return false;
    return str_to_u64(argv[++*i], UINT64_MAX, value);
}

int main(int argc, char **argv)
{
    struct tally t = {0};
    uint64_t count = 0;
    for (int i = 1; i < argc; i++) {
        if (!option(argc, argv, &i, "--count", &count) &&
            !option(argc, argv, &i, "--first", &t.first)) {
            (void)fprintf(stderr, "usage: seqcheck [--count N] [--first N] <lines\n");
            return 2;
        }
    }

    char *line = NULL;
    size_t size = 0;
    ssize_t n = 0;
    while ((!count || t.readings < count) && (n = getline(&line, &size, stdin)) > 0)
        take_line(&t, line, (size_t)n);
    free(line);

    uint64_t took = t.ended_ms - t.begun_ms;
    bool fine = t.readings > 0 && (!count || t.readings >= count) && !t.lost && !t.doubled &&
                !t.disordered && !t.gaps && !t.stream_wrong;
    (void)printf("{\"readings\":%" PRIu64 ",\"first\":%" PRIu64 ",\"last\":%" PRIu64
                 ",\"lost\":%" PRIu64 ",\"doubled\":%" PRIu64 ",\"disordered\":%" PRIu64
                 ",\"gaps\":%" PRIu64 ",\"streamWrong\":%" PRIu64 ",\"other\":%" PRIu64
                 ",\"linesPerSecond\":%" PRIu64 ",\"fine\":%s}\n",
                 t.readings, t.first, t.last, t.lost, t.doubled, t.disordered, t.gaps,
                 t.stream_wrong, t.other, took ? t.readings * 1000 / took : 0,
                 fine ? "true" : "false");
    return fine ? 0 : 1;
}
