/* Command line, -o options and INI file: what they mean, and what they say
 * when they are wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config/config.h"

#define ARGS_MAX 16

/* The folder of the tests: the working directory, with mnt/, media/ and file. */
static char folder[] = "/tmp/test_config.XXXXXX";

static int enter_folder(void **state)
{
	FILE *f;

	(void)state;
	if (!mkdtemp(folder) || chdir(folder) || mkdir("mnt", 0700) || mkdir("media", 0700))
		return -1;
	f = fopen("file", "w");
	return f ? fclose(f) : -1;
}

static int leave_folder(void **state)
{
	(void)state;
	unlink("file");
	unlink("x.ini");
	rmdir("mnt");
	rmdir("media");
	return rmdir(folder);
}

static void write_ini(const char *text)
{
	FILE *f = fopen("x.ini", "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* The words of a command line behind the program's name, NULL-terminated. */
static int parse(struct config *c, char *why, const char *const *words)
{
	char *argv[ARGS_MAX + 2] = { strdup("s3samplefs") };
	int argc = 1, status;

	for (; *words; words++) {
		assert_true(argc <= ARGS_MAX);
		argv[argc++] = strdup(*words);
	}
	status = config_parse(argc, argv, c, why);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return status;
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct config parse_ok(const char *const *words)
{
	struct config c;
	char why[CONFIG_WHY_MAX] = "";

	if (parse(&c, why, words) != 0)
		fail_msg("refused: %s", why);
	return c;
}

static void parse_fails(const char *const *words, const char *sentence)
{
	struct config c;
	char why[CONFIG_WHY_MAX] = "";

	assert_int_equal(parse(&c, why, words), 2);
	assert_string_equal(why, sentence);
}

static struct config options_ok(const char *options)
{
	return parse_ok(WORDS("s3://bucket", "mnt", "-o", options));
}

static void options_fail(const char *options, const char *sentence)
{
	parse_fails(WORDS("s3://bucket", "mnt", "-o", options), sentence);
}

static struct config ini_ok(const char *text)
{
	write_ini(text);
	return options_ok("config=x.ini");
}

static void ini_fails(const char *text, const char *sentence)
{
	write_ini(text);
	options_fail("config=x.ini", sentence);
}

/* ---- command line ---------------------------------------------------------------- */

static void help_and_version_need_nothing_else(void **state)
{
	struct config c;

	(void)state;
	c = parse_ok(WORDS("--help"));
	assert_int_equal(c.action, CONFIG_HELP);
	config_done(&c);
	c = parse_ok(WORDS("-h"));
	assert_int_equal(c.action, CONFIG_HELP);
	config_done(&c);
	c = parse_ok(WORDS("s3://bucket", "-V"));
	assert_int_equal(c.action, CONFIG_VERSION);
	config_done(&c);
	c = parse_ok(WORDS("--version"));
	assert_int_equal(c.action, CONFIG_VERSION);
	config_done(&c);
	assert_non_null(strstr(config_usage(), "s3samplefs SOURCE MOUNTPOINT"));
}

static void options_stand_before_between_and_behind(void **state)
{
	static const char *const orders[][9] = {
		{ "-o", "workers=3", "-o", "connections=5,path_style", "-f", "s3://bucket", "mnt" },
		{ "s3://bucket", "-f", "-oworkers=3", "mnt", "-o", "connections=5", "-o", "path_style" },
		{ "s3://bucket", "mnt", "-fo", "path_style,,workers=3,", "-o", "connections=5" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct config c = parse_ok(orders[i]);

		assert_int_equal(c.action, CONFIG_MOUNT);
		assert_int_equal(c.workers, 3);
		assert_int_equal(c.s3.connections, 5);
		assert_true(c.s3.path_style && c.foreground && !c.debug);
		assert_string_equal(c.s3.bucket, "bucket");
		config_done(&c);
	}
}

static void two_dashes_end_the_options(void **state)
{
	struct config c = parse_ok(WORDS("-f", "--", "s3://bucket", "mnt"));

	(void)state;
	assert_true(c.foreground);
	config_done(&c);
	parse_fails(WORDS("--", "-f", "mnt"),
	            "-f: the source must be s3://BUCKET[/PREFIX] or dir:PATH");
}

static void debug_means_foreground(void **state)
{
	struct config c = parse_ok(WORDS("s3://bucket", "mnt", "-d"));

	(void)state;
	assert_true(c.debug && c.foreground);
	config_done(&c);
}

static void a_wrong_command_line_is_told(void **state)
{
	(void)state;
	parse_fails(WORDS("-f"),
	            "source and mount point are missing; it is s3samplefs SOURCE MOUNTPOINT, see s3samplefs "
	            "--help");
	parse_fails(WORDS("s3://bucket"),
	            "the mount point is missing; it is s3samplefs SOURCE MOUNTPOINT, see s3samplefs --help");
	parse_fails(WORDS("s3://bucket", "mnt", "more"),
	            "more: only a source and a mount point are expected");
	parse_fails(WORDS("s3://bucket", "mnt", "-x"), "-x: no such option; there are -o -f -d -h -V");
	parse_fails(WORDS("s3://bucket", "mnt", "--foreground"),
	            "--foreground: no such option; there are -o -f -d --help --version");
	parse_fails(WORDS("s3://bucket", "mnt", "-o"), "-o must be followed by options");
}

/* ---- source and mount point --------------------------------------------------------- */

static void an_s3_source_is_a_bucket_and_a_prefix(void **state)
{
	static const struct {
		const char *source, *bucket, *prefix;
	} cases[] = {
		{ "s3://my-bucket", "my-bucket", "" },
		{ "s3://my-bucket/", "my-bucket", "" },
		{ "s3://my.bucket.2/data", "my.bucket.2", "data/" },
		{ "s3://abc/a b/\xc3\xa4/", "abc", "a b/\xc3\xa4/" },
		{ "s3://abc//x", "abc", "/x/" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config c = parse_ok(WORDS(cases[i].source, "mnt"));

		assert_string_equal(c.source, cases[i].source);
		assert_string_equal(c.s3.bucket, cases[i].bucket);
		assert_string_equal(c.s3.prefix, cases[i].prefix);
		assert_null(c.dir);
		config_done(&c);
	}
}

static void a_bad_bucket_name_says_what_is_wrong(void **state)
{
	static const struct {
		const char *source, *fault;
	} cases[] = {
		{ "s3://ab", "s3://ab: a bucket's name has 3 to 63 characters" },
		{ "s3://", "s3://: a bucket's name has 3 to 63 characters" },
		{ "s3:///key", "s3://: a bucket's name has 3 to 63 characters" },
		{ "s3://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/x",
		  "s3://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: a bucket's name has "
		  "3 to 63 characters" },
		{ "s3://-abc", "s3://-abc: a bucket's name begins and ends with a small letter or digit" },
		{ "s3://abc.", "s3://abc.: a bucket's name begins and ends with a small letter or digit" },
		{ "s3://aBc", "s3://aBc: a bucket's name has only small letters, digits, '-' and '.'" },
		{ "s3://a_c", "s3://a_c: a bucket's name has only small letters, digits, '-' and '.'" },
		{ "s3://a..c", "s3://a..c: a bucket's name has no two dots in a row" },
		{ "s3://10.0.0.1", "s3://10.0.0.1: a bucket's name can't look like an IP address" },
		{ "s3://fast--use1-az4--x-s3",
		  "s3://fast--use1-az4--x-s3: directory buckets (S3 Express One Zone) are not supported" },
		{ "s3://arn:aws:s3:eu-west-1:1:accesspoint/x",
		  "s3://arn:aws:s3:eu-west-1:1:accesspoint: ARNs are not supported; give the bucket's name or "
		  "the access point's alias" },
		{ "bucket", "bucket: the source must be s3://BUCKET[/PREFIX] or dir:PATH" },
		{ "S3://bucket", "S3://bucket: the source must be s3://BUCKET[/PREFIX] or dir:PATH" },
		{ "", ": the source must be s3://BUCKET[/PREFIX] or dir:PATH" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		parse_fails(WORDS(cases[i].source, "mnt"), cases[i].fault);
}

static void a_prefix_is_no_longer_than_a_key(void **state)
{
	char source[1200] = "s3://bucket/", why[CONFIG_WHY_MAX];
	size_t start = strlen(source);
	struct config c;

	(void)state;
	memset(source + start, 'x', 1022);
	c = parse_ok(WORDS(source, "mnt"));
	assert_int_equal(strlen(c.s3.prefix), 1023);
	config_done(&c);
	source[start + 1022] = 'x';
	assert_int_equal(parse(&c, why, WORDS(source, "mnt")), 2);
	assert_non_null(strstr(why, "the prefix is longer than S3's keys"));
}

static void a_folder_and_the_mount_point_become_absolute(void **state)
{
	struct config c = parse_ok(WORDS("dir:./media/../media", "mnt/"));
	char expected[64];

	(void)state;
	snprintf(expected, sizeof(expected), "%s/media", folder);
	assert_string_equal(c.dir, expected);
	assert_string_equal(c.source, "dir:./media/../media");
	snprintf(expected, sizeof(expected), "%s/mnt", folder);
	assert_string_equal(c.mountpoint, expected);
	assert_null(c.s3.bucket);
	config_done(&c);
}

static void a_missing_folder_or_mount_point_is_told(void **state)
{
	(void)state;
	parse_fails(WORDS("dir:", "mnt"), "dir: must be followed by the path of a folder");
	parse_fails(WORDS("dir:none", "mnt"), "dir:none: No such file or directory");
	parse_fails(WORDS("dir:file", "mnt"), "dir:file: not a folder");
	parse_fails(WORDS("dir:media", "none"), "mount point none: No such file or directory");
	parse_fails(WORDS("dir:media", "file"), "mount point file: not a directory");
	parse_fails(WORDS("dir:media", "file/x"), "mount point file/x: Not a directory");
}

/* ---- options ------------------------------------------------------------------------------ */

static void defaults(void **state)
{
	static const char *const names[] = { "raw", "frames", "mfcc", "info", "samples" };
	struct config c = parse_ok(WORDS("s3://bucket", "mnt"));

	(void)state;
	assert_false(c.foreground || c.debug || c.s3.no_sign_request || c.s3.path_style);
	assert_null(c.s3.region);
	assert_null(c.s3.endpoint_url);
	assert_null(c.s3.creds.profile);
	assert_null(c.s3.creds.access_key_id);
	assert_null(c.log);
	assert_null(c.log_level);
	assert_null(c.sandbox);
	assert_null(c.fuse_options);
	assert_int_equal(c.s3.max_attempts, 0);
	assert_int_equal(c.s3.connections, 32);
	assert_int_equal(c.workers, 0);
	assert_int_equal(c.memory, 1 << 30);
	assert_int_equal(c.timeout_ms, 60000);
	assert_int_equal(c.metadata_ttl_ms, 60000);
	assert_int_equal(c.n_views, 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(c.views[i].name, names[i]);
	config_done(&c);
}

static void every_mount_key_is_an_option(void **state)
{
	struct config c = options_ok("region=eu-central-1,endpoint_url=http://127.0.0.1:8333,profile=me,"
	                             "aws_access_key_id=AKIA,aws_secret_access_key=s\\,e=c,"
	                             "aws_session_token=t,no_sign_request=no,path_style=true,max_attempts=7,"
	                             "connections=9,workers=4,memory=512M,timeout=1500ms,metadata_ttl=5m,"
	                             "log=/var/log/x,log_level=warn,sandbox=require");

	(void)state;
	assert_string_equal(c.s3.region, "eu-central-1");
	assert_string_equal(c.s3.endpoint_url, "http://127.0.0.1:8333");
	assert_string_equal(c.s3.creds.profile, "me");
	assert_string_equal(c.s3.creds.access_key_id, "AKIA");
	assert_string_equal(c.s3.creds.secret_access_key, "s,e=c");
	assert_string_equal(c.s3.creds.session_token, "t");
	assert_false(c.s3.no_sign_request);
	assert_true(c.s3.path_style);
	assert_int_equal(c.s3.max_attempts, 7);
	assert_int_equal(c.s3.connections, 9);
	assert_int_equal(c.workers, 4);
	assert_int_equal(c.memory, 512 << 20);
	assert_int_equal(c.timeout_ms, 1500);
	assert_int_equal(c.metadata_ttl_ms, 300000);
	assert_string_equal(c.log, "/var/log/x");
	assert_string_equal(c.log_level, "warn");
	assert_string_equal(c.sandbox, "require");
	config_done(&c);
}

static void words_and_flags(void **state)
{
	struct config c = options_ok("path_style,no_sign_request,workers=auto,max_attempts=default,"
	                             "metadata_ttl=forever,log=syslog");

	(void)state;
	assert_true(c.s3.path_style && c.s3.no_sign_request);
	assert_int_equal(c.workers, 0);
	assert_int_equal(c.s3.max_attempts, 0);
	assert_true(c.metadata_ttl_ms == UINT64_MAX);
	assert_string_equal(c.log, "syslog");
	config_done(&c);
	c = options_ok("metadata_ttl=0,path_style,path_style=off");
	assert_int_equal(c.metadata_ttl_ms, 0);
	assert_false(c.s3.path_style);
	config_done(&c);
}

static void a_relative_log_becomes_absolute(void **state)
{
	struct config c = options_ok("log=x.log");
	char expected[64];

	(void)state;
	snprintf(expected, sizeof(expected), "%s/x.log", folder);
	assert_string_equal(c.log, expected);
	config_done(&c);
}

static void a_wrong_value_is_told_with_what_is_right(void **state)
{
	static const struct {
		const char *option, *sentence;
	} cases[] = {
		{ "region=eu west", "-o region = eu west: must be the name of a region, such as eu-central-1" },
		{ "endpoint_url=ftp://x",
		  "-o endpoint_url = ftp://x: must be http://HOST[:PORT] or https://HOST[:PORT]" },
		{ "endpoint_url=http://",
		  "-o endpoint_url = http://: must be http://HOST[:PORT] or https://HOST[:PORT]" },
		{ "profile", "-o profile: must be the name of a profile" },
		{ "no_sign_request=maybe", "-o no_sign_request = maybe: must be yes or no" },
		{ "path_style=2", "-o path_style = 2: must be yes or no" },
		{ "max_attempts=0", "-o max_attempts = 0: must be a whole number from 1 to 100, or default" },
		{ "connections=0", "-o connections = 0: must be a whole number from 1 to 1024" },
		{ "connections", "-o connections: must be a whole number from 1 to 1024" },
		{ "workers=257", "-o workers = 257: must be a whole number from 1 to 256, or auto" },
		{ "memory=1M", "-o memory = 1M: must be a size from 448M to 1024T, as in 512M or 1G" },
		{ "memory=lots", "-o memory = lots: must be a size from 448M to 1024T, as in 512M or 1G" },
		{ "timeout=1ms", "-o timeout = 1ms: must be a time from 100ms to 3600s, as in 500ms, 60s or 5m" },
		{ "metadata_ttl=ever",
		  "-o metadata_ttl = ever: must be a time from 0s to 31622400s, as in 500ms, 60s or 5m, or "
		  "forever" },
		{ "sandbox=no", "-o sandbox = no: must be warn or require" },
		{ "log_level=loud", "-o log_level = loud: must be error, warn, info or debug" },
		{ "log", "-o log: must be a file or syslog" },
		{ "config", "-o config: must be followed by =FILE" },
		{ "config=", "-o config: must be followed by =FILE" },
		{ "aws_access_key_id", "-o aws_access_key_id: must be an access key id" },
		{ "aws_access_key_id=AKIA",
		  "aws_access_key_id and aws_secret_access_key go together, and only one of them is set" },
		{ "aws_secret_access_key=x",
		  "aws_access_key_id and aws_secret_access_key go together, and only one of them is set" },
		{ "aws_session_token=x",
		  "aws_session_token is set, but not the aws_access_key_id that it belongs to" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		options_fail(cases[i].option, cases[i].sentence);
}

static void options_of_later_versions_say_so(void **state)
{
	static const char *const keys[] = { "accelerate", "cloudfront", "requester_pays", "cache",
		                            "cache_size", "cache_policy", "cache_blocks_size", "optimize",
		                            "exclude" };
	char option[64], sentence[64];

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		snprintf(option, sizeof(option), "%s=1", keys[i]);
		snprintf(sentence, sizeof(sentence), "-o %s is not supported yet", keys[i]);
		options_fail(option, sentence);
		options_fail(keys[i], sentence);
	}
}

static void an_unknown_option_is_told_with_those_there_are(void **state)
{
	struct config c;
	char why[CONFIG_WHY_MAX];

	(void)state;
	assert_int_equal(parse(&c, why, WORDS("s3://bucket", "mnt", "-o", "worker=3")), 2);
	assert_non_null(strstr(why, "-o worker: no such key (did you mean workers?); there are: region "));
	assert_non_null(strstr(why, " log_level config allow_other "));
	assert_null(strstr(why, "accelerate"));
	assert_int_equal(parse(&c, why, WORDS("s3://bucket", "mnt", "-o", "alow_other")), 2);
	assert_non_null(strstr(why, "-o alow_other: no such key (did you mean allow_other?); there are: "));
	assert_int_equal(parse(&c, why, WORDS("s3://bucket", "mnt", "-o", "num_frames=3")), 2);
	assert_non_null(strstr(why, "-o num_frames: this is a key of views: it belongs in a [view ...] section"));
}

static void options_of_mount_are_passed_on_or_ignored(void **state)
{
	struct config c = options_ok("rw,nodev,nosuid,noexec,noatime,nodiratime,relatime,auto,noauto,user,"
	                             "user=me,users,owner,group,nofail,_netdev,defaults,atime,"
	                             "x-systemd.automount,x-gvfs-name=a b,comment=x,allow_other,"
	                             "default_permissions,fsname=a\\,b\\\\c,max_read=131072");

	(void)state;
	assert_string_equal(c.fuse_options, "nodev,nosuid,noexec,noatime,nodiratime,allow_other,"
	                                    "default_permissions,fsname=a\\,b\\\\c,max_read=131072");
	config_done(&c);
	c = options_ok("ro,dev,suid,exec,sync,async,dirsync,allow_root,auto_unmount,subtype=x,"
	               "context=system_u:object_r:fusefs_t");
	assert_string_equal(c.fuse_options, "ro,dev,suid,exec,sync,async,dirsync,allow_root,auto_unmount,"
	                                    "subtype=x,context=system_u:object_r:fusefs_t");
	config_done(&c);
}

/* ---- the file -------------------------------------------------------------------------------- */

static void a_file_sets_the_mount_and_o_wins(void **state)
{
	struct config c;

	(void)state;
	write_ini("[mount]\nregion = eu-west-1\nworkers = 8\npath_style = yes\n"
	          "log_level = error ; only the worst\naws_access_key_id = A\naws_secret_access_key = B;C\n");
	c = parse_ok(WORDS("-o", "workers=2", "s3://bucket", "mnt", "-o", "config=x.ini,path_style=no"));
	assert_string_equal(c.s3.region, "eu-west-1");
	assert_int_equal(c.workers, 2);
	assert_false(c.s3.path_style);
	assert_string_equal(c.log_level, "error");
	assert_string_equal(c.s3.creds.access_key_id, "A");
	assert_string_equal(c.s3.creds.secret_access_key, "B;C");
	assert_int_equal(c.n_views, 5); /* no view section: the default views */
	config_done(&c);
}

static void views_are_those_of_the_file_in_its_order(void **state)
{
	struct config c = ini_ok("[view b]\nsize = 112\ntype = frames\nnum_frames = 4\n"
	                         "[view samples]\nframes = b\nmfcc = speech\n"
	                         "[view raw]\n"
	                         "[view speech]\ntype=mfcc\nsr = 16000\nduration=full\n");

	(void)state;
	assert_int_equal(c.n_views, 4);
	assert_string_equal(c.views[0].name, "b");
	assert_int_equal(c.views[0].type, VIEW_FRAMES);
	assert_int_equal(c.views[0].frames.num_frames, 4);
	assert_int_equal(c.views[0].frames.height, 112);
	assert_int_equal(c.views[1].type, VIEW_SAMPLES);
	assert_int_equal(c.views[2].type, VIEW_RAW);
	assert_string_equal(c.views[3].name, "speech");
	/* samples has the parameters of the views that it names */
	assert_memory_equal(&c.views[1].frames, &c.views[0].frames, sizeof(c.views[0].frames));
	assert_memory_equal(&c.views[1].mfcc, &c.views[3].mfcc, sizeof(c.views[3].mfcc));
	assert_int_equal(c.views[1].mfcc.sr, 16000);
	config_done(&c);
}

static void samples_need_the_views_they_name(void **state)
{
	struct config c;

	(void)state;
	ini_fails("[view samples]\nframes = small\n[view mfcc]\n",
	          "x.ini:1: [view samples] frames = small: there is no [view small] of type frames");
	ini_fails("[view frames]\n\n[view samples]\nmfcc = frames\n",
	          "x.ini:3: [view samples] mfcc = frames: there is no [view frames] of type mfcc");
	/* The standard ones need no section. */
	c = ini_ok("[view samples]\n");
	assert_int_equal(c.views[0].frames.num_frames, 16);
	assert_int_equal(c.views[0].mfcc.n_mfcc, 20);
	config_done(&c);
}

static void a_wrong_file_is_told_by_line_and_key(void **state)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{ "region = x\n", "x.ini:1: [region] stands before the first [section]" },
		{ "[mount]\nregion\n", "x.ini:2: neither \"key = value\" nor \"[section]\"" },
		{ "[mount\n", "x.ini:1: a section ends in ]" },
		{ "[mounts]\n", "x.ini:1: [mounts] no such section; there are [mount] and [view NAME]" },
		{ "[view]\n", "x.ini:1: [view] no such section; there are [mount] and [view NAME]" },
		{ "[viewframes]\n", "x.ini:1: [viewframes] no such section; there are [mount] and [view NAME]" },
		{ "[view a/b]\n", "x.ini:1: [view a/b] a view's name has 1 to 64 letters, digits, '-' and '_'" },
		{ "[mount]\n[mount]\n", "x.ini:2: [mount] this section is there twice" },
		{ "[view raw]\n\n[view  raw]\n", "x.ini:3: [view  raw] this section is there twice" },
		{ "[view a]\nsize = 3\n",
		  "x.ini:1: [view a] type is missing: raw, frames, mfcc, info or samples" },
		{ "[view a]\ntype = frame\n",
		  "x.ini:2: [view a] type = frame: must be raw, frames, mfcc, info or samples" },
		{ "[view a]\ntype = images\n", "x.ini:2: [view a] type = images is not supported yet" },
		{ "[mount]\n\nworkers = many\n",
		  "x.ini:3: [mount] workers = many: must be a whole number from 1 to 256, or auto" },
		{ "[mount]\ncache = /x\n", "x.ini:2: [mount] cache is not supported yet" },
		{ "[mount]\naws_secret_access_key =\naws_access_key_id = a\n",
		  "aws_access_key_id and aws_secret_access_key go together, and only one of them is set" },
		{ "[view frames]\n; a comment\nnum_frames = 0\n",
		  "x.ini:3: [view frames] num_frames = 0: must be a whole number from 1 to 65536, or (with "
		  "sampling = uniform) all" },
		{ "[view frames]\nspan = 3\n", "x.ini:2: [view frames] span is not supported yet" },
		{ "[view frames]\nsampling = fps\n",
		  "x.ini:2: [view frames] sampling = fps is not supported yet" },
		{ "[view frames]\nframe_num = 3\n",
		  "x.ini:2: [view frames] frame_num: no such key; there are: match num_frames sampling size "
		  "resize" },
		{ "[view mfcc]\nn_mfcc = 200\n",
		  "x.ini:1: [view mfcc] n_mfcc = 200: must be at most n_mels, which is 128" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ini_fails(cases[i].text, cases[i].sentence);
	/* keys that only -o has */
	ini_fails("[mount]\nconfig = y.ini\n",
	          "x.ini:2: [mount] config: no such key; there are: region endpoint_url profile "
	          "aws_access_key_id aws_secret_access_key aws_session_token no_sign_request path_style "
	          "max_attempts connections workers memory sandbox timeout metadata_ttl log log_level");
}

static void a_file_that_cannot_be_read_is_told(void **state)
{
	(void)state;
	options_fail("config=none.ini", "none.ini: No such file or directory");
	options_fail("config=mnt", "mnt: Is a directory");
	options_fail("config=/dev/zero", "/dev/zero: larger than 1 MiB, which no configuration is");
}

static void there_are_at_most_64_views(void **state)
{
	struct buf text;
	struct config c;

	(void)state;
	buf_init(&text, 65536);
	for (int i = 0; i < CONFIG_VIEWS_MAX; i++)
		buf_printf(&text, "[view v%d]\ntype = raw\n", i);
	c = ini_ok(text.data);
	assert_int_equal(c.n_views, CONFIG_VIEWS_MAX);
	assert_string_equal(c.views[63].name, "v63");
	config_done(&c);
	buf_puts(&text, "[view one-more]\ntype = raw\n");
	ini_fails(text.data, "x.ini:129: [view one-more] more than 64 views");
	buf_done(&text);
}

/* ---- printing -------------------------------------------------------------------------------- */

static char *printed(const struct config *c)
{
	struct buf out;
	char *text;

	buf_init(&out, 65536);
	config_print(c, &out);
	text = buf_take(&out);
	assert_non_null(text);
	return text;
}

static void secrets_are_never_printed(void **state)
{
	struct config c = options_ok("aws_access_key_id=AKIAXYZ,aws_secret_access_key=hush,"
	                             "aws_session_token=quiet,allow_other");
	char *text = printed(&c);

	(void)state;
	assert_null(strstr(text, "AKIAXYZ"));
	assert_null(strstr(text, "hush"));
	assert_null(strstr(text, "quiet"));
	assert_non_null(strstr(text, "aws_access_key_id = (set)\n"));
	assert_non_null(strstr(text, "aws_secret_access_key = (set)\n"));
	assert_non_null(strstr(text, "; s3://bucket on /"));
	assert_non_null(strstr(text, "; options for libfuse: allow_other\n"));
	free(text);
	config_done(&c);
}

static void what_is_printed_is_a_configuration(void **state)
{
	struct config c = ini_ok("[mount]\nregion=eu-west-1\nmetadata_ttl=forever\nmemory=3000000000\n"
	                         "timeout = 1500ms\nworkers=2\n"
	                         "[view f]\ntype=frames\nnum_frames=all\nsize=native\n"
	                         "[view mfcc]\nduration=full\n[view samples]\nframes=f\npath={label}/**\n");
	char *first = printed(&c), *second;
	struct config again;

	(void)state;
	again = ini_ok(first);
	second = printed(&again);
	assert_string_equal(second, first);
	assert_true(again.metadata_ttl_ms == UINT64_MAX);
	assert_int_equal(again.memory, 3000000000);
	assert_int_equal(again.timeout_ms, 1500);
	assert_int_equal(again.n_views, 3);
	free(first);
	free(second);
	config_done(&c);
	config_done(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(help_and_version_need_nothing_else),
		cmocka_unit_test(options_stand_before_between_and_behind),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(debug_means_foreground),
		cmocka_unit_test(a_wrong_command_line_is_told),
		cmocka_unit_test(an_s3_source_is_a_bucket_and_a_prefix),
		cmocka_unit_test(a_bad_bucket_name_says_what_is_wrong),
		cmocka_unit_test(a_prefix_is_no_longer_than_a_key),
		cmocka_unit_test(a_folder_and_the_mount_point_become_absolute),
		cmocka_unit_test(a_missing_folder_or_mount_point_is_told),
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_mount_key_is_an_option),
		cmocka_unit_test(words_and_flags),
		cmocka_unit_test(a_relative_log_becomes_absolute),
		cmocka_unit_test(a_wrong_value_is_told_with_what_is_right),
		cmocka_unit_test(options_of_later_versions_say_so),
		cmocka_unit_test(an_unknown_option_is_told_with_those_there_are),
		cmocka_unit_test(options_of_mount_are_passed_on_or_ignored),
		cmocka_unit_test(a_file_sets_the_mount_and_o_wins),
		cmocka_unit_test(views_are_those_of_the_file_in_its_order),
		cmocka_unit_test(samples_need_the_views_they_name),
		cmocka_unit_test(a_wrong_file_is_told_by_line_and_key),
		cmocka_unit_test(a_file_that_cannot_be_read_is_told),
		cmocka_unit_test(there_are_at_most_64_views),
		cmocka_unit_test(secrets_are_never_printed),
		cmocka_unit_test(what_is_printed_is_a_configuration),
	};

	return cmocka_run_group_tests_name("config", tests, enter_folder, leave_folder);
}
