/* Which of systemd's units are the runtime. */
#ifndef BERTH_IOTEDGE_SERVICES_H
#define BERTH_IOTEDGE_SERVICES_H

#define SERVICES_MAX 4
extern const char *const services_units[]; /* NULL behind the last */

#endif
