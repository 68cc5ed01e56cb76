/* mount.h - from a filesystem to a mount point and back: the session with the
 * kernel and the threads that serve it. */
#ifndef S3SAMPLEFS_FS_MOUNT_H
#define S3SAMPLEFS_FS_MOUNT_H

struct fsys;
struct mount;

#define MOUNT_WHY_MAX 512

/* Mounts and starts serving. fuse_options: comma list for libfuse, or NULL.
 * source: shown by mount(8) and df. Returns 0 or -errno with why[MOUNT_WHY_MAX]. */
int mount_start(struct fsys *fs, const char *mountpoint, const char *source, const char *fuse_options, char *why,
                struct mount **ret_mount);

/* Readable once the kernel has ended the session (somebody unmounted). */
int mount_ended_fd(const struct mount *m);

/* Fails what waits, detaches the mount point if it still stands, joins the
 * threads, closes the session. NULL allowed. */
void mount_stop(struct mount *m);

#endif
