/* Reports that wait for the cloud: merge patches that are sent one after the other. They stay few
 * however many reports come, since each is merged into the last of them. Pure; any thread. */
#ifndef BERTH_HUB_EDGE_PATCHES_H
#define BERTH_HUB_EDGE_PATCHES_H

#include "core/base/json.h"

/* Adds PATCH to LIST, an array (changed in place). The first FIXED of them stay as they are: they
 * are on their way. Members of PATCH whose names begin with '$' on the top level are left out.
 *
 * Two merge patches are not always one: where the first removes or replaces an object and the
 * second makes a new one, their union would leave in the cloud what was in the old one. For these
 * the list has a patch in front of the last that removes the old one. */
void edge_patches_add(cJSON *list, const cJSON *patch, int fixed);

#endif
