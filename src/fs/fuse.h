/* fuse.h - libfuse's low-level API, in the one version we are written to. */
#ifndef S3SAMPLEFS_FS_FUSE_H
#define S3SAMPLEFS_FS_FUSE_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#endif
