#include "vm/guest/hub/route.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char weather[] =
    "{\"message\": {\"Weather\": {\"Temp\": 50, \"Cold\": -50.4, \"Nothing\": null, \"On\": true,"
    " \"Off\": false, \"Time\": \"2017-03-09T00:00:00.000Z\", \"Prev\": [20, 30, 40],"
    " \"Place\": {\"Street\": \"One \\u0041 Way\", \"City\": \"Redmond\"},"
    " \"Days\": [{\"Day\": \"Mo\", \"T\": 40}, {\"Day\": \"Tu\", \"T\": 30}]}}, \"Temp\": 1}";

static struct edge_message message(const char *bag, const char *body)
{
    return (struct edge_message){
        .device = "dev",
        .module = "sensor",
        .output = "out1",
        .model = "",
        .bag = bag,
        .bag_len = strlen(bag),
        .body = body,
        .len = strlen(body),
    };
}

#define BAG                                                                                \
    "key1=value1&key2=3&key3=VALUE3&nothing&empty=&City=Redmond&%24.mid=m1&"               \
    "%24.ct=application%2Fjson&%24.ce=UTF-8&%24sys=mine&%24body.message.Weather.Cold=app&" \
    "%c3%a4=%c3%a4%f0%9f%98%80x"

static enum route_truth truth_of(const char *condition, const struct edge_message *m)
{
    char text[1024];
    struct route *r = NULL;
    struct err err = {0};
    struct route_input *in = route_input_new();

    (void)snprintf(text, sizeof(text), "FROM /* WHERE %s INTO $upstream", condition);
    cr_assert_eq(route_compile(text, strlen(text), &r, &err), 0, "%s: %s", text, err.msg);
    route_input_set(in, m);

    enum route_truth truth = route_condition(r, in);

    cr_assert_eq(route_condition(r, in), truth, "%s: not the same twice", text);
    route_input_free(in);
    route_free(r);
    return truth;
}

static void check(const char *const *conditions, size_t n, enum route_truth expected)
{
    struct edge_message m = message(BAG, weather);

    for (size_t i = 0; i < n; i++)
        cr_expect_eq(truth_of(conditions[i], &m), expected, "%s: %d", conditions[i],
                     truth_of(conditions[i], &m));
}

Test(route_condition, takes_what_is_true)
{
    static const char *const conditions[] = {"true",
                                             "3 = 3",
                                             "'3' = \"3\"",
                                             "key1 = 'value1'",
                                             "KEY1 = 'value1'",
                                             "key1 != 'x'",
                                             "key1 <> 'x'",
                                             "key2 = '3'",
                                             "as_number(key2) = 3",
                                             "as_number(as_number(4)) * 3 = 12",
                                             "not false",
                                             "not (true and false)",
                                             "true or undefined",
                                             "undefined or true",
                                             "not (none = 'x') or true",
                                             "3 + 4 = 7",
                                             "3 - 4 = -1",
                                             "3 * 4 + 1 = 13",
                                             "1 + 3 * 4 = 13",
                                             "3 / 4 = 0.75",
                                             "4 % 3 = 1",
                                             "-(3 + 4) = -7",
                                             "10 - 2 - 3 = 5",
                                             "1/0 > 5",
                                             "0x1F = 31",
                                             "1e3 = 1000",
                                             ".5 = 0.5",
                                             "3 < 4 and 4 >= 4",
                                             "'a' < 'b'",
                                             "'b' > 'a' OR false",
                                             "true = true",
                                             "false < true",
                                             "(none ?? 'hello') = 'hello'",
                                             "(none ?? none2 ?? 'x') = 'x'",
                                             "(3 % 0 ?? 12) = 12",
                                             "null = null",
                                             "(null and true) = null",
                                             "not null",
                                             "null or true",
                                             "'a' || key1 || 'd' = 'avalue1d'",
                                             "'a' || nothing || 'b' = 'ab'",
                                             "'a' /* why */ = 'a'",
                                             "'\\u0041\\\\\\'' = \"A\\\\'\"",
                                             "'\\ud83d\\ude00' = '😀'",
                                             "is_defined(nothing)",
                                             "is_null(nothing)",
                                             "is_defined(empty)",
                                             "empty = ''",
                                             "is_defined($messageId)",
                                             "$messageId = 'm1'",
                                             "{$messageId} = 'm1'",
                                             "{ $MESSAGEID } = 'm1'",
                                             "$contentType = 'application/json'",
                                             "$sys = 'mine'",
                                             "$connectionDeviceId = 'dev'",
                                             "$connectionModuleId = 'sensor'",
                                             "$outputName = 'out1'"};

    check(conditions, ARRAY_LEN(conditions), ROUTE_TRUE);
}

Test(route_condition, finds_its_way_in_the_body)
{
    static const char *const conditions[] = {
        "$body.Temp = 1", "50 >= $body.message.Weather.Temp",
        "$BODY.message.Weather.Temp = 40 + 10",
        "$body.message.Weather.Prev[1] * $body.message.Weather.Prev[2] = 1200",
        "$body.message.Weather.Prev[1]/$body.message.Weather.Prev[0] = 1.5",
        "$body.message.Weather.Days[0].T - 10 = $body.message.Weather.Days[1].T",
        "$body.message.Weather.Days[1].Day = 'Tu'", "$body.message.Weather.Place.City = City",
        "$body.message.Weather.Place.Street = 'One A Way'", "$body.message.Weather.On",
        "NOT $body.message.Weather.Off", "$body.message.Weather.On AND true",
        "true AND $body.message.Weather.On", "$body.message.Weather.Nothing = null",
        "is_null($body.message.Weather.Nothing)", "$body.message.Weather.Lost = null",
        "$body.message.Weather.Lost <> '100'", "not is_defined($body.message.Weather.Lost)",
        "is_null($body.message.Weather.Lost)", "is_defined($body.message.Weather.Nothing)",
        "$body.message.Weather.Temp != '50'", "$body.message.Weather.Temp <> null",
        "is_number($body.message.Weather.Temp)", "($body.message.Weather.Lost ?? 7) = 7",
        /* an application property with that very name goes first, and braces pass it by */
        "$body.message.Weather.Cold = 'app'", "{$body.message.Weather.Cold} = -50.4",
        "-{$body.message.Weather.Cold} = 50.4", "$body.message.Weather.Temp % 7 = 1"};

    check(conditions, ARRAY_LEN(conditions), ROUTE_TRUE);
}

Test(route_condition, calls_functions)
{
    static const char *const conditions[] = {
        "abs(-12) = 12", "ABS(as_number(key2)) = 3", "ceiling(2.1) = 3", "floor(-2.1) = -3",
        "exp(0) = 1", "power(2, 3) = 8", "square(3) = 9", "sqrt(4) = 2", "sign(-2.1) = -1",
        "sign(3 / 0) = 1", "as_number(' 10e10 ') = 10e10", "as_number('10e1000') = 1/0",
        "is_bool(true)", "not is_bool(key1)", "is_string(key1)", "not is_string(none)",
        "not is_string(nothing)", "is_number(12.5)", "not is_number(3 / 0)",
        "concat('a', 'b', 'c', 'd') = 'abcd'", "length('HELLO') = 5", "length('') = 0",
        "lower('HELLO') = 'hello'", "upper(key1) = 'VALUE1'", "upper('ä') = 'Ä'",
        "substring('abc', 1) = 'bc'", "substring('abc', 3) = ''",
        "substring('hello', 1, 3) = 'ell'", "index_of('abcdef', 'cd') = 2",
        "index_of('abc', 'xz') = -1", "starts_with('abc', 'ab')", "ends_with(key1, 'e1')",
        "contains(key1, 'val')", "not contains('abc', 'xz')",
        /* positions count as UTF-16 does */
        "length(ä) = 4", "index_of(ä, 'x') = 3", "substring(ä, 3) = 'x'",
        "substring(ä, 1, 2) = '😀'", "concat($body.message.Weather.Place.City, '!') = 'Redmond!'",
        "length($body.message.Weather.Place.City) = 7"};

    check(conditions, ARRAY_LEN(conditions), ROUTE_TRUE);
}

Test(route_condition, leaves_what_is_false)
{
    static const char *const conditions[] = {"false",
                                             "3 = 4",
                                             "key1 = 'value2'",
                                             "true and not true",
                                             "false and undefined",
                                             "none = 'x' and false",
                                             "null",
                                             "null and null",
                                             "is_defined(none)",
                                             "is_defined(undefined)",
                                             "is_defined(3 % 0)",
                                             "is_null(3)",
                                             "is_null(none)",
                                             "$body.message.Weather.Temp = '50'",
                                             "$body.message.Weather.Temp = null",
                                             "$body.message.Weather.Off",
                                             "is_defined(substring('abc', 4))",
                                             "is_defined(-undefined)",
                                             "is_defined($none)"};

    check(conditions, ARRAY_LEN(conditions), ROUTE_FALSE);
}

Test(route_condition, does_not_guess_what_is_undefined)
{
    static const char *const conditions[] = {"undefined",
                                             "3",
                                             "'text'",
                                             "key1",
                                             "none = 'x'",
                                             "none != 'x'",
                                             "not (none = 'x')",
                                             "none = 'x' or false",
                                             "true and none = 'x'",
                                             "undefined < undefined",
                                             "as_number(key1) = 3",
                                             "as_number('0x10') = 16",
                                             "as_number('nan') = 1",
                                             "as_number('') = 0",
                                             "nothing = ''",
                                             "sqrt(-4) = -2",
                                             "substring('abc', -1) = ''",
                                             "substring('abc', 1, 3) = 'bc'",
                                             "substring('abc', 3, 0) = ''",
                                             "substring(ä, 2) = 'x'",
                                             "starts_with(none, 'a')",
                                             "$body",
                                             "$body.message = null",
                                             "$body.message.Weather.Temp > 'a'",
                                             "$body.message.Weather.Lost > 3",
                                             "$body.message.Weather.Temp",
                                             "$body.message.Weather.Lost or true",
                                             "$enqueuedTime = 'x'"};

    check(conditions, ARRAY_LEN(conditions), ROUTE_UNDEFINED);
}

Test(route_condition, reads_the_body_only_as_json_in_a_known_encoding)
{
    static const char utf16[] = "{\0\"\0t\0\"\0:\0\"\0=\xd8\0\xde\"\0}\0"; /* {"t":"😀"} */
    struct edge_message m = message("%24.ct=application/json&%24.ce=utf-8", "{\"t\":5}");

    cr_expect_eq(truth_of("$body.t = 5", &m), ROUTE_TRUE);
    m = message("%24.ct=application/json", "{\"t\":5}");
    cr_expect_eq(truth_of("$body.t = 5", &m), ROUTE_UNDEFINED, "no encoding");
    m = message("%24.ct=text/plain&%24.ce=utf-8", "{\"t\":5}");
    cr_expect_eq(truth_of("$body.t = 5", &m), ROUTE_UNDEFINED, "not JSON");
    m = message("%24.ct=application/json&%24.ce=latin1", "{\"t\":5}");
    cr_expect_eq(truth_of("$body.t = 5", &m), ROUTE_UNDEFINED, "unknown encoding");
    m = message("%24.ct=application/json&%24.ce=utf-16", "");
    m.body = utf16;
    m.len = sizeof(utf16) - 1;
    cr_expect_eq(truth_of("$body.t = '😀'", &m), ROUTE_TRUE, "UTF-16");

    static const char *const broken[] = {"",
                                         "[1]",
                                         "{\"t\":5",
                                         "{\"t\":5}x",
                                         "{\"t\":05}",
                                         "{\"t\":5,}",
                                         "{t:5}",
                                         "{\"t\":5 \"u\":1}",
                                         "{\"t\":5,\"u\":\"\\x\"}",
                                         "{\"t\":5,\"u\":nul}",
                                         "{\"t\":5,\"u\":[1,]}",
                                         "\"t\""};

    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        m = message("%24.ct=application/json&%24.ce=utf-8", broken[i]);
        cr_expect_eq(truth_of("$body.t = 5", &m), ROUTE_UNDEFINED, "%s", broken[i]);
    }
    m = message("%24.ct=application/json&%24.ce=utf-8",
                " {\"t\":1, \"a\\u0062\":[[{}],[]], \"t\" : 5 } ");
    cr_expect_eq(truth_of("$body.t = 5 and $body.ab[2] = null", &m), ROUTE_TRUE,
                 "the last of two counts");
}

Test(route_condition, bounds_what_a_body_can_cost)
{
    static char deep[200001], wide[200001];
    struct edge_message m = message("%24.ct=application/json&%24.ce=utf-8", "");

    memset(deep, '[', sizeof(deep) - 1);
    memcpy(deep, "{\"t\":", 5);
    m.body = deep;
    m.len = sizeof(deep) - 1;
    cr_expect_eq(truth_of("$body.t = null", &m), ROUTE_UNDEFINED);

    /* Six bytes each that become one: doubled again and again until there is no more room. */
    memset(wide, 'x', sizeof(wide) - 1);
    memcpy(wide, "{\"t\":\"\\u0041", 12);
    memcpy(wide + sizeof(wide) - 3, "\"}", 2);
    m.body = wide;
    m.len = sizeof(wide) - 1;
    cr_expect_eq(truth_of("length($body.t) > 199000", &m), ROUTE_TRUE);
    cr_expect_eq(truth_of("is_defined($body.t || $body.t || $body.t || $body.t)", &m), ROUTE_FALSE);
}

Test(route_condition, refuses_what_cannot_work_and_says_where)
{
    static const struct {
        const char *condition, *says;
    } bad[] = {
        {"temperature > 30", "as_number()"},
        {"30 < temperature", "as_number()"},
        {"3 + none = 3", "as_number()"},
        {"true + 3 = 3", "needs a number, and has true or false"},
        {"3 + undefined = 3", "undefined"},
        {"'a' + 'b' = 'ab'", "needs a number"},
        {"'a' || 3 = 'a'", "needs a text, and has a number"},
        {"key1 ?? 3 = 3", "do not go together"},
        {"not key1", "= 'true'"},
        {"NOT key1 = 'x'", "in brackets"},
        {"key1 and true", "needs true or false"},
        {"- (key1) = 3", "needs a number"},
        {"abs(key1) = 3", "argument 1 must be a number, and is a text"},
        {"abs(1, 2) = 3", "too many"},
        {"abs() = 3", "needs 1 argument"},
        {"concat('a') = 'a'", "needs 2 arguments"},
        {"concat('a', null) = 'a'", "argument 2 must be a text, and is null"},
        {"lower(true) = 'a'", "must be a text"},
        {"substring('hello', 'a') = 'b'", "argument 2 must be a number"},
        {"nonsense(3)", "no such function"},
        {"test == true", "here should be a value"},
        {"a && b", "here should be"},
        {"none = \"", "no closing quote"},
        {"a = 'x\\n'", "backslash"},
        {"(3 = 3", "closing bracket"},
        {"3 = 3)", "operator or INTO"},
        {"3 -4 = 1", "operator or INTO"},
        {"a[0] = 'x'", "only $body"},
        {"$body.a[] = 1", "index must be a number"},
        {"$body.a[1:2] = 1", "index must be a number"},
        {"$body.a[0]b = 1", "there must be a dot"},
        {"$body..a = 1", "name is missing"},
        {"$body.a. = 1", "name is missing"},
        {"$body[0] = 1", "$body.name[0]"},
        {"{key1} = 'x'", "begins with $"},
        {"twin_change_includes(tags.a)", "twinChangeNotifications"},
        {"0x11111111111111111 = 1", "16 hexadecimal"},
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char text[512];
        struct route *r = NULL;
        struct err err = {0};

        (void)snprintf(text, sizeof(text), "FROM /* WHERE %s INTO $upstream", bad[i].condition);
        cr_expect_eq(route_compile(text, strlen(text), &r, &err), -1, "accepted: %s", text);
        cr_expect(strstr(err.msg, bad[i].says), "%s: %s", text, err.msg);
        cr_expect(strncmp(err.msg, "at ", 3) == 0, "no position: %s", err.msg);
        cr_expect_eq(err.kind, ERR_INVALID);
    }
}

Test(route_condition, counts_characters_from_one)
{
    struct route *r;
    struct err err;
    const char text[] = "FROM /* WHERE a = 3 INTO $upstream";

    cr_assert_eq(route_compile(text, strlen(text), &r, &err), -1);
    cr_assert_str_eq(err.msg, "at character 17 (=): a text and a number do not go together"
                              " (properties are texts: as_number() makes a number of one)");
}

Test(route_condition, sees_what_a_twin_change_includes)
{
    const char text[] = "FROM /twinChangeNotifications WHERE"
                        " twin_change_includes(properties.reported.Weather.Temp) INTO $upstream";
    struct route *r = NULL;
    struct route_input *in = route_input_new();
    struct edge_message m = message("%24.ct=application/json&%24.ce=utf-8",
                                    "{\"properties\":{\"reported\":{\"Weather\":{\"Temp\":{}}}}}");

    m.kind = EDGE_TWIN_CHANGE;
    cr_assert_eq(route_compile(text, strlen(text), &r, NULL), 0);
    route_input_set(in, &m);
    cr_expect(route_matches(r, in));
    m.body = "{\"properties\":{}}";
    m.len = strlen(m.body);
    route_input_set(in, &m);
    cr_expect_eq(route_condition(r, in), ROUTE_FALSE);
    m.body = "?";
    m.len = 1;
    route_input_set(in, &m);
    cr_expect_eq(route_condition(r, in), ROUTE_UNDEFINED);
    route_free(r);

    static const char *const bad[] = {"",
                                      "123",
                                      "properties.",
                                      "properties.other.x",
                                      "properties.desired.a[0]",
                                      "properties.desired.",
                                      "tags.a, b"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char other[200];

        (void)snprintf(
            other, sizeof(other),
            "FROM /twinChangeNotifications WHERE twin_change_includes(%s) INTO $upstream", bad[i]);
        cr_expect_eq(route_compile(other, strlen(other), &r, NULL), -1, "accepted: %s", bad[i]);
    }
    route_input_free(in);
}
