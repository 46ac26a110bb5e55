/* What comes from the cloud to the edge hub and its clients, handed to whom it concerns. Loop
 * thread only. */
#ifndef BERTH_HUB_EDGE_CLOUD_H
#define BERTH_HUB_EDGE_CLOUD_H

#include "vm/guest/hub/edge_upstream.h"

extern const struct edge_upstream_events edge_cloud_events; /* their ARG is the edge */

#endif
