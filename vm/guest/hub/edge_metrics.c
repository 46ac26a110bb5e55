/* See edge_metrics.h. */
#include "vm/guest/hub/edge_metrics.h"

#include "core/base/str.h"
#include "vm/guest/hub/route_table.h"

static const struct meter_kind kinds[] = {
    [EDGE_GETTWIN] = {"edgehub_gettwin_total", METER_COUNTER, true, "source id ",
                      "Twins that were asked for", false},
    [EDGE_MESSAGES_RECEIVED] = {"edgehub_messages_received_total", METER_COUNTER, true,
                                "id route_output ", "Messages from clients", false},
    [EDGE_MESSAGES_SENT] = {"edgehub_messages_sent_total", METER_COUNTER, true,
                            "from to from_route_output to_route_input priority ",
                            "Messages to clients and upstream", false},
    [EDGE_REPORTED_PROPERTIES] = {"edgehub_reported_properties_total", METER_COUNTER, true,
                                  "target id ", "Reports of properties", false},
    [EDGE_DIRECT_METHODS] = {"edgehub_direct_methods_total", METER_COUNTER, true, "from to ",
                             "Direct methods that were called", false},
    [EDGE_MESSAGES_DROPPED] = {"edgehub_messages_dropped_total", METER_COUNTER, true,
                               "reason from from_route_output ", "Messages that go nowhere", false},
    [EDGE_MESSAGES_UNACK] = {"edgehub_messages_unack_total", METER_COUNTER, true,
                             "reason from from_route_output ",
                             "Messages that could not be acknowledged", false},
    [EDGE_OFFLINE_COUNT] = {"edgehub_offline_count_total", METER_COUNTER, true, "id ",
                            "Times that the connection upstream was lost", false},
    [EDGE_OPERATION_RETRY] = {"edgehub_operation_retry_total", METER_COUNTER, true, "id operation ",
                              "Operations that were tried again", false},
    [EDGE_CONNECT_FAILED] = {"edgehub_client_connect_failed_total", METER_COUNTER, true,
                             "id reason ", "Clients that were refused", false},
    [EDGE_CONNECT_SUCCESS] = {"edgehub_client_connect_success_total", METER_COUNTER, true, "id ",
                              "Clients that connected", false},
    [EDGE_DISCONNECT] = {"edgehub_client_disconnect_total", METER_COUNTER, true, "id ",
                         "Clients that disconnected", false},
    [EDGE_QUEUE_LENGTH] = {"edgehub_queue_length", METER_GAUGE, true, "endpoint priority ",
                           "Messages that wait for an endpoint", false},
    [EDGE_CONNECTED_CLIENTS] = {"edgehub_connected_clients", METER_GAUGE, true, "",
                                "Clients now connected", false},
    [EDGE_MESSAGE_SIZE] = {"edgehub_message_size_bytes", METER_SUMMARY, false, "id ",
                           "Size of messages from clients", false},
    [EDGE_GETTWIN_DURATION] = {"edgehub_gettwin_duration_seconds", METER_SUMMARY, false,
                               "source id ", "Time to get a twin", false},
    [EDGE_SEND_DURATION] = {"edgehub_message_send_duration_seconds", METER_SUMMARY, false,
                            "from to from_route_output to_route_input ", "Time to send a message",
                            false},
    [EDGE_PROCESS_DURATION] = {"edgehub_message_process_duration_seconds", METER_SUMMARY, true,
                               "from to priority ", "Time from a message's arrival to its delivery",
                               false},
    [EDGE_REPORTED_DURATION] = {"edgehub_reported_properties_update_duration_seconds",
                                METER_SUMMARY, false, "target id ",
                                "Time to take a report of properties", false},
    [EDGE_DIRECT_METHOD_DURATION] = {"edgehub_direct_method_duration_seconds", METER_SUMMARY, false,
                                     "from to ", "Time of a direct method", false},
    [EDGE_OFFLINE_DURATION] = {"edgehub_offline_duration_seconds", METER_SUMMARY, false, "id ",
                               "Time without a connection upstream", false},
};
_Static_assert(ARRAY_LEN(kinds) == EDGE_METRIC_COUNT, "a row for each metric");

const char *edge_metrics_priority(unsigned priority)
{
    static const char *const names[] = {"0", "1", "2", "3", "4",         "5",
                                        "6", "7", "8", "9", "2000000000"};

    _Static_assert(ARRAY_LEN(names) == ROUTE_PRIORITIES, "a name for each priority");
    return names[priority < ROUTE_PRIORITIES ? priority : ROUTE_PRIORITY_LAST];
}

void edge_metrics_id(char to[EDGE_METRICS_ID_MAX], const char *device, const char *module)
{
    (void)str_format(to, EDGE_METRICS_ID_MAX, "%s%s%s", device, module[0] ? "/" : "", module);
}

struct meters *edge_metrics_new(const char *iothub, const char *device, const char *instance)
{
    const char *const common[] = {"iothub",          iothub,   "edge_device", device,
                                  "instance_number", instance, NULL};
    struct meters *m = meters_new(kinds, ARRAY_LEN(kinds));

    meters_set_common(m, common);
    return m;
}

struct meter *edge_metrics_series(struct meters *m, enum edge_metric metric,
                                  const char *const *labels)
{
    return meters_get(m, metric, labels);
}
