/* What modules send to the workload API, and whose processes an engine lists. */
#include "core/base/str.h"
#include "vm/guest/edged/workload_body.h"

#include <criterion/criterion.h>
#include <string.h>

static enum err_kind bytes_of(const char *json, const char *want)
{
    auto_json cJSON *body = json_parse(json, strlen(json), NULL);
    auto_buf struct buf out = {0};
    struct err err = {0};
    if (workload_body_bytes(body, "data", &out, &err) < 0)
        return err.kind;
    cr_assert_str_eq(buf_str(&out), want);
    return ERR_NONE;
}

Test(edged_workload, takes_only_whole_base64)
{
    cr_assert_eq(bytes_of("{\"data\":\"YWJj\"}", "abc"), ERR_NONE);
    cr_assert_eq(bytes_of("{\"data\":\"YQ==\"}", "a"), ERR_NONE);
    cr_assert_eq(bytes_of("{\"data\":\"\"}", ""), ERR_NONE);
    cr_assert_eq(bytes_of("{\"data\":\"YQ\"}", ""), ERR_INVALID);
    cr_assert_eq(bytes_of("{\"data\":\"YQ=\"}", ""), ERR_INVALID);
    cr_assert_eq(bytes_of("{\"data\":\"Y===\"}", ""), ERR_INVALID);
    cr_assert_eq(bytes_of("{\"data\":\"YW\\nJj\"}", ""), ERR_INVALID);
    cr_assert_eq(bytes_of("{\"data\":\"YW-_\"}", ""), ERR_INVALID);
}

Test(edged_workload, tells_a_missing_member_from_a_missing_body)
{
    cr_assert_eq(bytes_of("", ""), ERR_INVALID);
    cr_assert_eq(bytes_of("{}", ""), ERR_PROTOCOL);
    cr_assert_eq(bytes_of("[\"data\"]", ""), ERR_PROTOCOL);
    cr_assert_eq(bytes_of("{\"data\":null}", ""), ERR_PROTOCOL);
    cr_assert_eq(bytes_of("{\"Data\":\"YWJj\"}", ""), ERR_PROTOCOL);
}

static bool lists(const char *json, const char *title, uint64_t pid)
{
    auto_json cJSON *top = json_parse(json, strlen(json), NULL);
    return workload_body_top_has(top, title, pid);
}

Test(edged_workload, finds_a_process_in_the_column_of_that_title_only)
{
    static const char top[] = "{\"Titles\":[\"UID\",\"PID\",\"PPID\"],"
                              "\"Processes\":[[\"7\",\"812\",\"1\"],[\"0\",\"900\",\"812\"]]}";
    cr_assert(lists(top, "PID", 812));
    cr_assert(lists(top, "PID", 900));
    cr_assert_not(lists(top, "PID", 1), "a parent is not a process of the container");
    cr_assert_not(lists(top, "PID", 7));
    cr_assert_not(lists(top, "HPID", 812));
    cr_assert_not(lists("{\"Titles\":[\"PID\"],\"Processes\":null}", "PID", 0));
    cr_assert_not(lists("{\"Titles\":[\"PID\"],\"Processes\":[[\"x\"],[1],[],5]}", "PID", 1));
    cr_assert_not(lists("{}", "PID", 0));
    cr_assert_not(lists("", "PID", 0));
}
