/* One version for all programs of a build. */
#ifndef BERTH_BASE_VERSION_H
#define BERTH_BASE_VERSION_H

#define BERTH_VERSION  "0.1.0"
#define BERTH_PROTOCOL 1 /* console <-> engine; bump on any incompatible change of core/rpc */

#endif
