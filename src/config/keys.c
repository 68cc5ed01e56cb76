#include <stdio.h>
#include <string.h>

#include "config/parts.h"
#include "s3/endpoint.h"

static const char *const sandboxes[] = { "warn", "require", NULL };
static const char *const log_levels[] = { "error", "warn", "info", "debug", NULL };

#define AT(member) .where = WHERE_MOUNT, .offset = offsetof(struct config, member)
#define LATER(key) { .name = key, .kind = KEY_LATER, .where = WHERE_MOUNT }
#define FUSE(option) { .name = option, .kind = KEY_CUSTOM, .where = WHERE_FUSE }
#define IGNORED(option) { .name = option, .kind = KEY_CUSTOM, .where = WHERE_IGNORED }

static const struct key table[] = {
	{ .name = "region", .kind = KEY_STRING, AT(s3.region), .check = endpoint_any_region,
	  .accepts = "the name of a region, such as eu-central-1" },
	{ .name = "endpoint_url", .kind = KEY_STRING, AT(s3.endpoint_url), .check = endpoint_valid_url,
	  .accepts = "http://HOST[:PORT] or https://HOST[:PORT]" },
	{ .name = "profile", .kind = KEY_STRING, AT(s3.creds.profile), .accepts = "the name of a profile" },
	{ .name = "aws_access_key_id", .kind = KEY_STRING, AT(s3.creds.access_key_id), .accepts = "an access key id",
	  .secret = true },
	{ .name = "aws_secret_access_key", .kind = KEY_STRING, AT(s3.creds.secret_access_key),
	  .accepts = "a secret access key", .secret = true },
	{ .name = "aws_session_token", .kind = KEY_STRING, AT(s3.creds.session_token), .accepts = "a session token",
	  .secret = true },
	{ .name = "no_sign_request", .kind = KEY_BOOL, AT(s3.no_sign_request) },
	{ .name = "path_style", .kind = KEY_BOOL, AT(s3.path_style) },
	{ .name = "max_attempts", .kind = KEY_UINT, AT(s3.max_attempts), .min = 1, .max = 100,
	  .word = "default" },
	{ .name = "connections", .kind = KEY_UINT, AT(s3.connections), .min = 1, .max = 1024 },
	{ .name = "workers", .kind = KEY_UINT, AT(workers), .min = 1, .max = 256, .word = "auto" },
	{ .name = "memory", .kind = KEY_SIZE, AT(memory), .min = CONFIG_MEMORY_MIN, .max = 0x1p50 },
	{ .name = "sandbox", .kind = KEY_STRING, AT(sandbox), .choices = sandboxes },
	{ .name = "timeout", .kind = KEY_DURATION, AT(timeout_ms), .min = 100, .max = 3600000 },
	{ .name = "metadata_ttl", .kind = KEY_DURATION, AT(metadata_ttl_ms), .max = 86400000.0 * 366,
	  .word = "forever", .word_value = 0x1p64 },
	{ .name = "log", .kind = KEY_STRING, AT(log), .accepts = "a file or syslog" },
	{ .name = "log_level", .kind = KEY_STRING, AT(log_level), .choices = log_levels },

	LATER("accelerate"), LATER("cloudfront"), LATER("requester_pays"), LATER("cache"),
	LATER("cache_size"), LATER("cache_policy"), LATER("cache_blocks_size"), LATER("optimize"),
	LATER("exclude"),

	{ .name = "config", .kind = KEY_CUSTOM, .where = WHERE_OPTION, .accepts = "the path of an INI file" },

	FUSE("allow_other"), FUSE("allow_root"), FUSE("auto_unmount"), FUSE("default_permissions"),
	FUSE("fsname"), FUSE("subtype"), FUSE("max_read"), FUSE("context"), FUSE("fscontext"),
	FUSE("defcontext"), FUSE("rootcontext"), FUSE("ro"), FUSE("nodev"), FUSE("dev"), FUSE("nosuid"),
	FUSE("suid"), FUSE("noexec"), FUSE("exec"), FUSE("noatime"), FUSE("nodiratime"), FUSE("sync"),
	FUSE("async"), FUSE("dirsync"),

	/* The mount is read-only whatever rw says, and nothing here has an
	 * access time that could be updated. */
	IGNORED("rw"), IGNORED("atime"), IGNORED("diratime"), IGNORED("relatime"), IGNORED("norelatime"),
	IGNORED("strictatime"), IGNORED("nostrictatime"), IGNORED("lazytime"), IGNORED("nolazytime"),
	IGNORED("auto"), IGNORED("noauto"), IGNORED("user"), IGNORED("nouser"), IGNORED("users"),
	IGNORED("nousers"), IGNORED("owner"), IGNORED("noowner"), IGNORED("group"), IGNORED("nogroup"),
	IGNORED("nofail"), IGNORED("_netdev"), IGNORED("defaults"), IGNORED("comment"), IGNORED("silent"),
	IGNORED("loud"),
};

const struct keys config_keys = { table, sizeof(table) / sizeof(table[0]) };

int config_no_memory(char *why)
{
	snprintf(why, CONFIG_WHY_MAX, "out of memory");
	return -1;
}
